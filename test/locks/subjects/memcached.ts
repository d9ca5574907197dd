import { setTimeout as sleep } from 'node:timers/promises';
import { MemcachedLockDriver } from '../../../lib/locks/drivers/memcached.lock-driver.js';
import type { LockDriverContract } from '../../../lib/testing/lock-driver.contract.js';
import { serverUrl } from '../../support/databases.js';
import { uniquePrefix } from '../../support/redis.js';

/** The server's clock ticks once a second, a little late when the machine is busy. */
const LATE_TICK_MS = 500;

export const memcached: LockDriverContract = {
  async create() {
    const options = { server: new URL(serverUrl('TEST_MEMCACHED_URL')).host, prefix: uniquePrefix() };
    const [driver, other] = [new MemcachedLockDriver(options), new MemcachedLockDriver(options)];
    return {
      driver,
      other,
      elapse: (ms) => sleep(ms + LATE_TICK_MS),
      dispose: async () => {
        await Promise.all([driver.close(), other.close()]);
      },
    };
  },
};
