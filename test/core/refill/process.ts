import { Cache, type CacheSettings } from '../../../lib/core/cache.js';
import { CacheContext } from '../../../lib/core/cache-context.js';
import type { Clock } from '../../../lib/core/clock.js';
import { type CacheEvent, Instrumentation } from '../../../lib/core/instrumentation.js';
import type { Codec, Lookup } from '../../../lib/core/lookup.js';
import type { Refill } from '../../../lib/core/refill.js';
import { EVERYTHING, tagToken } from '../../../lib/core/token.js';
import type { CacheDriver } from '../../../lib/drivers/cache-driver.interface.js';

export const TTL = 60_000;
export const GRACE = 600_000;
export const TAG = tagToken('x');
export const REFILL: Refill = { grace: 0, softTimeout: 0, lock: false, jitter: 0, beta: 0 };

const codec: Codec<unknown> = {
  encode: (value) => (value === undefined ? undefined : Buffer.from(JSON.stringify(value))),
  decode: (payload) => JSON.parse(payload.toString()) as unknown,
};

const contexts: CacheContext[] = [];

export function disposeProcesses(): void {
  for (const context of contexts.splice(0)) context.dispose();
}

/** What one process has of the cache, over a driver that several may share. */
export class Process {
  readonly events: CacheEvent[] = [];
  readonly instrumentation = new Instrumentation();
  readonly cache: Cache;

  constructor(driver: CacheDriver, clock: Clock, settings: Partial<CacheSettings> = {}) {
    const context = new CacheContext();
    contexts.push(context);
    this.instrumentation.subscribe((event) => this.events.push(event));
    this.cache = new Cache(driver, context, this.instrumentation, clock, {
      loadTimeout: 30_000,
      lease: { ttl: 30_000, poll: 1 },
      ...settings,
    });
  }

  get<T>(load: () => Promise<T>, more: Partial<Lookup<T>> = {}): Promise<T> {
    return this.cache.getOrSet({
      key: 'k',
      label: 'value',
      dependencies: { tokens: [EVERYTHING, TAG], shapes: [] },
      ttl: TTL,
      codec: codec as Codec<T>,
      load,
      ...more,
    });
  }

  peek(): Promise<unknown> {
    const dependencies = { tokens: [EVERYTHING, TAG], shapes: [] };
    return this.cache.peek({ key: 'k', label: 'value', dependencies, codec });
  }

  /** The next event of a type. */
  next(type: CacheEvent['type']): Promise<CacheEvent> {
    return new Promise((resolve) => {
      const end = this.instrumentation.subscribe((event) => {
        if (event.type !== type) return;
        end();
        resolve(event);
      });
    });
  }
}

/** A source that counts its reads; `hold` makes the next one wait. */
export class Source {
  value = 1;
  reads = 0;
  private waiting: { reached: () => void; released: Promise<void> }[] = [];
  private failures: Error[] = [];

  readonly load = async (): Promise<{ n: number }> => {
    this.reads++;
    const n = this.value;
    const hold = this.waiting.shift();
    const failure = this.failures.shift();
    hold?.reached();
    await hold?.released;
    if (failure) throw failure;
    return { n };
  };

  hold(): { readonly reached: Promise<void>; release(): void } {
    let release!: () => void;
    let reached!: () => void;
    const released = new Promise<void>((resolve) => (release = resolve));
    const atDoor = new Promise<void>((resolve) => (reached = resolve));
    this.waiting.push({ reached, released });
    return { reached: atDoor, release };
  }

  fail(error: Error): void {
    this.failures.push(error);
  }
}
