import type { Dependency } from '../core/entity-dependency.js';
import type { Lookup } from '../core/lookup.js';
import {
  type Duration,
  parseBoolean,
  parseDuration,
  parseRecord,
  parseTimeout,
  ROOT,
} from '../options/parse.js';
import { parseRefill, REFILL_OPTIONS, type RefillOptions } from '../options/refill.js';
import type { Policy } from './values.js';

/** How a value is kept. */
export interface ValueOptions extends RefillOptions {
  /** Default: the option `ttl`. */
  readonly ttl?: Duration | undefined;
  /** After which the factory is abandoned with `LOAD_TIMEOUT`. Default: the option `timeouts.load`. */
  readonly timeout?: Duration | undefined;
  /** What the value was made from: when one of them changes, the value is gone. */
  readonly deps?: readonly Dependency[] | undefined;
  /** Names by which `invalidate` reaches the value. */
  readonly tags?: readonly string[] | undefined;
  /**
   * The queries that the factory runs, and the cached values that it reads, are dependencies as well. If there are no
   * others, or with `'exact'`, a value whose queries cannot all be attributed to tables is not stored. Default `false`.
   */
  readonly track?: boolean | 'exact' | undefined;
  /**
   * `true`: all callers may be given one and the same value, deeply frozen, which makes a hit in the near cache as
   * cheap as it can be. A value that holds something that cannot be frozen (a date, bytes, a map) is copied all the
   * same. Default `false`: each caller has objects of its own.
   */
  readonly frozen?: boolean | undefined;
}

const VALUE_OPTIONS = [
  'ttl',
  'timeout',
  'deps',
  'tags',
  'track',
  'frozen',
  ...REFILL_OPTIONS,
] as const satisfies readonly (keyof ValueOptions)[];

/**
 * @param fallback milliseconds
 * @throws CacheOpsConfigError when an option is unknown or malformed
 */
export function policyOf(options: ValueOptions, fallback: number): Policy {
  const { ttl, timeout, frozen, ...refill } = parseRecord(ROOT, options, VALUE_OPTIONS);
  return {
    frozen: frozen === undefined ? false : parseBoolean('frozen', frozen),
    ttl: ttl === undefined ? fallback : parseDuration('ttl', ttl),
    loadTimeout: timeout === undefined ? undefined : parseTimeout('timeout', timeout),
    refill: parseRefill('', refill),
  };
}

/** Somebody who names dependencies answers for what cannot be found out. */
export function traceOf({ track = false, deps = [], tags = [] }: ValueOptions): Lookup<never>['trace'] {
  if (track === 'exact') return track;
  if (!parseBoolean('track', track)) return undefined;
  return deps.length > 0 || tags.length > 0 ? 'known' : 'exact';
}
