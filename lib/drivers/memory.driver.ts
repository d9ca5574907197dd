import { type Clock, systemClock } from '../core/clock.js';
import { leaseToken, type Token, tableToken } from '../core/token.js';
import { headOf } from '../core/listing.js';
import { CacheOpsConfigError } from '../cacheops.errors.js';
import type { BusSource, BusListener, InvalidationBus } from './bus.interface.js';
import type {
  CacheDriver,
  EntryListing,
  ExpireRequest,
  LeaseRequest,
  PendRequest,
  PinRequest,
  ReadReply,
  SettleRequest,
  ShapeRegistry,
  TokenState,
  WriteRequest,
} from './cache-driver.interface.js';
import { MemoryEntries } from './memory.entries.js';
import { MemoryLeases } from './memory.leases.js';
import { MemoryRegistries } from './memory.registries.js';
import { MemoryStamps } from './memory.stamps.js';
import { shapesByTable, withoutTables } from './table-shapes.js';

export interface MemoryDriverOptions {
  /** Memory for entries and stamps together, in bytes; 64 MiB by default. */
  readonly maxBytes?: number;
  readonly clock?: Clock;
}

const DEFAULT_MAX_BYTES = 64 * 1024 * 1024;
/** Stamps may take this much of the memory; entries get what stamps leave. */
const STAMP_SHARE = 0.5;

/**
 * Cache in the process. Every operation is atomic because it runs to its end before it returns. Nothing is shared
 * with other processes and nothing survives a restart.
 *
 * Buffers that `read` returns are the stored ones and must not be modified.
 */
export class MemoryDriver implements CacheDriver, BusSource {
  readonly capabilities = { shared: false };
  protected readonly entries = new MemoryEntries();
  protected readonly stamps: MemoryStamps;
  protected readonly tables = new MemoryRegistries();
  readonly listing: EntryListing = {
    scan: async () => ({ cursor: '', keys: this.entries.keys() }),
    heads: async (keys, token) => {
      const now = this.#clock.monotonic();
      return keys.flatMap((key) => headOf(key, this.entries.get(key, now), token) ?? []);
    },
  };
  readonly #leases = new MemoryLeases();
  readonly #listeners = new Set<BusListener>();
  readonly #clock: Clock;
  readonly #maxBytes: number;

  /** @throws CacheOpsConfigError when `maxBytes` is not a positive number */
  constructor(options: MemoryDriverOptions = {}) {
    this.#maxBytes = options.maxBytes ?? DEFAULT_MAX_BYTES;
    if (!(this.#maxBytes > 0)) {
      throw new CacheOpsConfigError('maxBytes', 'a positive number of bytes', options.maxBytes);
    }
    this.#clock = options.clock ?? systemClock;
    this.stamps = MemoryStamps.atMost(this.#maxBytes * STAMP_SHARE);
  }

  /** Bytes taken by entries and stamps, as far as they are counted against `maxBytes`. */
  get bytes(): number {
    return this.entries.bytes + this.stamps.bytes;
  }

  read(key: string, tokens: readonly Token[]): Promise<ReadReply> {
    const now = this.#clock.monotonic();
    return Promise.resolve({ entry: this.entries.get(key, now), states: this.#states(tokens, now) });
  }

  async states(tokens: readonly Token[]): Promise<readonly TokenState[]> {
    return this.#states(tokens, this.#clock.monotonic());
  }

  async pin({ tokens, shapes, ttl }: PinRequest): Promise<readonly TokenState[]> {
    const now = this.#clock.monotonic();
    const refused: string[] = [];
    for (const [table, texts] of shapesByTable(shapes)) {
      const registration = this.tables.register(table, texts, ttl, now);
      if (registration === 'created') {
        this.stamps.clear(tableToken(table), undefined, now);
        this.#publish([tableToken(table)]);
      }
      if (registration === 'refused') refused.push(table);
    }
    const states = tokens.map((token) => this.stamps.pin(token, ttl, now));
    this.entries.shrink(this.#room());
    return withoutTables(tokens, states, refused);
  }

  async write({ key, entry, tokens, stamps, ttl }: WriteRequest): Promise<boolean> {
    const now = this.#clock.monotonic();
    for (let i = 0; i < tokens.length; i++) {
      if (!this.stamps.carries(tokens[i] as Token, stamps[i], now)) return false;
    }
    for (const token of tokens) this.stamps.pin(token, ttl, now);
    return this.entries.set(key, entry, now + ttl, this.#room());
  }

  async pend({
    writer,
    tokens,
    registries,
    ttl,
  }: PendRequest): Promise<ReadonlyMap<string, ShapeRegistry> | undefined> {
    const now = this.#clock.monotonic();
    const differing = this.#differing(registries, now);
    if (differing) return differing;
    for (const table of registries.keys()) this.tables.mark(table, writer, now + ttl, now);
    for (const token of tokens) this.stamps.mark(token, writer, now + ttl, now);
    this.entries.shrink(this.#room());
    this.#publish(tokens);
    return undefined;
  }

  async settle({ writer, tokens, tables }: SettleRequest): Promise<void> {
    const now = this.#clock.monotonic();
    // What `pend` told need not be told again, except where the mark did not last until now.
    const unmarked = tokens.filter((token) => !this.stamps.clear(token, writer, now));
    for (const table of tables) {
      if (this.tables.unmark(table, writer, now)) continue;
      // While the mark was gone, shapes that the writer did not know of may have been registered.
      this.stamps.clear(tableToken(table), undefined, now);
      unmarked.push(tableToken(table));
    }
    this.#publish(unmarked);
  }

  async restamp(tokens: readonly Token[]): Promise<void> {
    const now = this.#clock.monotonic();
    for (const token of tokens) this.stamps.clear(token, undefined, now);
    this.#publish(tokens);
  }

  /** Listeners are told before the invalidation returns, and nothing is ever lost. */
  openBus(listener: BusListener): InvalidationBus {
    this.#listeners.add(listener);
    listener.joined();
    return {
      validUntil: Infinity,
      close: async () => {
        this.#listeners.delete(listener);
      },
    };
  }

  async expire({
    tokens,
    registries,
  }: ExpireRequest): Promise<ReadonlyMap<string, ShapeRegistry> | undefined> {
    const now = this.#clock.monotonic();
    const differing = this.#differing(registries, now);
    if (differing) return differing;
    for (const token of tokens) this.stamps.expire(token, now);
    this.#publish(tokens);
    return undefined;
  }

  async lease({ key, owner, ttl }: LeaseRequest & { readonly ttl: number }): Promise<number> {
    return this.#leases.take(key, owner, ttl, this.#clock.monotonic());
  }

  async unlease({ key, owner }: LeaseRequest): Promise<void> {
    if (this.#leases.give(key, owner, this.#clock.monotonic())) this.#publish([leaseToken(key)]);
  }

  async registries(tables: readonly string[]): Promise<ReadonlyMap<string, ShapeRegistry>> {
    return this.#registries(tables, this.#clock.monotonic());
  }

  async delete(keys: readonly string[]): Promise<number> {
    const now = this.#clock.monotonic();
    let existed = 0;
    for (const key of keys)
      if (this.entries.get(key, now) !== undefined && this.entries.delete(key)) existed++;
    return existed;
  }

  async close(): Promise<void> {
    this.entries.clear();
    this.stamps.reset();
    this.tables.reset();
    this.#leases.reset();
  }

  #states(tokens: readonly Token[], now: number): TokenState[] {
    const states = new Array<TokenState>(tokens.length);
    for (let i = 0; i < tokens.length; i++) states[i] = this.stamps.state(tokens[i] as Token, now);
    return states;
  }

  #publish(tokens: readonly Token[]): void {
    if (tokens.length > 0) for (const listener of this.#listeners) listener.invalidated(tokens);
  }

  #room(): number {
    return Math.max(0, this.#maxBytes - this.stamps.bytes);
  }

  /** All registries asked for, if the version of one is another than the caller's. */
  #differing(
    versions: ReadonlyMap<string, string>,
    now: number,
  ): ReadonlyMap<string, ShapeRegistry> | undefined {
    for (const [table, version] of versions) {
      if (this.tables.version(table, now) !== version) return this.#registries([...versions.keys()], now);
    }
    return undefined;
  }

  #registries(tables: readonly string[], now: number): ReadonlyMap<string, ShapeRegistry> {
    return new Map(tables.map((table) => [table, this.tables.get(table, now)]));
  }
}
