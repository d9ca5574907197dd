import { Redis } from 'ioredis';
import { Cache } from '../../lib/core/cache.js';
import { CacheContext } from '../../lib/core/cache-context.js';
import { systemClock } from '../../lib/core/clock.js';
import { dependenciesOf } from '../../lib/core/dependencies.js';
import { Instrumentation } from '../../lib/core/instrumentation.js';
import { GuardedDriver } from '../../lib/drivers/guarded.driver.js';
import { RedisDriver } from '../../lib/drivers/redis.driver.js';
import { Invalidator } from '../../lib/invalidation/invalidator.js';
import { findServer } from '../support/servers/find.mjs';
import { redis as server } from '../support/servers/redis.mjs';

/*
 * Distinct keys and conditions without end through a Redis that is far too small for them: EVICTION_KEYS sets how many
 * (10,000,000 in the long form), EVICTION_MB the size of the server (64 there).
 */
const KEYS = Number(process.env['EVICTION_KEYS'] ?? 8_192);
const MEGABYTES = Number(process.env['EVICTION_MB'] ?? 3);
/** A quarter of what is read was written a little earlier; every eighth row changes in between. */
const BEHIND = 64;
const AT_ONCE = 64;
const TABLE = 'item';

const closing: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function smallRedis(policy: string): Promise<string> {
  const args = ['--maxmemory', `${MEGABYTES}mb`, '--maxmemory-policy', policy];
  const start: typeof server.start = (binaries) => server.start(binaries, args);
  const { url, stop } = await findServer({ ...server, start, variable: 'NO_SUCH_URL', defaults: () => [] });
  closing.push(() => stop?.());
  return url;
}

async function cacheOn(url: string) {
  const driver = new GuardedDriver(await RedisDriver.create({ redis: url, prefix: 'p:' }), {
    readTimeout: 20_000,
    writeTimeout: 20_000,
    invalidationTimeout: 20_000,
  });
  await driver.probe();
  const context = new CacheContext();
  const instrumentation = new Instrumentation();
  const settings = { pendTtl: 30_000, onRedisFailure: 'fail' } as const;
  const invalidator = new Invalidator(driver, context, instrumentation, settings);
  const onShapes = invalidator.registries.expect.bind(invalidator.registries);
  const cache = new Cache(driver, context, instrumentation, systemClock, { loadTimeout: 60_000, onShapes });
  closing.push(async () => {
    await cache.close();
    await invalidator.drain();
    await driver.close();
    context.dispose();
  });
  return { cache, invalidator, instrumentation };
}

it.each(['allkeys-lru', 'volatile-ttl'])(
  'bounded memory, nothing stale and no reaper, under %s',
  async (policy) => {
    const url = await smallRedis(policy);
    const { cache, invalidator, instrumentation } = await cacheOn(url);
    const versions = new Map<number, number>();
    const truth = (id: number): number => versions.get(id) ?? 0;
    const read = (id: number): Promise<number> =>
      cache.getOrSet({
        key: `q:${id}`,
        label: 'item',
        dependencies: dependenciesOf([
          { table: TABLE, reads: '*', conditions: [new Map([['id', String(id)]])] },
        ]),
        ttl: 3_600_000,
        codec: {
          encode: (value) => Buffer.from(String(value).padEnd(200)),
          decode: (payload) => Number(payload.toString()),
        },
        load: async () => truth(id),
      });
    const write = async (id: number): Promise<void> => {
      const images = [new Map([['id', String(id)]])];
      const pending = await invalidator.pend({
        effects: [{ table: TABLE, columns: '*', images }],
        tokens: new Set(),
      });
      versions.set(id, truth(id) + 1);
      invalidator.settle(pending);
    };
    let stale = 0;
    let peak = 0;
    const client = new Redis(url, { disconnectTimeout: 100 });
    closing.push(() => client.disconnect());
    const step = async (id: number): Promise<void> => {
      await read(id);
      const earlier = Math.max(0, id - BEHIND);
      if (id % 8 === 0) await write(earlier);
      if (id % 4 === 0 && (await read(earlier)) < truth(earlier)) stale++;
      versions.delete(id - 4 * BEHIND);
    };
    for (let from = 0; from < KEYS; from += AT_ONCE) {
      // No two of a batch touch the same row.
      await Promise.all(Array.from({ length: AT_ONCE }, (_, i) => step(from + i)));
      if (from % 2_048 === 0) {
        const used = /used_memory:(\d+)/.exec(await client.info('memory'))?.[1];
        peak = Math.max(peak, Number(used));
      }
    }
    const evicted = Number(/evicted_keys:(\d+)/.exec(await client.info('stats'))?.[1]);
    const { hits, misses, errors } = instrumentation.stats();
    console.log(
      `${policy}: ${KEYS} keys, ${evicted} evicted, peak ${(peak / 2 ** 20).toFixed(1)} MB of ${MEGABYTES}, ` +
        `${hits} hits, ${misses} misses, ${stale} stale, ${errors} errors`,
    );
    expect(stale).toBe(0);
    expect(errors).toBe(0);
    expect(evicted).toBeGreaterThan(KEYS / 4);
    expect(hits).toBeGreaterThan(0);
    expect(peak).toBeLessThan(MEGABYTES * 1.2 * 2 ** 20);
  },
  3_600_000,
);
