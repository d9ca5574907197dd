// One process of stampede.spec.ts. Arguments: URL of Redis, prefix.
import { Cache } from '../../lib/core/cache.js';
import { CacheContext } from '../../lib/core/cache-context.js';
import { systemClock } from '../../lib/core/clock.js';
import { Instrumentation } from '../../lib/core/instrumentation.js';
import { EVERYTHING } from '../../lib/core/token.js';
import { GuardedDriver } from '../../lib/drivers/guarded.driver.js';
import { RedisDriver } from '../../lib/drivers/redis.driver.js';
import { SharedBus } from '../../lib/drivers/shared-bus.js';
import { ChaosDriver } from '../../lib/testing/chaos.driver.js';

const [redis = '', prefix = ''] = process.argv.slice(2);
const say = (type: string, more: object = {}): void => void process.send?.({ type, ...more });

const inner = await RedisDriver.create({ redis, prefix });
// A machine that is busy with many processes is slow; what is tested here is not how slow.
const guard = new GuardedDriver(inner, { readTimeout: 20_000, writeTimeout: 20_000 });
await guard.probe();
const counting = new ChaosDriver(guard);
const cache = new Cache(counting, new CacheContext(), new Instrumentation(), systemClock, {
  loadTimeout: 60_000,
  bus: new SharedBus(inner),
});

let release: () => void = () => undefined;
const released = new Promise<void>((resolve) => (release = resolve));

const get = (): Promise<{ by: number }> =>
  cache.getOrSet({
    key: 'hot',
    label: 'hot',
    dependencies: { tokens: [EVERYTHING], shapes: [] },
    ttl: 60_000,
    refill: { grace: 0, softTimeout: 0, lock: true, jitter: 0, beta: 0 },
    codec: {
      encode: (value) => Buffer.from(JSON.stringify(value)),
      decode: (payload) => JSON.parse(payload.toString()) as { by: number },
    },
    load: async () => {
      say('loading');
      await released;
      return { by: process.pid };
    },
  });

async function miss(callers: number): Promise<void> {
  const values = Promise.all(Array.from({ length: callers }, get));
  while (counting.calls.lease === 0) await new Promise(setImmediate);
  say('asked');
  const by = new Set((await values).map(({ by: pid }) => pid));
  say('served', { by: [...by] });
}

process.on('message', ({ type, callers }: { type: string; callers: number }) => {
  if (type === 'miss') void miss(callers);
  else if (type === 'release') release();
});
say('ready');
