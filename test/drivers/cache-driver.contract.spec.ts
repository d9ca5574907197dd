import { setTimeout as wait } from 'node:timers/promises';
import { MemoryDriver } from '../../lib/drivers/memory.driver.js';
import { RedisDriver } from '../../lib/drivers/redis.driver.js';
import { cacheDriverContract, type CacheDriverContract } from '../../lib/testing/cache-driver.contract.js';
import { ManualClock } from '../../lib/testing/manual-clock.js';
import { RedisFixture } from './redis-fixture.js';

const redis = new RedisFixture();
let created = 0;
const redisDriver = () => RedisDriver.create({ redis: redis.client, prefix: `${redis.prefix}${created++}:` });

const CONTRACTS: Readonly<Record<string, CacheDriverContract>> = {
  'memory.driver.ts': {
    create: async () => {
      const clock = new ManualClock();
      const driver = new MemoryDriver({ clock });
      return { driver, elapse: async (ms) => clock.advance(ms), dispose: () => driver.close() };
    },
  },
  'redis.driver.ts': {
    create: async () => {
      const driver = await redisDriver();
      return { driver, elapse: (ms) => wait(ms), dispose: () => driver.close() };
    },
  },
};

for (const [name, contract] of Object.entries(CONTRACTS)) cacheDriverContract(name, contract);

afterAll(() => redis.dispose());
