import { CacheOpsConfigError } from '../cacheops.errors.js';
import type { Refill } from '../core/refill.js';
import { type Duration, parseBoolean, parseDuration, parseTimeout } from './parse.js';

/** What happens around the end of a stored result. */
export interface RefillOptions {
  /**
   * For how long a result that has expired, or is past its `ttl`, may still be served while one caller computes it
   * anew. What was invalidated is never served. Default: not at all.
   */
  readonly grace?: Duration | undefined;
  /** With `grace`: how long a caller waits for the new result before it takes the old one. Default: not at all. */
  readonly softTimeout?: Duration | undefined;
  /** `true`: of all processes one computes a missing result, and the others wait for it. Default `false`. */
  readonly lock?: boolean | undefined;
  /** The life of each result is shortened at random by up to this share of it, 0 to 1. Default 0. */
  readonly jitter?: number | undefined;
  /**
   * Results are computed anew ahead of their end, at random, the sooner the longer that takes (XFetch): 1 is the usual
   * choice, more is earlier. Default 0: never.
   */
  readonly beta?: number | undefined;
}

export const REFILL_OPTIONS = [
  'grace',
  'softTimeout',
  'lock',
  'jitter',
  'beta',
] as const satisfies readonly (keyof RefillOptions)[];

/**
 * @param path what stands before the names of the options in messages: `''`, or `'entities.User.'`
 * @returns `undefined` when none of the options is given
 * @throws CacheOpsConfigError
 */
export function parseRefill(
  path: string,
  given: { readonly [K in keyof RefillOptions]?: unknown },
): Refill | undefined {
  const { grace, softTimeout, lock, jitter, beta } = given;
  const isGiven = (each: unknown): boolean => each !== undefined;
  if (![grace, softTimeout, lock, jitter, beta].some(isGiven)) return undefined;
  if (softTimeout !== undefined && grace === undefined) {
    throw new CacheOpsConfigError(`${path}softTimeout`, 'a grace beside it', softTimeout);
  }
  return Object.freeze({
    grace: grace === undefined ? 0 : parseDuration(`${path}grace`, grace),
    softTimeout: softTimeout === undefined ? 0 : parseTimeout(`${path}softTimeout`, softTimeout),
    lock: lock === undefined ? false : parseBoolean(`${path}lock`, lock),
    jitter: jitter === undefined ? 0 : parseNumber(`${path}jitter`, jitter, 'a number from 0 to 1', 1),
    beta: beta === undefined ? 0 : parseNumber(`${path}beta`, beta, 'a number of at least 0', Infinity),
  });
}

function parseNumber(option: string, value: unknown, expected: string, most: number): number {
  if (typeof value === 'number' && value >= 0 && value <= most && Number.isFinite(value)) return value;
  throw new CacheOpsConfigError(option, expected, value);
}
