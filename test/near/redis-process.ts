import { Cache } from '../../lib/core/cache.js';
import { CacheContext } from '../../lib/core/cache-context.js';
import { systemClock } from '../../lib/core/clock.js';
import { Instrumentation } from '../../lib/core/instrumentation.js';
import type { CacheDriver } from '../../lib/drivers/cache-driver.interface.js';
import { GuardedDriver } from '../../lib/drivers/guarded.driver.js';
import type { GuardState } from '../../lib/drivers/guard.options.js';
import { RedisDriver } from '../../lib/drivers/redis.driver.js';
import { Invalidator, type InvalidatorSettings } from '../../lib/invalidation/invalidator.js';
import { NearDriver } from '../../lib/near-cache/near.driver.js';
import { CODEC, rowsWhere, TABLE, TTL } from './process.js';

interface WayOptions {
  readonly mode: 'tracked' | 'checked' | false;
  readonly prefix: string;
  readonly readTimeout?: number;
}

/** The way to Redis, as the module builds it. */
export async function openWay(url: string, { mode, prefix, readTimeout = 5_000 }: WayOptions) {
  const inner = await RedisDriver.create({ redis: url, prefix });
  const waiting: Partial<Record<GuardState, () => void>> = {};
  const guard = new GuardedDriver(inner, {
    readTimeout,
    writeTimeout: 5_000,
    invalidationTimeout: 5_000,
    breaker: { failures: 2, cooldown: 20 },
    onStateChange: (state) => waiting[state]?.(),
  });
  await guard.probe();
  const bus = mode === 'tracked' ? inner : undefined;
  const driver: CacheDriver = mode ? new NearDriver(guard, { maxBytes: 1_000_000, bus }) : guard;
  const becomes = (state: GuardState) => () => new Promise<void>((told) => (waiting[state] = told));
  return { inner, guard, driver, gone: becomes('down'), back: becomes('up') };
}

export type RedisProcess = Awaited<ReturnType<typeof startProcess>>;

/** One process as the module builds it, without a database. */
export async function startProcess(
  url: string,
  options: WayOptions & { readonly writing?: Partial<InvalidatorSettings> },
) {
  const way = await openWay(url, options);
  const { driver } = way;
  const context = new CacheContext();
  const instrumentation = new Instrumentation();
  const settings = { pendTtl: 30_000, onRedisFailure: 'degrade', ...options.writing } as const;
  const invalidator = new Invalidator(driver, context, instrumentation, settings);
  const onShapes = invalidator.registries.expect.bind(invalidator.registries);
  const cache = new Cache(driver, context, instrumentation, systemClock, { loadTimeout: 10_000, onShapes });
  const effects = [{ table: TABLE, columns: '*', images: [new Map([['a', '1']])] }] as const;
  const pend = () => invalidator.pend({ effects, tokens: new Set() });
  return {
    ...way,
    invalidator,
    pend,
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
      const pending = await pend();
      commit();
      await invalidator.settle(pending);
      await invalidator.drain();
    },
    close: async () => {
      await cache.close();
      await driver.close();
      context.dispose();
    },
  };
}
