import { setTimeout as wait } from 'node:timers/promises';
import { Redis } from 'ioredis6';
import { RedisDriver } from '../../lib/drivers/redis.driver.js';
import { NearDriver } from '../../lib/near-cache/near.driver.js';
import { cacheDriverContract } from '../../lib/testing/cache-driver.contract.js';
import { dropPrefix, redisUrl, uniquePrefix } from '../support/redis.js';
import type { Redis as Redis5 } from 'ioredis';

/* The same contract with a client of ioredis 6; the near cache hears its bus on a duplicate of that. */

const prefix = uniquePrefix();
let created = 0;
let client: Redis;

beforeAll(() => {
  client = new Redis(redisUrl());
});
afterAll(async () => {
  await dropPrefix(client as unknown as Redis5, prefix);
  client.disconnect();
});

const create = (): Promise<RedisDriver> =>
  RedisDriver.create({ redis: client, prefix: `${prefix}${created++}:` });

cacheDriverContract('ioredis 6', {
  create: async () => {
    const driver = await create();
    return { driver, elapse: (ms) => wait(ms), dispose: () => driver.close() };
  },
});

cacheDriverContract('ioredis 6, near, tracked', {
  create: async () => {
    const inner = await create();
    const driver = new NearDriver(inner, { maxBytes: 1_000_000, bus: inner });
    return { driver, elapse: (ms) => wait(ms), dispose: () => driver.close() };
  },
});

it('hears the bus on a connection of ioredis 6', async () => {
  const driver = await create();
  let isJoined: () => void = () => undefined;
  let isTold: () => void = () => undefined;
  const joined = new Promise<void>((resolve) => (isJoined = resolve));
  const told = new Promise<void>((resolve) => (isTold = resolve));
  const heard: string[] = [];
  const bus = driver.openBus(
    {
      joined: isJoined,
      invalidated: (tokens) => {
        heard.push(...tokens.filter(Boolean));
        if (tokens.includes('g:b')) isTold();
      },
      lost: () => undefined,
    },
    { maxLag: 3_600_000 },
  );
  await joined;
  await driver.pend({ writer: 'w', tokens: ['g:a'], registries: new Map(), ttl: 60_000 });
  await driver.restamp(['g:b']);
  await told;
  expect(heard).toEqual(['g:a', 'g:b']);
  await bus.close();
});
