import { strict as assert } from 'node:assert';
import { CacheContext } from '../../lib/core/cache-context.js';
import { Cache } from '../../lib/core/cache.js';
import type { Codec, Lookup } from '../../lib/core/lookup.js';
import { systemClock } from '../../lib/core/clock.js';
import { dependenciesOf } from '../../lib/core/dependencies.js';
import { Instrumentation } from '../../lib/core/instrumentation.js';
import { createSerializer } from '../../lib/core/serializer.js';
import { entryKey, stampKey } from '../../lib/drivers/redis.script-parts.js';
import type { Comparison, ComparisonFactory } from '../comparison.js';
import { countsOf } from '../counters.js';
import { ownRedis, type OwnRedis } from '../world.js';

const KEYS = 200;
const HOUR = 3_600_000;
const VALUE = Buffer.alloc(1024, 'v');

const BARE = 'bare MGET';
const RAW = 'getOrSet, raw value';
const SERIALIZED = 'getOrSet, serializer';

const RAW_CODEC: Codec<Buffer> = { encode: (value) => value, decode: (payload) => payload };

function serializerCodec(): Codec<unknown> {
  const { encode, decode } = createSerializer();
  return { encode, decode };
}

/** A value that depends on one row of one table: an entry and three stamps. */
function lookup<T>(name: string, index: number, codec: Codec<T>, value: T): Lookup<T> {
  const conditions = [new Map([['id', String(index)]])];
  return {
    key: `${name}:${index}`,
    label: name,
    dependencies: dependenciesOf([{ table: 'item', reads: '*', conditions }]),
    ttl: HOUR,
    codec,
    load: () => Promise.resolve(value),
  };
}

async function create(): Promise<Comparison> {
  const redis = await ownRedis();
  const driver = await redis.driver();
  const instrumentation = new Instrumentation();
  const cache = new Cache(driver, new CacheContext(), instrumentation, systemClock, { loadTimeout: 10_000 });
  const indexes = Array.from({ length: KEYS }, (_, index) => index);
  const codec = serializerCodec();
  const text = VALUE.toString('latin1');
  const raw = indexes.map((index) => lookup('raw', index, RAW_CODEC, VALUE));
  const serialized = indexes.map((index) => lookup('serialized', index, codec, text as unknown));
  for (const each of raw) await cache.getOrSet(each);
  for (const each of serialized) await cache.getOrSet(each);
  const keys = raw.map(keysOf);
  const counts = countsOf({ instrumentation, commands: redis.commands });
  return {
    title: TITLE,
    concurrency: [1, 64],
    cases: [
      {
        name: BARE,
        run: (turn) => redis.client.mgetBuffer(keys[turn % KEYS] as string[]),
        counts,
        expects: { commands: 1, hits: 0 },
      },
      {
        name: RAW,
        run: (turn) => cache.getOrSet(raw[turn % KEYS] as Lookup<Buffer>),
        counts,
        expects: { commands: 1, hits: 1, misses: 0 },
      },
      {
        name: SERIALIZED,
        run: (turn) => cache.getOrSet(serialized[turn % KEYS] as Lookup<unknown>),
        counts,
        expects: { commands: 1, hits: 1, misses: 0 },
      },
    ],
    targets: [{ name: RAW, concurrency: 64, speed: 0.85 }],
    check: async () => {
      assert.deepEqual(await cache.getOrSet(raw[7] as Lookup<Buffer>), VALUE);
      assert.equal(await cache.getOrSet(serialized[7] as Lookup<unknown>), text);
      assert.equal(await stored(redis, keys[7] as string[]), 4);
    },
    close: async () => {
      await driver.close();
      await redis.close();
    },
  };
}

const keysOf = ({ key, dependencies }: Lookup<unknown>): string[] =>
  [entryKey(key), ...dependencies.tokens.map(stampKey)].map((name) => `bench:${name}`);

const stored = (redis: OwnRedis, keys: string[]): Promise<number> => redis.client.exists(...keys);

const TITLE = 'Shared hit of 1 KiB with three stamps (Redis)';
export const sharedHit: ComparisonFactory = { title: TITLE, create };
