import { setTimeout as elapse } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { RedisLockDriver } from '../../../lib/locks/drivers/redis.lock-driver.js';
import type { LockDriverContract } from '../../../lib/testing/lock-driver.contract.js';
import { dropPrefix, redisUrl, uniquePrefix } from '../../support/redis.js';

export const redis: LockDriverContract = {
  async create() {
    const client = new Redis(redisUrl());
    const prefix = uniquePrefix();
    const driver = await RedisLockDriver.create({ redis: client, prefix });
    const other = await RedisLockDriver.create({ redis: redisUrl(), prefix });
    return {
      driver,
      other,
      elapse,
      dispose: async () => {
        await Promise.all([driver.close(), other.close()]);
        await dropPrefix(client, prefix);
        client.disconnect();
      },
    };
  },
};
