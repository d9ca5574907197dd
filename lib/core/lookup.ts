import type { TokenState } from '../drivers/cache-driver.interface.js';
import type { NearForm } from '../drivers/near-entries.interface.js';
import type { Dependencies } from './dependencies.js';
import type { CacheSource } from './instrumentation.js';
import type { StampedTokens } from './read-trace.js';
import type { Condition, Refill } from './refill.js';

/** Turns a value into bytes and back; `decode` makes new objects each time. */
export interface Codec<T> {
  /** @returns `undefined` when the value may not be stored; throws when it cannot be */
  encode(value: T): Buffer | undefined;
  decode(payload: Buffer): T;
  /** The two halves of `decode`, for entries that stay in this process. Default: `decode` each time. */
  readonly near?: NearCodec<T>;
}

export interface NearCodec<T> {
  /** Once; what it returns is kept and never handed out. `undefined`: the payload is kept, and decoded each time. */
  open(payload: Buffer): NearForm | undefined;
  /** At each hit: makes new objects, or frozen ones. */
  make(form: NearForm): T;
  /**
   * What `make` would return, if it is the same for all callers, in a promise that is the same for all as well: to make
   * one costs as much as the rest of a hit.
   */
  answer?(form: NearForm): Promise<T> | undefined;
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
   * Asked while the caller is still there, for a load that goes on without it: what belongs to the caller (its
   * connection, its query builder) may be gone or changed by then. Default: `load` itself.
   */
  readonly detach?: (() => () => Promise<T>) | undefined;
  /**
   * The load cannot go on without its caller (it writes to the caller's response): who begins to compute an entry anew
   * waits for it, and those who come meanwhile are served the old one.
   */
  readonly attended?: boolean;
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
  /** Milliseconds; default: that of the cache. */
  readonly loadTimeout?: number | undefined;
  /** Default: an entry ends with its `ttl` and is filled by whoever misses it. */
  readonly refill?: Refill | undefined;
  /**
   * What the load reads becomes part of what the value depends on; needs `recorded`. `'exact'`: a value whose reads
   * cannot all be attributed is not stored. `'known'`: those that cannot be are left out.
   */
  readonly trace?: 'exact' | 'known' | undefined;
  /** Dependencies that only the value tells; needs `recorded`. */
  readonly late?: LateDependencies<T> | undefined;
  /** Told of a hit, before the value is handed out. */
  readonly onHit?: ((source: CacheSource) => void) | undefined;
}

/**
 * Dependencies that are known only when the value is. Their stamps cannot be pinned before the source is read, so
 * wider ones are: as long as those have not changed either, the narrow stamps are those of before the load.
 */
export interface LateDependencies<T> {
  /** Covers whatever `of` may return. */
  readonly within: Dependencies;
  of(value: T): Dependencies;
}

/** Whether the value depends on more than is known before it is loaded. */
export const isOpenEnded = ({ trace, late }: Pick<Lookup<never>, 'trace' | 'late'>): boolean =>
  trace !== undefined || late !== undefined;

/** A lookup that only reads. */
export type Peek<T> = Omit<Lookup<T>, 'load' | 'ttl'>;

/** What a load hands to those that joined it: bytes, so that each decodes its own objects; else the bare value. */
export interface Landed<T> {
  readonly value: T;
  readonly payload: Buffer | undefined;
  /** Made of what only the transaction of its caller may see. */
  readonly tainted?: boolean;
  /** What the value depends on; left out when that is not known whole. */
  readonly basis?: StampedTokens | undefined;
}

/** What one who joined a load may have of it; `undefined`: nothing, it has to load itself. */
export function ownCopy<T>(
  { value, payload, tainted }: Landed<T>,
  codec: Codec<T>,
): { value: T } | undefined {
  if (payload) return { value: codec.decode(payload) };
  // A value that cannot be stored cannot be copied either, and two callers must not share one mutable graph.
  return !tainted && isPrimitive(value) ? { value } : undefined;
}

const isPrimitive = (value: unknown): boolean =>
  value === null || (typeof value !== 'object' && typeof value !== 'function');

/** An entry that may be served, with the states of the tokens that it was read with. */
export interface Servable<T> {
  readonly value: T;
  readonly payload: Buffer;
  readonly condition: Exclude<Condition, 'dead'>;
  /** Under what it is stored; left out when it is served in spite of a change. */
  readonly basis: StampedTokens | undefined;
  readonly states: readonly TokenState[];
}

/** What a read finds; without an entry the states of the tokens, to store one under. */
export type Found<T> = Servable<T> | { readonly states: readonly TokenState[] };

export const isServable = <T>(found: Found<T> | undefined): found is Servable<T> =>
  found !== undefined && 'value' in found;

/** Reads what is stored now; `undefined`: the backend is not available. */
export type ReadEntry = <T>(lookup: Peek<T>) => Promise<Found<T> | undefined>;
