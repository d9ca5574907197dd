import type { Clock } from './clock.js';
import type { TokenState } from '../drivers/cache-driver.interface.js';
import { costOf, endOf, hasGrace, isExpired, isFresh } from './entry.js';

/** What happens around the end of an entry. Durations in milliseconds. */
export interface Refill {
  /** For how long a result that has expired, or is past its `ttl`, may be served while one caller computes it anew. */
  readonly grace: number;
  /** For how long a caller waits for the new result before it takes the one in grace. */
  readonly softTimeout: number;
  /** Of all processes one loads, and the others wait for its entry. */
  readonly lock: boolean;
  /** The life of each entry is shortened at random by up to this share of it. */
  readonly jitter: number;
  /** Above 0: entries are computed anew before they end, the sooner the costlier they are (see `isDueEarly`). */
  readonly beta: number;
}

/** `early`: fresh, but to be computed anew already. `stale`: to be served in grace. `dead`: not to be served. */
export type Condition = 'fresh' | 'early' | 'stale' | 'dead';

/**
 * What a reader may do with an entry. What was invalidated is dead, whatever the reader's grace; so is what depends on
 * a token that has no stamp or is pending. Time decides only about what no change has made stale: an entry with grace
 * outlives its `ttl` in the backend, and there the clocks of the processes count.
 */
export function conditionOf(
  entry: Buffer,
  states: readonly TokenState[],
  refill: Refill | undefined,
  clock: Clock,
): Condition {
  if (!isFresh(entry, states)) {
    return refill && refill.grace > 0 && isExpired(entry, states)
      ? lateCondition(entry, refill, clock)
      : 'dead';
  }
  if (hasGrace(entry) && clock.now() >= endOf(entry)) return lateCondition(entry, refill, clock);
  if (refill === undefined || refill.beta === 0) return 'fresh';
  return isDueEarly(endOf(entry) - clock.now(), costOf(entry), refill.beta) ? 'early' : 'fresh';
}

const lateCondition = (entry: Buffer, refill: Refill | undefined, clock: Clock): Condition =>
  clock.now() < endOf(entry) + (refill?.grace ?? 0) ? 'stale' : 'dead';

/**
 * XFetch (Vattani, Chierichetti, Lowenstein: Optimal Probabilistic Cache Stampede Prevention, VLDB 2015): each reader
 * decides for itself, at random, so that of many readers about one does it ahead of the end by the time that it takes.
 */
function isDueEarly(left: number, cost: number, beta: number): boolean {
  return -cost * beta * Math.log(Math.random()) >= left;
}

/** Milliseconds until the end of an entry that is made now. */
export function lifeOf(ttl: number, refill: Refill | undefined): number {
  return refill && refill.jitter > 0 ? Math.max(1, ttl * (1 - refill.jitter * Math.random())) : ttl;
}
