/*
 * How long things live in a backend, from the life of the entries that use them. A stamp or a registry that goes
 * too early costs misses, never freshness (law 2), so these are margins, not guarantees.
 */

/** Life in milliseconds of a stamp that is pinned by an entry of life `ttl`: longer, so that a hit finds it. */
export const stampLife = (ttl: number): number => Math.ceil(ttl * 1.1) + 10_000;

/** A stamp with less life left than this is extended; the gap to `stampLife` saves a write on most pins. */
export const stampLifeAtLeast = (ttl: number): number => Math.ceil(ttl * 1.05) + 5_000;

/** Life in milliseconds of a registry of shapes whose entries live for `ttl`. */
export const registryLife = (ttl: number): number => Math.ceil(ttl * 2) + 60_000;
