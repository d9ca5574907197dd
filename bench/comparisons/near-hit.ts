import { strict as assert } from 'node:assert';
import { Loader } from 'layered-loader';
import { LRUCache } from 'lru-cache';
import { CacheContext } from '../../lib/core/cache-context.js';
import { Cache } from '../../lib/core/cache.js';
import { systemClock } from '../../lib/core/clock.js';
import { dependenciesOf } from '../../lib/core/dependencies.js';
import { Instrumentation } from '../../lib/core/instrumentation.js';
import { nearFrozen, nearValues } from '../../lib/core/kept-value.js';
import type { Lookup, NearCodec } from '../../lib/core/lookup.js';
import { createSerializer } from '../../lib/core/serializer.js';
import { RedisDriver } from '../../lib/drivers/redis.driver.js';
import { NearDriver } from '../../lib/near-cache/near.driver.js';
import type { Comparison, ComparisonFactory } from '../comparison.js';
import { countsOf } from '../counters.js';
import { ownRedis } from '../world.js';

const KEYS = 200;
const HOUR = 3_600_000;
const VALUE = { id: 7, title: 'v'.repeat(100), tags: ['one', 'two'], price: 12.5 };

const LRU = 'await of lru-cache';
const FROZEN = 'getOrSet, tracked near hit, frozen';
const COPIED = 'getOrSet, tracked near hit, copied';
const RIVAL = 'layered-loader, in memory';

async function create(): Promise<Comparison> {
  const redis = await ownRedis();
  const guard = await redis.driver();
  // The bus has to be heard before anything is kept.
  const bus = await RedisDriver.create({ redis: redis.client, prefix: 'bench:' });
  const driver = new NearDriver(guard, { maxBytes: 64 * 2 ** 20, bus });
  const instrumentation = new Instrumentation();
  const cache = new Cache(driver, new CacheContext(), instrumentation, systemClock, { loadTimeout: 10_000 });
  const { encode, decode } = createSerializer();
  const lookups = (name: string, near: NearCodec<unknown>): Lookup<unknown>[] =>
    Array.from({ length: KEYS }, (_, index) => ({
      key: `${name}:${index}`,
      label: name,
      dependencies: dependenciesOf([
        { table: 'item', reads: '*', conditions: [new Map([['id', String(index)]])] },
      ]),
      ttl: HOUR,
      codec: { encode, decode, near },
      load: () => Promise.resolve(VALUE),
    }));
  const frozen = lookups('frozen', nearFrozen(decode));
  const copied = lookups('copied', nearValues(decode));
  const keys = frozen.map(({ key }) => key);
  const lru = new LRUCache<string, object>({ max: KEYS });
  for (const key of keys) lru.set(key, VALUE);
  const rival = new Loader<object>({
    inMemoryCache: { cacheType: 'lru-object', ttlInMsecs: HOUR, maxItems: KEYS },
    dataSources: [{ name: 'value', get: () => Promise.resolve(VALUE), getMany: () => Promise.resolve([]) }],
  });
  const isKept = (): boolean => [...frozen, ...copied].every(({ key }) => driver.near.get(key) !== undefined);
  while (!isKept()) for (const each of [...frozen, ...copied]) await cache.getOrSet(each);
  const counts = countsOf({ instrumentation });
  const expects = { hits: 1, misses: 0 };
  return {
    title: TITLE,
    concurrency: [1],
    cases: [
      { name: LRU, run: async (turn) => lru.get(keys[turn % KEYS] as string) },
      {
        name: FROZEN,
        run: (turn) => cache.getOrSet(frozen[turn % KEYS] as Lookup<unknown>),
        counts,
        expects,
      },
      {
        name: COPIED,
        run: (turn) => cache.getOrSet(copied[turn % KEYS] as Lookup<unknown>),
        counts,
        expects,
      },
      { name: RIVAL, run: (turn) => rival.get(keys[turn % KEYS] as string) },
    ],
    targets: [
      { name: FROZEN, concurrency: 1, speed: 0.5 },
      { name: FROZEN, than: RIVAL, concurrency: 1, speed: 1 },
    ],
    check: async () => {
      const before = redis.commands.count;
      for (const each of [frozen, copied])
        assert.deepEqual(await cache.getOrSet(each[7] as Lookup<unknown>), VALUE);
      assert.deepEqual(await rival.get(keys[7] as string), VALUE);
      // Looks at the bus aside, nobody asks Redis.
      assert.ok(redis.commands.count - before <= 1);
    },
    close: async () => {
      await driver.close();
      await redis.close();
    },
  };
}

const TITLE = 'Near hit of a small object with three stamps (tracked)';
export const nearHit: ComparisonFactory = { title: TITLE, create };
