import type { CacheDriver, ReadReply, TableShape, TokenState } from '../drivers/cache-driver.interface.js';
import { CacheOpsError } from '../cacheops.errors.js';
import type { CacheContext } from './cache-context.js';
import type { Clock } from './clock.js';
import type { Dependencies } from './dependencies.js';
import { encodeEntry, isFresh, openEntry } from './entry.js';
import { inspectEntry, type Inspection } from './inspection.js';
import type { Instrumentation } from './instrumentation.js';
import { RecordedReads, type RecordedReply } from './recorded-reads.js';
import { ShapeKnowledge } from './shape-knowledge.js';
import { SingleFlight, type Flight } from './single-flight.js';
import type { Stamp } from './stamp.js';
import type { Token } from './token.js';

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
  /**
   * The entry carries its token list, for readers that do not know all of it: then the entry's list decides, and
   * `dependencies` are the least it must hold.
   */
  readonly recorded?: boolean;
  /**
   * The source has timeouts of its own (a database): the caller waits as long as it would without a cache, and only
   * others stop waiting for its load. Otherwise a load that takes longer than `loadTimeout` fails.
   */
  readonly patient?: boolean;
}

/** A lookup that only reads. */
export type Peek<T> = Omit<Lookup<T>, 'load' | 'ttl'>;

export interface CacheSettings {
  /** Milliseconds after which a load is abandoned: with `LOAD_TIMEOUT`, or by those who only joined it. */
  readonly loadTimeout: number;
  /** Told which shapes this process has just registered, so that its own writers need not ask the backend. */
  readonly onShapes?: (shapes: readonly TableShape[]) => void;
  /** Part of the key of every entry, asked for at each read (the tenant, say). */
  readonly keyspace?: (() => string) | undefined;
}

/** What a flight hands to those that joined it: bytes, so that each decodes its own objects; else the bare value. */
interface Landed<T> {
  readonly value: T;
  readonly payload: Buffer | undefined;
  /** Made of what only the transaction of its caller may see. */
  readonly tainted?: boolean;
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
  private readonly recorded: RecordedReads;

  constructor(
    private readonly driver: CacheDriver,
    private readonly context: CacheContext,
    private readonly instrumentation: Instrumentation,
    private readonly clock: Clock,
    private readonly settings: CacheSettings,
  ) {
    this.recorded = new RecordedReads(driver);
  }

  /** The stored value while it is fresh, else what `load` returns. Errors of `load` pass through and are not stored. */
  async getOrSet<T>(asked: Lookup<T>): Promise<T> {
    const key = this.context.bypass ? undefined : this.place(asked.key);
    if (key === undefined) return asked.load();
    const lookup = key === asked.key ? asked : { ...asked, key };
    const startedAt = this.flights.tick();
    const states = await this.tryRead(lookup);
    if (states === undefined) return this.loadOnly(lookup);
    if ('value' in states) return states.value;
    this.instrumentation.miss(lookup.key, lookup.label);
    const { loadTimeout } = this.settings;
    const running = this.flights.find(lookup.key, startedAt, states.states) as Promise<Landed<T>> | undefined;
    if (running) return this.join(lookup, running);
    const landed = await this.flights.run(lookup.key, loadTimeout, (flight) =>
      this.fill(lookup, states.states, flight),
    );
    return landed.value as T;
  }

  /** The stored value while it is fresh, else `undefined`. */
  async peek<T>(asked: Peek<T>): Promise<T | undefined> {
    const key = this.context.bypass ? undefined : this.place(asked.key);
    if (key === undefined) return undefined;
    const reply = await this.tryRead({ ...asked, key });
    if (reply && 'value' in reply) return reply.value;
    this.instrumentation.miss(key, asked.label);
    return undefined;
  }

  /** Stores a value that is there already, under stamps that are pinned now. Wins over loads that are under way. */
  async put<T>(asked: Omit<Lookup<T>, 'load'>, value: T): Promise<void> {
    const key = this.context.bypass ? undefined : this.place(asked.key);
    if (key === undefined) return;
    const lookup = { ...asked, key, load: () => Promise.resolve(value) };
    const { loadTimeout } = this.settings;
    await this.flights.run(key, loadTimeout, (flight) =>
      this.fill(lookup, unseen(lookup.dependencies), flight),
    );
  }

  /** What lies under a key now, without serving it; `undefined`: nothing. Rejects when the backend fails. */
  async inspect(asked: string, tokens: readonly Token[]): Promise<Inspection | undefined> {
    const key = this.place(asked);
    if (key === undefined) return undefined;
    return inspectEntry(await this.recorded.read(key, tokens));
  }

  /** The whole key of an entry; `undefined` when the keyspace cannot be told, and then nothing may be shared. */
  place(key: string): string | undefined {
    const { keyspace } = this.settings;
    if (!keyspace) return key;
    try {
      const space: unknown = keyspace();
      if (typeof space === 'string') return `${space.length}:${space}:${key}`;
      throw new TypeError(`the prefix function must return a text, not ${typeof space}`);
    } catch (error) {
      this.instrumentation.error('prefix', error);
      return undefined;
    }
  }

  /** One round trip (see `RecordedReads` for the exception). `undefined`: the backend is not available. */
  private async tryRead<T>(
    lookup: Peek<T>,
  ): Promise<{ value: T } | { states: readonly TokenState[] } | undefined> {
    const { key, label, dependencies, codec } = lookup;
    let reply: ReadReply & Partial<RecordedReply>;
    try {
      const source = lookup.recorded ? this.recorded : this.driver;
      reply = await source.read(key, dependencies.tokens);
    } catch (error) {
      this.instrumentation.error('read', error);
      return undefined;
    }
    const otherTokens = reply.asked !== undefined && reply.asked !== dependencies.tokens;
    const states = otherTokens ? unseen(dependencies) : reply.states;
    if (reply.entry === undefined || !isFresh(reply.entry, reply.states)) return { states };
    try {
      const value = codec.decode(openEntry(reply.entry).payload);
      this.instrumentation.hit(key, label, this.driver.capabilities.shared ? 'shared' : 'memory');
      return { value };
    } catch (error) {
      // Bytes of another release or a torn entry: a miss, and the fill writes over it.
      this.instrumentation.error('decode', error);
      return { states };
    }
  }

  private async loadOnly<T>(lookup: Lookup<T>): Promise<T> {
    this.instrumentation.miss(lookup.key, lookup.label);
    this.instrumentation.refuse(lookup.key, lookup.label, 'unavailable');
    return this.load(lookup);
  }

  private async join<T>(lookup: Lookup<T>, running: Promise<Landed<T>>): Promise<T> {
    const { loadTimeout } = this.settings;
    const landed = await within(running, loadTimeout, () => undefined);
    if (landed?.payload) return lookup.codec.decode(landed.payload);
    // A value that cannot be stored cannot be copied either, and two callers must not share one mutable graph.
    return landed && !landed.tainted && isPrimitive(landed.value) ? landed.value : this.load(lookup);
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
    const { value, tainted } = await this.context.filling(() => this.load(lookup));
    if (tainted) {
      this.instrumentation.refuse(lookup.key, lookup.label, 'transaction');
      return { value, payload: undefined, tainted };
    }
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
    const { key, label, dependencies, ttl, recorded } = lookup;
    const entry = encodeEntry(payload, stamps, this.clock.now(), recorded ? dependencies.tokens : undefined);
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
    if (lookup.patient) return lookup.load();
    const { loadTimeout } = this.settings;
    return within(lookup.load(), loadTimeout, () => {
      throw new CacheOpsError('LOAD_TIMEOUT', `${lookup.label}: no result within ${loadTimeout} ms`);
    });
  }
}

/** The result of `work`, or what `late` says when it takes longer than `ms` milliseconds. */
function within<T, L>(work: Promise<T>, ms: number, late: () => L): Promise<T | L> {
  return new Promise<T | L>((resolve, reject) => {
    const timer = setTimeout(() => void Promise.resolve().then(late).then(resolve, reject), ms);
    timer.unref();
    work.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

function allStamped(states: readonly TokenState[]): states is readonly Stamp[] {
  return states.every((state) => state !== undefined && state !== 'pending');
}

/** States before anything was read: every token must be pinned. */
const unseen = ({ tokens }: Dependencies): readonly TokenState[] => tokens.map(() => undefined);

const isPrimitive = (value: unknown): boolean =>
  value === null || (typeof value !== 'object' && typeof value !== 'function');
