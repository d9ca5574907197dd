import type { BusSource } from '../drivers/bus.interface.js';
import type { CacheDriver, ReadReply, TableShape, TokenState } from '../drivers/cache-driver.interface.js';
import type { CacheContext } from './cache-context.js';
import type { Clock } from './clock.js';
import type { Dependencies } from './dependencies.js';
import { openEntry } from './entry.js';
import { Filler, unseen } from './fill.js';
import { inspectEntry, type Inspection } from './inspection.js';
import type { CacheSource, Instrumentation } from './instrumentation.js';
import { LEASE, Leases, type LeaseSettings } from './lease.js';
import {
  type Found,
  isOpenEnded,
  isServable,
  type Landed,
  type Lookup,
  ownCopy,
  type Peek,
  type Servable,
} from './lookup.js';
import { NearReads, NOTHING, UNAVAILABLE } from './near-reads.js';
import type { StampedTokens } from './read-trace.js';
import { RecordedReads, type RecordedReply } from './recorded-reads.js';
import { conditionOf } from './refill.js';
import { Refresher } from './refresh.js';
import { SingleFlight } from './single-flight.js';
import { isStamp } from './stamp.js';
import type { Token } from './token.js';
import { Turns } from './turns.js';
import { within } from './within.js';

export interface CacheSettings {
  /** Milliseconds after which a load is abandoned: with `LOAD_TIMEOUT`, or by those who only joined it. */
  readonly loadTimeout: number;
  /** Told which shapes this process has just registered, so that its own writers need not ask the backend. */
  readonly onShapes?: (shapes: readonly TableShape[]) => void;
  /** Part of the key of every entry, asked for at each read (the tenant, say). */
  readonly keyspace?: (() => string) | undefined;
  /** Default: `LEASE`. */
  readonly lease?: LeaseSettings;
  /** Wakes those who wait for a load of another process; without it they look from time to time. */
  readonly bus?: BusSource | undefined;
}

/**
 * The kernel: read, and on a miss pin, compute, store if unchanged.
 *
 * The order is the whole point. Stamps are read before the first byte of the source:
 *
 *     R pins s1 | R reads the old row | W commits, restamps to s2 | R stores {old, s1}
 *
 * The entry is stored under s1 (or refused), the token carries s2, and the entry is never fresh. Reading the stamps
 * after the row would store {old, s2} and serve it until it expires. Every fill goes through `Filler.fill`.
 */
export class Cache {
  private readonly flights = new SingleFlight<Landed<unknown>>();
  private readonly near: NearReads;
  private readonly recorded: RecordedReads;
  private readonly filler: Filler;
  private readonly leases: Leases;
  private readonly turns: Turns;
  private readonly refresher: Refresher;

  constructor(
    private readonly driver: CacheDriver,
    private readonly context: CacheContext,
    private readonly instrumentation: Instrumentation,
    private readonly clock: Clock,
    private readonly settings: CacheSettings,
  ) {
    const { loadTimeout, onShapes, lease = LEASE, bus } = settings;
    const { flights } = this;
    const tick = flights.tick.bind(flights);
    const read = this.tryRead.bind(this);
    const filler = new Filler({ driver, context, instrumentation, clock, tick, loadTimeout, onShapes });
    this.near = new NearReads(driver.near, context, instrumentation);
    this.recorded = new RecordedReads(driver);
    this.filler = filler;
    const leases = new Leases(driver, lease, bus);
    this.leases = leases;
    this.turns = new Turns({ filler, leases, read, clock, tick });
    this.refresher = new Refresher({ driver, filler, leases, read, clock, instrumentation, flights });
  }

  /** The stored value while it is fresh, else what `load` returns. Errors of `load` pass through and are not stored. */
  getOrSet<T>(asked: Lookup<T>): Promise<T> {
    const { standing } = this.context;
    const key = standing === 'bypass' ? undefined : this.place(asked.key);
    const near = key !== undefined && standing === 'free' ? this.near.now(key, asked) : undefined;
    return near ?? this.readOrLoad(asked, key);
  }

  /** As `getOrSet`; what is kept in this process comes without a promise, which may cost its caller more than the hit. */
  getOrSetNow<T extends object>(asked: Lookup<T>): T | Promise<T> {
    const { standing } = this.context;
    const key = standing === 'bypass' ? undefined : this.place(asked.key);
    const near = key !== undefined && standing === 'free' ? this.near.value(key, asked) : undefined;
    return near ?? this.readOrLoad(asked, key);
  }

  private async readOrLoad<T>(asked: Lookup<T>, key: string | undefined): Promise<T> {
    if (key === undefined) return asked.load();
    const lookup = key === asked.key ? asked : { ...asked, key };
    const startedAt = this.flights.tick();
    const checking = this.near.checked(lookup);
    if (checking) {
      const checked = await checking;
      if (checked === UNAVAILABLE) return this.loadOnly(lookup);
      if (checked !== NOTHING) return checked;
    }
    const found = await this.tryRead(lookup);
    if (found === undefined) return this.loadOnly(lookup);
    if (isServable(found)) return this.serve(lookup, found, startedAt);
    this.instrumentation.miss(lookup.key, lookup.label);
    const early = isOpenEnded(lookup) ? this.flights.current(lookup.key) : undefined;
    if (!early || this.flights.find(lookup.key, startedAt, found.states)) {
      return this.loadOnce(lookup, found.states, startedAt);
    }
    // Whether anything has changed since that load began cannot be told by its stamps. What it stores tells.
    await within(early, this.filler.patienceOf(lookup), () => undefined);
    const again = await this.tryRead(lookup);
    if (isServable(again)) return this.serve(lookup, again, startedAt);
    return this.loadOnce(lookup, (again ?? found).states, startedAt);
  }

  /** The stored value while it is fresh, else `undefined`. */
  peek<T>(asked: Peek<T>): Promise<T | undefined> {
    const { standing } = this.context;
    const key = standing === 'bypass' ? undefined : this.place(asked.key);
    const near = key !== undefined && standing === 'free' ? this.near.now(key, asked) : undefined;
    return near ?? this.readOnly(asked, key);
  }

  private async readOnly<T>(asked: Peek<T>, key: string | undefined): Promise<T | undefined> {
    if (key === undefined) return undefined;
    const lookup = { ...asked, key };
    const checking = this.near.checked(lookup);
    if (checking) {
      const checked = await checking;
      if (checked === UNAVAILABLE) return this.missed(lookup);
      if (checked !== NOTHING) return checked;
    }
    const found = await this.tryRead(lookup);
    if (!isServable(found)) return this.missed(lookup);
    this.hit(lookup, found);
    this.report(found.basis);
    return found.value;
  }

  /**
   * The stamps of dependencies as of now, for a value that is computed after this and `put` under them. `undefined`:
   * nothing may be stored.
   * @param ttl milliseconds that the stamps must outlive
   */
  async pin({ key, label }: Pick<Peek<unknown>, 'key' | 'label'>, dependencies: Dependencies, ttl: number) {
    return this.context.bypass ? undefined : this.filler.pin({ key, label }, dependencies, ttl);
  }

  /**
   * Stores a value that is there already. Wins over loads that are under way.
   * @param seen stamps from before the value was computed; default: they are pinned now
   */
  async put<T>(
    asked: Omit<Lookup<T>, 'load'>,
    value: T,
    seen: readonly TokenState[] = unseen(asked.dependencies),
  ): Promise<void> {
    const key = this.context.bypass ? undefined : this.place(asked.key);
    if (key === undefined) return;
    const lookup = { ...asked, key, load: () => Promise.resolve(value) };
    await this.flights.run(key, this.filler.patienceOf(lookup), (flight) =>
      this.filler.fill(lookup, seen, flight),
    );
  }

  /** What lies under a key now, without serving it; `undefined`: nothing. Rejects when the backend fails. */
  async inspect(asked: string, tokens: readonly Token[]): Promise<Inspection | undefined> {
    const key = this.place(asked);
    if (key === undefined) return undefined;
    const source = this.near.has(key) ? 'near' : this.source;
    return inspectEntry(await this.recorded.read(key, tokens), source);
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

  /**
   * Makes a read that does not pass through the cache part of what the load around it depends on, if that wants to
   * know. Call it before the read; `undefined`: there is nothing to wait for.
   * @param dependencies gives `undefined` when nobody can tell them
   */
  witness(dependencies: () => Dependencies | undefined): Promise<void> | undefined {
    const { trace } = this.context;
    return trace && this.filler.witness(trace, dependencies());
  }

  /** Begins no more loads behind the back of callers, and waits for those under way, but not long. */
  async close(): Promise<void> {
    await this.refresher.close();
    await this.leases.close();
  }

  /** One round trip (see `RecordedReads` for the exception). `undefined`: the backend is not available. */
  private async tryRead<T>(lookup: Peek<T>): Promise<Found<T> | undefined> {
    const { key, dependencies, codec, refill } = lookup;
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
    if (reply.entry === undefined) return { states };
    const condition = conditionOf(reply.entry, reply.states, refill, this.clock);
    if (condition === 'dead') return { states };
    try {
      const { payload } = openEntry(reply.entry);
      const value = codec.decode(payload);
      const stamped = { tokens: reply.asked ?? dependencies.tokens, stamps: reply.states.filter(isStamp) };
      return { value, payload, condition, states, basis: condition === 'stale' ? undefined : stamped };
    } catch (error) {
      // Bytes of another release or a torn entry: a miss, and the fill writes over it.
      this.instrumentation.error('decode', error);
      return { states };
    }
  }

  private get source(): CacheSource {
    return this.driver.capabilities.shared ? 'shared' : 'memory';
  }

  private async serve<T>(lookup: Lookup<T>, found: Servable<T>, startedAt: number): Promise<T> {
    this.hit(lookup, found);
    this.report(found.basis);
    return found.condition === 'fresh' ? found.value : this.refresher.serve(lookup, found, startedAt);
  }

  private hit<T>({ key, label, onHit }: Peek<T>, { condition }: Servable<T>): void {
    const { source } = this;
    this.instrumentation.hit(key, label, source, condition === 'stale');
    onHit?.(source);
  }

  private missed({ key, label }: Peek<unknown>): undefined {
    this.instrumentation.miss(key, label);
  }

  /** The value of a load under way, if it may be used, else of one that begins now. */
  private async loadOnce<T>(lookup: Lookup<T>, states: readonly TokenState[], startedAt: number): Promise<T> {
    const running = this.flights.find(lookup.key, startedAt, states) as Promise<Landed<T>> | undefined;
    if (running) return this.join(lookup, running);
    const landed = await this.flights.run(lookup.key, this.filler.patienceOf(lookup), (flight) =>
      lookup.refill?.lock ? this.turns.fill(lookup, flight) : this.filler.fill(lookup, states, flight),
    );
    this.report(landed.basis);
    return landed.value as T;
  }

  private async loadOnly<T>(lookup: Lookup<T>): Promise<T> {
    this.instrumentation.miss(lookup.key, lookup.label);
    this.instrumentation.refuse(lookup.key, lookup.label, 'unavailable');
    this.context.trace?.lose('unavailable');
    return this.filler.load(lookup);
  }

  private async join<T>(lookup: Lookup<T>, running: Promise<Landed<T>>): Promise<T> {
    const landed = await within(running, this.filler.patienceOf(lookup), () => undefined);
    const own = landed && ownCopy(landed, lookup.codec);
    if (!own) return this.filler.load(lookup);
    this.report(landed.basis);
    return own.value;
  }

  /** A load that reads through the cache depends on what it was given. */
  private report(basis: StampedTokens | undefined): void {
    const { trace } = this.context;
    if (basis) trace?.add(basis.tokens, basis.stamps);
    else trace?.lose('changed');
  }
}
