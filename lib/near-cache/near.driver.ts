import { type Clock, systemClock } from '../core/clock.js';
import { costOf, isEntry, isFresh, lifeLeft, openEntry, stampsOf } from '../core/entry.js';
import type { Token } from '../core/token.js';
import { CacheOpsConfigError } from '../cacheops.errors.js';
import type { BusSource, InvalidationBus } from '../drivers/bus.interface.js';
import type {
  CacheDriver,
  ExpireRequest,
  LeaseRequest,
  PendRequest,
  PinRequest,
  ReadReply,
  SettleRequest,
  ShapeRegistry,
  TokenState,
  WriteRequest,
} from '../drivers/cache-driver.interface.js';
import type { NearEntries, NearEntry, NearLoss, NearStats } from '../drivers/near-entries.interface.js';
import { type KeptEntry, NearStore, type Reservation } from './near-store.js';

export interface NearOptions {
  /** Memory for entries, in bytes. */
  readonly maxBytes: number;
  /**
   * Tells what is invalidated, by whatever process: then a hit costs no command, and may be behind by at most
   * `maxLag`. Without it every hit is checked by one.
   */
  readonly bus?: BusSource | undefined;
  /** Milliseconds; 1,000 by default. */
  readonly maxLag?: number;
  readonly clock?: Clock;
  /** Told when everything is forgotten. Must not throw. */
  readonly onClear?: (reason: NearLoss) => void;
}

const DEFAULT_MAX_LAG = 1_000;

/**
 * Keeps entries of another driver in this process, in front of it.
 *
 * What is read or written is kept if it was fresh at that moment and nothing was heard of its tokens since: a place is
 * reserved before the command leaves, and an invalidation that is told meanwhile marks it. So a reply that the bus has
 * overtaken is used once and not kept, and one that overtakes the bus is kept and found dead when the bus arrives.
 *
 *     R reserves | backend: R's read, W's pend | bus tells R: marked | R's reply arrives: used, not kept
 *     R reserves | backend: R's read, W's pend | R's reply arrives: kept | bus tells R: dead
 *
 * Invalidations of this process need no bus: they take effect here before they return.
 */
export class NearDriver implements CacheDriver {
  readonly capabilities: CacheDriver['capabilities'];
  readonly near: NearEntries;
  readonly listing: CacheDriver['listing'];
  readonly outages: CacheDriver['outages'];
  readonly #store: NearStore;
  readonly #clock: Clock;
  readonly #maxBytes: number;
  readonly #bus: InvalidationBus | undefined;
  readonly #onClear: NonNullable<NearOptions['onClear']>;
  readonly #unwatch: () => void;
  /** Whether invalidations are told. */
  #hears: boolean;
  #clears = 0;

  /** @throws CacheOpsConfigError when a number is not positive, or the client of Redis cannot be duplicated */
  constructor(
    private readonly inner: CacheDriver,
    options: NearOptions,
  ) {
    const { bus, maxLag = DEFAULT_MAX_LAG } = options;
    this.capabilities = inner.capabilities;
    this.listing = inner.listing;
    this.#maxBytes = positive('near.maxBytes', options.maxBytes);
    this.#clock = options.clock ?? systemClock;
    this.#store = new NearStore(this.#maxBytes, this.#clock);
    this.#onClear = options.onClear ?? (() => undefined);
    this.outages = inner.outages;
    this.#unwatch = inner.outages?.watch(() => this.#clear('interrupted')) ?? (() => undefined);
    // Checked entries are asked about at each hit, so there is nothing to be missed.
    this.#hears = bus === undefined;
    this.near = {
      get: (key) => this.#get(key),
      verified: (key) => this.#verified(key),
      stats: () => this.#stats(),
    };
    this.#bus = bus?.openBus(
      {
        joined: () => (this.#hears = true),
        invalidated: (tokens) => this.#store.invalidate(tokens),
        lost: (reason) => {
          this.#hears = false;
          this.#clear(reason);
        },
      },
      { maxLag: positive('near.maxLag', maxLag) },
    );
  }

  /** Always asks the backend; `near` is the way to what is kept. */
  async read(key: string, tokens: readonly Token[]): Promise<ReadReply> {
    return this.#reserved(
      tokens,
      () => this.inner.read(key, tokens),
      ({ entry, states }) => (entry !== undefined && isFresh(entry, states) ? { key, entry } : undefined),
    );
  }

  async write(request: WriteRequest): Promise<boolean> {
    return this.#reserved(
      request.tokens,
      () => this.inner.write(request),
      (stored) => (stored ? request : undefined),
    );
  }

  async pend(request: PendRequest): Promise<ReadonlyMap<string, ShapeRegistry> | undefined> {
    return this.#invalidating(request.tokens, this.inner.pend(request));
  }

  /** What was marked is dead already; but a mark may have been lost, and then others have filled again. */
  settle(request: SettleRequest): Promise<void> {
    this.#store.invalidate(request.tokens);
    return this.inner.settle(request);
  }

  restamp(tokens: readonly Token[]): Promise<void> {
    this.#store.invalidate(tokens);
    return this.#invalidating(tokens, this.inner.restamp(tokens));
  }

  expire(request: ExpireRequest): Promise<ReadonlyMap<string, ShapeRegistry> | undefined> {
    return this.#invalidating(request.tokens, this.inner.expire(request));
  }

  async delete(keys: readonly string[]): Promise<number> {
    for (const key of keys) this.#store.delete(key);
    return this.inner.delete(keys);
  }

  states(tokens: readonly Token[]): Promise<readonly TokenState[]> {
    return this.inner.states(tokens);
  }

  pin(request: PinRequest): Promise<readonly TokenState[]> {
    return this.inner.pin(request);
  }

  registries(tables: readonly string[]): Promise<ReadonlyMap<string, ShapeRegistry>> {
    return this.inner.registries(tables);
  }

  lease(request: LeaseRequest & { readonly ttl: number }): Promise<number> {
    return this.inner.lease(request);
  }

  unlease(request: LeaseRequest): Promise<void> {
    return this.inner.unlease(request);
  }

  async close(): Promise<void> {
    this.#hears = false;
    this.#store.clear();
    this.#unwatch();
    await this.#bus?.close();
    await this.inner.close();
  }

  #get(key: string): NearEntry | undefined {
    if (this.#bus === undefined) return undefined;
    const now = this.#clock.monotonic();
    return now < this.#bus.validUntil ? this.#store.get(key, now) : undefined;
  }

  #verified(key: string): Promise<NearEntry | undefined> | undefined {
    const entry = this.#store.get(key, this.#clock.monotonic());
    return entry && this.#verify(entry);
  }

  async #verify(entry: KeptEntry): Promise<NearEntry | undefined> {
    const states = await this.inner.states(entry.tokens);
    if (states.join('') === entry.stampText) return entry;
    this.#store.remove(entry);
    return undefined;
  }

  /** Carries out what may bring an entry, and keeps that entry. */
  async #reserved<T>(
    tokens: readonly Token[],
    work: () => Promise<T>,
    entryOf: (reply: T) => { readonly key: string; readonly entry: Buffer } | undefined,
  ): Promise<T> {
    if (!this.#hears) return work();
    const reservation = this.#store.reserve(tokens);
    let found: ReturnType<typeof entryOf>;
    try {
      const reply = await work();
      found = entryOf(reply);
      return reply;
    } finally {
      if (found === undefined) this.#store.release(reservation);
      else this.#keep(found.key, found.entry, reservation);
    }
  }

  #keep(key: string, entry: Buffer, reservation: Reservation): void {
    if (!isEntry(entry)) return this.#store.release(reservation);
    const { payload } = openEntry(entry);
    // Whoever would compute it anew early (see `Refill.beta`) must get to see it before its end.
    const early = -costOf(entry) * Math.log(Math.random());
    const life = lifeLeft(entry, this.#clock.now()) - early;
    this.#store.keep({ key, payload, stamps: stampsOf(entry), life }, reservation);
  }

  /** The reply says that it has happened; what was read before it may have come back since it was sent. */
  async #invalidating<T>(tokens: readonly Token[], work: Promise<T>): Promise<T> {
    try {
      return await work;
    } finally {
      this.#store.invalidate(tokens);
    }
  }

  #stats(): NearStats {
    const { size: entries, bytes, evictions } = this.#store;
    return { entries, bytes, maxBytes: this.#maxBytes, evictions, clears: this.#clears };
  }

  #clear(reason: NearLoss): void {
    this.#clears++;
    this.#store.clear();
    this.#onClear(reason);
  }
}

function positive(option: string, value: number): number {
  if (!(value > 0)) throw new CacheOpsConfigError(option, 'a positive number', value);
  return value;
}
