import type { Stamp } from '../core/stamp.js';
import type { Token } from '../core/token.js';
import type { NearEntries } from './near-entries.interface.js';

/** What a token carries at the moment: a stamp, `'pending'` while a writer holds a mark on it, or nothing. */
export type TokenState = Stamp | 'pending' | undefined;

export interface ReadReply {
  /** The stored entry, or `undefined` when there is none. */
  readonly entry: Buffer | undefined;
  /** States of the tokens asked for, in the same order. */
  readonly states: readonly TokenState[];
}

/** One condition shape of one table, as text of `shapeText`. */
export interface TableShape {
  readonly table: string;
  readonly shape: string;
}

/** The condition shapes that readers of a table have used. `version` changes whenever the set does. */
export interface ShapeRegistry {
  readonly version: string;
  readonly shapes: readonly string[];
}

export interface PinRequest {
  /** Tokens to stamp where they have no stamp. */
  readonly tokens: readonly Token[];
  /** Shapes to register before the tokens are pinned. */
  readonly shapes: readonly TableShape[];
  /** Milliseconds that the stamps must outlive: the longest life of an entry that pins them. */
  readonly ttl: number;
}

export interface WriteRequest {
  readonly key: string;
  readonly entry: Buffer;
  readonly tokens: readonly Token[];
  /** Stamps that were pinned before the value was computed, in the order of `tokens`. */
  readonly stamps: readonly Stamp[];
  /** Physical life of the entry in milliseconds. */
  readonly ttl: number;
}

export interface PendRequest {
  /** Names the writer; unique per transaction. */
  readonly writer: string;
  readonly tokens: readonly Token[];
  /** Version of each table's registry from which `tokens` were computed; `''` when the writer found no registry. */
  readonly registries: ReadonlyMap<string, string>;
  /** Milliseconds after which the marks run out by themselves. */
  readonly ttl: number;
}

export interface SettleRequest {
  readonly writer: string;
  /** The same tokens and tables as in the `pend`. */
  readonly tokens: readonly Token[];
  readonly tables: readonly string[];
}

/** The right to be the only one that loads an entry. */
export interface LeaseRequest {
  /** Key of the entry. */
  readonly key: string;
  /** Names the load; unique per load. */
  readonly owner: string;
}

/** A page of the keys of all entries. */
export interface KeyPage {
  /** Of the next page; `''` when this was the last. */
  readonly cursor: string;
  readonly keys: readonly string[];
}

/** What an entry that carries its token list depends on. */
export interface EntryHead {
  readonly key: string;
  readonly tokens: readonly Token[];
  readonly stamps: readonly Stamp[];
}

/** To look through all entries, for people and not for requests. Each method is one round trip. */
export interface EntryListing {
  /**
   * @param cursor `''`: the first page
   * @returns keys, some of them perhaps more than once, and perhaps none though there are more pages
   */
  scan(cursor: string): Promise<KeyPage>;

  /** Of the entries under these keys those that carry a token list with this token. */
  heads(keys: readonly string[], token: Token): Promise<readonly EntryHead[]>;
}

export interface ExpireRequest {
  readonly tokens: readonly Token[];
  /** As in a `pend`. */
  readonly registries: ReadonlyMap<string, string>;
}

/** What a driver that can lose its backend knows of that. */
export interface Outages {
  /**
   * How often the backend went away. It grows at once: what was read before may be outdated by invalidations that were
   * never heard of, and marks that were set before may be lost.
   */
  readonly count: number;

  /**
   * @param listener called whenever the count grows
   * @returns a function that ends the watch
   */
  watch(listener: () => void): () => void;

  /** Resolves when the backend is there and was told everything that it has missed, or the driver is closed. */
  over(): Promise<void>;
}

/**
 * Port of a cache backend: entries, the stamps of tokens, marks of pending writers and the registry of condition
 * shapes. Each method is one round trip. Methods reject when the backend fails; they never guess.
 */
export interface CacheDriver {
  /** `shared`: other processes see the same data. */
  readonly capabilities: { readonly shared: boolean };
  /** Entries that stay in this process, if the driver keeps any. */
  readonly near?: NearEntries;
  /** Absent: the backend never goes away, or nobody watches it. */
  readonly outages?: Outages | undefined;
  /** Not every backend can be looked through. */
  readonly listing?: EntryListing | undefined;

  /** Reads an entry and the states of the tokens together, as of one moment. */
  read(key: string, tokens: readonly Token[]): Promise<ReadReply>;

  /** Reads the states of the tokens alone, in the same order. */
  states(tokens: readonly Token[]): Promise<readonly TokenState[]>;

  /**
   * Registers shapes, then stamps every token that has no stamp and extends the life of those that have one.
   * Creating a table's registry restamps `t:{table}` (a registry that was lost must not silence a writer).
   * A shape that is new while its table has a live writer's mark is not registered, and then every token of that
   * table is reported as `'pending'`: the writer did not compute its tokens for that shape, so the reader may not store.
   * @returns the states of the tokens after pinning, in order
   */
  pin(request: PinRequest): Promise<readonly TokenState[]>;

  /**
   * Stores the entry if all tokens still carry the given stamps, whose life it extends beyond the entry's.
   * @returns false when a token was restamped, is pending or is gone; then nothing is stored
   */
  write(request: WriteRequest): Promise<boolean>;

  /**
   * Marks every token as pending for this writer, and every table in `registries` as being written.
   * @returns `undefined` when done; when a registry's version differs from the writer's, nothing is marked and
   * the current registries of all tables asked for are returned, so that the writer computes its tokens again
   * (a table without registry is reported with version `''` and no shapes)
   */
  pend(request: PendRequest): Promise<ReadonlyMap<string, ShapeRegistry> | undefined>;

  /** Removes this writer's marks. A token without further marks loses its stamp: the next reader pins a new one. */
  settle(request: SettleRequest): Promise<void>;

  /** Restamps at once: the tokens lose their stamps; marks of pending writers stay. */
  restamp(tokens: readonly Token[]): Promise<void>;

  /**
   * Replaces the soft part of the tokens' stamps: entries under them are no longer fresh, but may be served within
   * their grace. A token without stamp, or with marks, stays as it is.
   * @returns as `pend`: the current registries when a version differs, and then nothing is done
   */
  expire(request: ExpireRequest): Promise<ReadonlyMap<string, ShapeRegistry> | undefined>;

  /**
   * Takes the lease of an entry, or extends it if the owner has it already.
   * @param ttl milliseconds after which it runs out by itself
   * @returns 0 when it is the owner's; else the milliseconds for which it is somebody else's if nobody extends it
   */
  lease(request: LeaseRequest & { readonly ttl: number }): Promise<number>;

  /** Gives a lease back, and publishes its token where there is a bus. Nothing when it is not the owner's. */
  unlease(request: LeaseRequest): Promise<void>;

  /** The registries of these tables; version `''` and no shapes where there is none. */
  registries(tables: readonly string[]): Promise<ReadonlyMap<string, ShapeRegistry>>;

  /** @returns how many of the entries existed */
  delete(keys: readonly string[]): Promise<number>;

  /** Releases what the driver opened itself; a client that the application owns stays open. */
  close(): Promise<void>;
}
