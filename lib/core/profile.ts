import type { Refill } from './refill.js';

/** Kinds of reads that can be cached without asking. `get`: one entity, `fetch`: many, `aggregate`: raw results. */
export const CACHE_OPS = ['get', 'fetch', 'count', 'aggregate', 'exists'] as const;
export type CacheOp = (typeof CACHE_OPS)[number];

/** How the reads of an entity are cached. `ops` are cached automatically, others by hand only. */
export interface Profile {
  readonly ops: ReadonlySet<CacheOp>;
  /** Milliseconds. */
  readonly ttl: number;
  readonly refill?: Refill | undefined;
}

/** One line of the `entities` option. `false` forbids caching, even by hand. */
export interface ProfileRule {
  /** Entity name, glob over entity names, or class. */
  readonly entity: string | (abstract new (...args: never[]) => unknown) | ((...args: never[]) => unknown);
  readonly profile: Profile | false;
}
