import type { CacheDriver, ReadReply, TableShape, TokenState } from '../drivers/cache-driver.interface.js';
import { CacheOpsError } from '../cacheops.errors.js';
import type { CacheContext } from './cache-context.js';
import type { Clock } from './clock.js';
import type { Dependencies } from './dependencies.js';
import { encodeEntry, isFresh, openEntry } from './entry.js';
import type { Instrumentation } from './instrumentation.js';
import { ShapeKnowledge } from './shape-knowledge.js';
import { SingleFlight, type Flight } from './single-flight.js';
import type { Stamp } from './stamp.js';

/** Turns a value into bytes and back; `decode` makes new objects each time. */
export interface Codec<T> {
  /** @returns `undefined` when the value may not be stored; throws when it cannot be */
  encode(value: T): Buffer | undefined;
  decode(payload: Buffer): T;
}

/** One cached computation. */
export interface Lookup<T> {
  readonly key: string;
  /** For events and stats: what is being read. */
  readonly label: string;
  readonly dependencies: Dependencies;
  /** Milliseconds. */
  readonly ttl: number;
  readonly codec: Codec<T>;
  /** Reads the source. Runs after the stamps are pinned (law 1). */
  readonly load: () => Promise<T>;
}

export interface CacheSettings {
  /** Milliseconds after which a load is abandoned with `LOAD_TIMEOUT`. */
  readonly loadTimeout: number;
  /** Told which shapes this process has just registered, so that its own writers need not ask the backend. */
  readonly onShapes?: (shapes: readonly TableShape[]) => void;
}

/** What a flight hands to those that joined it: bytes, so that each decodes its own objects; else the bare value. */
interface Landed<T> {
  readonly value: T;
  readonly payload: Buffer | undefined;
}

/**
 * The kernel: read, and on a miss pin, compute, store if unchanged.
 *
 * The order is the whole point. Stamps are read before the first byte of the source:
 *
 *     R pins s1 | R reads the old row | W commits, restamps to s2 | R stores {old, s1}
 *
 * The entry is stored under s1 (or refused), the token carries s2, and the entry is never fresh. Reading the stamps
 * after the row would store {old, s2} and serve it until it expires. Every fill goes through `fill`.
 */
export class Cache {
  private readonly flights = new SingleFlight<Landed<unknown>>();
  private readonly knowledge = new ShapeKnowledge();

  constructor(
    private readonly driver: CacheDriver,
    private readonly context: CacheContext,
    private readonly instrumentation: Instrumentation,
    private readonly clock: Clock,
    private readonly settings: CacheSettings,
  ) {}

  /** The stored value while it is fresh, else what `load` returns. Errors of `load` pass through and are not stored. */
  async getOrSet<T>(lookup: Lookup<T>): Promise<T> {
    if (this.context.bypass) return lookup.load();
    const startedAt = this.flights.tick();
    const states = await this.tryRead(lookup);
    if (states === undefined) return this.loadOnly(lookup);
    if ('value' in states) return states.value;
    this.instrumentation.miss(lookup.key, lookup.label);
    const running = this.flights.find(lookup.key, startedAt, states.states) as Promise<Landed<T>> | undefined;
    if (running) return this.join(lookup, running);
    const landed = await this.flights.run(lookup.key, (flight) => this.fill(lookup, states.states, flight));
    return landed.value as T;
  }

  /** The stored value while it is fresh, else `undefined`. */
  async peek<T>(lookup: Omit<Lookup<T>, 'load' | 'ttl'>): Promise<T | undefined> {
    if (this.context.bypass) return undefined;
    const reply = await this.tryRead(lookup);
    return reply && 'value' in reply ? reply.value : undefined;
  }

  /** One round trip. `undefined`: the backend is not available. */
  private async tryRead<T>(
    lookup: Omit<Lookup<T>, 'load' | 'ttl'>,
  ): Promise<{ value: T } | { states: readonly TokenState[] } | undefined> {
    const { key, label, dependencies, codec } = lookup;
    let reply: ReadReply;
    try {
      reply = await this.driver.read(key, dependencies.tokens);
    } catch (error) {
      this.instrumentation.error('read', error);
      return undefined;
    }
    if (reply.entry === undefined || !isFresh(reply.entry, reply.states)) return reply;
    try {
      const value = codec.decode(openEntry(reply.entry).payload);
      this.instrumentation.hit(key, label, this.driver.capabilities.shared ? 'shared' : 'memory');
      return { value };
    } catch (error) {
      // Bytes of another release or a torn entry: a miss, and the fill writes over it.
      this.instrumentation.error('decode', error);
      return reply;
    }
  }

  private async loadOnly<T>(lookup: Lookup<T>): Promise<T> {
    this.instrumentation.miss(lookup.key, lookup.label);
    this.instrumentation.refuse(lookup.key, lookup.label, 'unavailable');
    return this.load(lookup);
  }

  private async join<T>(lookup: Lookup<T>, running: Promise<Landed<T>>): Promise<T> {
    const { payload } = await running;
    // A value that cannot be stored cannot be copied either, and two callers must not share one mutable graph.
    return payload ? lookup.codec.decode(payload) : this.load(lookup);
  }

  /** The only way into the cache. */
  private async fill<T>(
    lookup: Lookup<T>,
    seen: readonly TokenState[],
    flight: Flight<Landed<unknown>>,
  ): Promise<Landed<T>> {
    const stamps = await this.pin(lookup, seen);
    flight.stamps = stamps;
    flight.loadStartedAt = this.flights.tick();
    const value = await this.load(lookup);
    const payload = lookup.codec.encode(value);
    if (payload === undefined) this.instrumentation.refuse(lookup.key, lookup.label, 'unserialisable');
    else if (stamps) await this.store(lookup, payload, stamps);
    return { value, payload };
  }

  /** @returns the stamps to store under, or `undefined` when nothing may be stored */
  private async pin<T>(
    lookup: Lookup<T>,
    seen: readonly TokenState[],
  ): Promise<readonly Stamp[] | undefined> {
    const { dependencies, ttl } = lookup;
    const shapes = this.knowledge.unknown(dependencies, seen);
    if (shapes.length === 0 && allStamped(seen)) return seen;
    try {
      const states = await this.driver.pin({ tokens: dependencies.tokens, shapes: dependencies.shapes, ttl });
      if (allStamped(states)) {
        this.knowledge.learn(dependencies, states);
        this.settings.onShapes?.(shapes);
        return states;
      }
      this.instrumentation.refuse(lookup.key, lookup.label, 'pending');
    } catch (error) {
      this.instrumentation.error('pin', error);
      this.instrumentation.refuse(lookup.key, lookup.label, 'unavailable');
    }
    return undefined;
  }

  private async store<T>(lookup: Lookup<T>, payload: Buffer, stamps: readonly Stamp[]): Promise<void> {
    const { key, label, dependencies, ttl } = lookup;
    const entry = encodeEntry(payload, stamps, this.clock.now());
    try {
      const stored = await this.driver.write({ key, entry, tokens: dependencies.tokens, stamps, ttl });
      if (stored) this.instrumentation.store(key, label, entry.length);
      else this.instrumentation.refuse(key, label, 'changed');
    } catch (error) {
      this.instrumentation.error('write', error);
      this.instrumentation.refuse(key, label, 'unavailable');
    }
  }

  /** Abandons a load that hangs: its late result is dropped, never stored. */
  private load<T>(lookup: Lookup<T>): Promise<T> {
    const { loadTimeout } = this.settings;
    return new Promise<T>((resolve, reject) => {
      const timer = setTimeout(
        () =>
          reject(new CacheOpsError('LOAD_TIMEOUT', `${lookup.label}: no result within ${loadTimeout} ms`)),
        loadTimeout,
      );
      timer.unref?.();
      lookup
        .load()
        .then(resolve, reject)
        .finally(() => clearTimeout(timer));
    });
  }
}

function allStamped(states: readonly TokenState[]): states is readonly Stamp[] {
  return states.every((state) => state !== undefined && state !== 'pending');
}
