import { Cache } from '../../lib/core/cache.js';
import { CacheContext } from '../../lib/core/cache-context.js';
import type { Clock } from '../../lib/core/clock.js';
import { dependenciesOf } from '../../lib/core/dependencies.js';
import { type CacheEvent, Instrumentation } from '../../lib/core/instrumentation.js';
import { nearValues } from '../../lib/core/kept-value.js';
import type { Codec, Lookup } from '../../lib/core/lookup.js';
import { createSerializer } from '../../lib/core/serializer.js';
import type { BusSource } from '../../lib/drivers/bus.interface.js';
import type { CacheDriver } from '../../lib/drivers/cache-driver.interface.js';
import { Invalidator } from '../../lib/invalidation/invalidator.js';
import { NearDriver, type NearOptions } from '../../lib/near-cache/near.driver.js';
import { ChaosDriver } from '../../lib/testing/chaos.driver.js';
import { ManualClock } from '../../lib/testing/manual-clock.js';
import { HeldBus } from './held-bus.js';

const { encode, decode } = createSerializer();
export const CODEC: Codec<unknown> = { encode, decode, near: nearValues(decode) };

export const TTL = 60_000;
export const TABLE = 'item';

/** The rows of a table with `a = value`. */
export const rowsWhere = (value: string, column = 'a') =>
  dependenciesOf([{ table: TABLE, reads: '*', conditions: [new Map([[column, value]])] }]);

/** One process: a near cache over a backend that it shares with others, and over its own way there. */
export class Process {
  readonly clock: Clock;
  /** The way to the backend. */
  readonly chaos: ChaosDriver;
  readonly bus: HeldBus | undefined;
  readonly driver: NearDriver;
  readonly cache: Cache;
  readonly invalidator: Invalidator;
  readonly context = new CacheContext();
  readonly instrumentation = new Instrumentation();
  readonly events: CacheEvent[] = [];

  constructor(
    backend: CacheDriver & BusSource,
    options: Partial<NearOptions> & { readonly mode?: 'tracked' | 'checked' } = {},
  ) {
    const { mode = 'tracked', clock = new ManualClock(), maxBytes = 10_000_000 } = options;
    this.clock = clock;
    this.chaos = new ChaosDriver(backend);
    this.bus = mode === 'tracked' ? new HeldBus(backend) : undefined;
    this.driver = new NearDriver(this.chaos, {
      bus: this.bus,
      clock,
      maxBytes,
      ...(options.onClear && { onClear: options.onClear }),
    });
    this.instrumentation.subscribe((event) => this.events.push(event));
    this.invalidator = new Invalidator(this.driver, this.context, this.instrumentation, {
      pendTtl: 30_000,
      onRedisFailure: 'degrade',
    });
    this.cache = new Cache(this.driver, this.context, this.instrumentation, clock, {
      loadTimeout: 10_000,
      onShapes: (shapes) => this.invalidator.registries.expect(shapes),
    });
  }

  /** Reads rows of the table through the cache; `load` reads the database. */
  read<T>(value: string, load: () => T | Promise<T>, more: Partial<Lookup<unknown>> = {}): Promise<T> {
    return this.cache.getOrSet<unknown>({
      key: `rows:${value}`,
      label: 'rows',
      dependencies: rowsWhere(value),
      ttl: TTL,
      codec: CODEC,
      load: async () => load(),
      ...more,
    }) as Promise<T>;
  }

  /** Where the last read came from. */
  get source(): string {
    const last = this.events.filter(({ type }) => type === 'hit' || type === 'miss').at(-1);
    return last?.type === 'hit' ? last.source : 'database';
  }

  /** Round trips so far. */
  get commands(): number {
    return Object.values(this.chaos.calls).reduce((sum, calls) => sum + calls, 0);
  }

  /** A transaction that changes rows: `commit` runs between the two phases. */
  async write(
    values: readonly string[],
    commit: () => void | Promise<void> = () => undefined,
  ): Promise<void> {
    const images = values.map((value) => new Map([['a', value]]));
    const pending = await this.invalidator.pend({
      effects: [{ table: TABLE, columns: '*', images }],
      tokens: new Set(),
    });
    await commit();
    await this.invalidator.settle(pending);
    await this.invalidator.drain();
  }

  /** Leaves the backend open for others. */
  async dispose(): Promise<void> {
    await this.cache.close();
    await this.bus?.close();
    this.context.dispose();
  }
}
