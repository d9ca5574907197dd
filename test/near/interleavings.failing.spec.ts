import { Cache } from '../../lib/core/cache.js';
import { CacheContext } from '../../lib/core/cache-context.js';
import { systemClock } from '../../lib/core/clock.js';
import { Instrumentation } from '../../lib/core/instrumentation.js';
import { GuardedDriver } from '../../lib/drivers/guarded.driver.js';
import { RedisDriver } from '../../lib/drivers/redis.driver.js';
import { Invalidator } from '../../lib/invalidation/invalidator.js';
import { NearDriver } from '../../lib/near-cache/near.driver.js';
import { FaultyProxy } from '../drivers/faulty-proxy.js';
import { RedisPair } from '../support/redis-pair.js';
import { redisUrl, uniquePrefix } from '../support/redis.js';
import { CODEC, rowsWhere, TABLE, TTL } from './process.js';

/* The known interleavings (see interleavings.spec.ts) in which Redis itself fails: with the whole way to it. */

const closing: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** One process as the module builds it. */
async function start(url: string, mode: 'tracked' | 'checked', prefix: string, readTimeout = 5_000) {
  const inner = await RedisDriver.create({ redis: url, prefix });
  const counting = Object.assign(inner, { calls: 0 });
  const mget = inner.read.bind(inner);
  inner.read = (...request) => (counting.calls++, mget(...request));
  let isUp: () => void = () => undefined;
  const guard = new GuardedDriver(inner, {
    readTimeout,
    writeTimeout: 5_000,
    invalidationTimeout: 5_000,
    breaker: { failures: 2, cooldown: 20 },
    onStateChange: (state) => state === 'up' && isUp(),
  });
  await guard.probe();
  const driver = new NearDriver(guard, {
    maxBytes: 1_000_000,
    bus: mode === 'tracked' ? inner : undefined,
  });
  const context = new CacheContext();
  const instrumentation = new Instrumentation();
  const invalidator = new Invalidator(driver, context, instrumentation, {
    pendTtl: 30_000,
    onRedisFailure: 'degrade',
  });
  const onShapes = invalidator.registries.expect.bind(invalidator.registries);
  const cache = new Cache(driver, context, instrumentation, systemClock, { loadTimeout: 10_000, onShapes });
  closing.push(async () => {
    await cache.close();
    await driver.close();
    context.dispose();
  });
  return {
    guard,
    counting,
    back: () => new Promise<void>((resolve) => (isUp = resolve)),
    read: (load: () => string) =>
      cache.getOrSet<unknown>({
        key: 'rows:1',
        label: 'rows',
        dependencies: rowsWhere('1'),
        ttl: TTL,
        codec: CODEC,
        load: async () => load(),
      }),
    write: async (commit: () => void) => {
      const images = [new Map([['a', '1']])];
      const effects = [{ table: TABLE, columns: '*' as const, images }];
      const pending = await invalidator.pend({ effects, tokens: new Set() });
      commit();
      invalidator.settle(pending);
      await invalidator.drain();
    },
  };
}

it('13. a replica is promoted that has not heard of the last invalidation', async () => {
  const pair = new RedisPair();
  await pair.start();
  closing.push(() => pair.close());
  const [reader, writer] = [await start(pair.url, 'tracked', 'p:'), await start(pair.url, 'tracked', 'p:')];
  let row = 'old';
  for (const process of [reader, writer]) expect(await process.read(() => row)).toBe('old');
  const back = [reader.back(), writer.back()];
  await pair.promote(() => writer.write(() => void (row = 'new')));
  for (const process of [reader, writer]) expect(await process.read(() => row)).toBe('new');
  await Promise.all(back);
  for (const process of [reader, writer]) expect(await process.read(() => row)).toBe('new');
});

it('18. Redis accepts what it is asked and never answers', async () => {
  const { hostname, port } = new URL(redisUrl());
  const proxy = new FaultyProxy({ host: hostname, port: Number(port) });
  await proxy.listen();
  closing.push(() => proxy.refuse());
  const reader = await start(`redis://127.0.0.1:${proxy.port}`, 'checked', uniquePrefix(), 50);
  expect(await reader.read(() => 'old')).toBe('old');
  proxy.hang();
  // Each of these comes from the database; nobody waits for the proxy, which hangs to the end.
  for (let i = 0; i < 3; i++) expect(await reader.read(() => `new ${i}`)).toBe(`new ${i}`);
  expect(reader.guard.available()).toBe(false);
  const { calls } = reader.counting;
  expect(await reader.read(() => 'newest')).toBe('newest');
  expect(reader.counting.calls).toBe(calls);
});
