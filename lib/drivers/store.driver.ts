import { CacheOpsError } from '../cacheops.errors.js';
import { isStamp } from '../core/stamp.js';
import type { Token } from '../core/token.js';
import { within } from '../core/within.js';
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
} from './cache-driver.interface.js';
import type { EntryStore } from './entry-store.interface.js';

export interface StoreDriverOptions {
  /** Milliseconds for a read of the store. */
  readonly readTimeout: number;
  /** Milliseconds for a write or a removal. */
  readonly writeTimeout: number;
}

/**
 * Entries in a store, everything that says whether they are fresh in another driver.
 *
 * An entry and the stamps are not read as of one moment here, and need not be: stamps never return, so an entry whose
 * stamps are those of the moment at which they were read was fresh at that moment, which lies within the read.
 */
export class StoreDriver implements CacheDriver {
  readonly capabilities: CacheDriver['capabilities'];

  constructor(
    private readonly stamps: CacheDriver,
    private readonly store: EntryStore,
    private readonly options: StoreDriverOptions,
  ) {
    this.capabilities = stamps.capabilities;
  }

  async read(key: string, tokens: readonly Token[]): Promise<ReadReply> {
    const entry = this.inTime('get', this.options.readTimeout, this.store.get(key));
    const [states, found] = await Promise.all([this.stamps.states(tokens), entry]);
    return { entry: found, states };
  }

  states(tokens: readonly Token[]): Promise<readonly TokenState[]> {
    return this.stamps.states(tokens);
  }

  pin(request: PinRequest): Promise<readonly TokenState[]> {
    return this.stamps.pin(request);
  }

  /** What is restamped between the look and the store is stored and never fresh. */
  async write({ key, entry, tokens, stamps, ttl }: WriteRequest): Promise<boolean> {
    const states = await this.stamps.pin({ tokens, shapes: [], ttl });
    if (states.some((state, i) => !isStamp(state) || state !== stamps[i])) return false;
    await this.inTime('set', this.options.writeTimeout, this.store.set(key, entry, ttl));
    return true;
  }

  pend(request: PendRequest): Promise<ReadonlyMap<string, ShapeRegistry> | undefined> {
    return this.stamps.pend(request);
  }

  settle(request: SettleRequest): Promise<void> {
    return this.stamps.settle(request);
  }

  restamp(tokens: readonly Token[]): Promise<void> {
    return this.stamps.restamp(tokens);
  }

  expire(request: ExpireRequest): Promise<ReadonlyMap<string, ShapeRegistry> | undefined> {
    return this.stamps.expire(request);
  }

  lease(request: LeaseRequest & { readonly ttl: number }): Promise<number> {
    return this.stamps.lease(request);
  }

  unlease(request: LeaseRequest): Promise<void> {
    return this.stamps.unlease(request);
  }

  registries(tables: readonly string[]): Promise<ReadonlyMap<string, ShapeRegistry>> {
    return this.stamps.registries(tables);
  }

  delete(keys: readonly string[]): Promise<number> {
    return this.inTime('delete', this.options.writeTimeout, this.store.delete(keys));
  }

  /** The driver of the stamps and the store belong to others. */
  async close(): Promise<void> {}

  private inTime<T>(operation: string, ms: number, work: Promise<T>): Promise<T> {
    return within(work, ms, () => {
      throw new CacheOpsError('DRIVER', `${this.store.name}: ${operation} took longer than ${ms} ms`);
    });
  }
}
