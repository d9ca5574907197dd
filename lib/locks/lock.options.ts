import { CacheOpsConfigError } from '../cacheops.errors.js';
import {
  type Duration,
  parseBoolean,
  parseChoice,
  parseDuration,
  parseRecord,
  parseTimeout,
} from '../options/parse.js';
import type { LockCapabilities, LockMode, LockRequest } from './lock-driver.interface.js';

/** One name, or several that are taken all or none. */
export type LockNames = string | readonly string[];

/** How a lock is acquired and held. */
export interface LockOptions {
  /**
   * How long the lock outlives a holder that dies. A living holder's lease is renewed every third of it, so the section
   * may take longer. Default: the option `locks.ttl`.
   */
  readonly ttl?: Duration | undefined;
  /** How long to wait for the lock; `0`: one attempt. Default: the option `locks.wait`; of `tryAcquire`, `0`. */
  readonly wait?: Duration | undefined;
  /** Ends the waiting: the call rejects with its reason. */
  readonly signal?: AbortSignal | undefined;
  /** `false`: the lease is not renewed, and is lost after `ttl`. Default `true`. */
  readonly extend?: boolean | undefined;
  /** `'shared'`: beside others that are shared, but beside no exclusive holder. Default `'exclusive'`. */
  readonly mode?: 'exclusive' | 'shared' | undefined;
  /** A semaphore: as many as this may hold the name at once. Default: none. */
  readonly limit?: number | undefined;
  /** Inside `using` or a decorated method that holds the same names, share its lock. Default `false`. */
  readonly reentrant?: boolean | undefined;
  /** After a release the lock stays taken until it was held for this long. Default: none. */
  readonly atLeastFor?: Duration | undefined;
  /**
   * A release inside a transaction takes effect when that has ended, so that the next holder sees what was written.
   * `true`: the transaction around the call. An `EntityManager` or `QueryRunner`: that one's. Default `false`.
   */
  readonly releaseAfterCommit?: boolean | object | undefined;
  /** Tells humans what the lock is held for (`whoHolds`); at most 100 characters. Default: none. */
  readonly label?: string | undefined;
}

/** What holds where a call says nothing else; the option `locks`. In milliseconds. */
export interface LockDefaults {
  readonly ttl: number;
  readonly wait: number;
}

/** A call's options: complete, in milliseconds. */
export interface ResolvedLockOptions {
  readonly ttl: number;
  readonly wait: number;
  readonly signal: AbortSignal | undefined;
  readonly extend: boolean;
  readonly mode: LockMode;
  readonly limit: number;
  readonly reentrant: boolean;
  readonly atLeastFor: number;
  readonly releaseAfterCommit: boolean | object;
  readonly label: string;
}

const OPTION_NAMES = [
  'ttl',
  'wait',
  'signal',
  'extend',
  'mode',
  'limit',
  'reentrant',
  'atLeastFor',
  'releaseAfterCommit',
  'label',
] as const satisfies readonly (keyof LockOptions)[];

const LONGEST_NAME = 1024;
const LONGEST_LABEL = 100;

/** @throws CacheOpsConfigError that names the option, what was expected and what was given */
export function resolveLockOptions(options: LockOptions, defaults: LockDefaults): ResolvedLockOptions {
  const given = parseRecord('lock', options, OPTION_NAMES);
  return {
    ttl: given.ttl === undefined ? defaults.ttl : parseTimeout('lock.ttl', given.ttl),
    wait: given.wait === undefined ? defaults.wait : parseWait('lock.wait', given.wait),
    signal: given.signal === undefined ? undefined : parseSignal(given.signal),
    extend: parseBoolean('lock.extend', given.extend ?? true),
    ...parseMode(given.mode, given.limit),
    reentrant: parseBoolean('lock.reentrant', given.reentrant ?? false),
    atLeastFor: given.atLeastFor === undefined ? 0 : parseDuration('lock.atLeastFor', given.atLeastFor),
    releaseAfterCommit: parseTransaction(given.releaseAfterCommit ?? false),
    label: parseLabel(given.label ?? ''),
  };
}

/**
 * The names in ascending order, each once.
 * @throws CacheOpsConfigError when there is none, or one that is empty or too long
 */
export function parseLockNames(value: unknown): readonly string[] {
  if (isName(value)) return [value];
  const names: readonly unknown[] = Array.isArray(value) ? value : [];
  if (names.length > 0 && names.every(isName)) return [...new Set(names)].sort();
  const expected = `a text of 1 to ${LONGEST_NAME} characters, or a list of such`;
  throw new CacheOpsConfigError('lock.name', expected, value);
}

const isName = (value: unknown): value is string =>
  typeof value === 'string' && value !== '' && value.length <= LONGEST_NAME;

/** A duration that may be 0. */
export const parseWait = (option: string, value: unknown): number =>
  value === 0 ? 0 : parseTimeout(option, value);

/** @throws CacheOpsConfigError when a request asks for more than the driver can do */
export function checkCapabilities({ ttl, mode }: LockRequest, { modes, resolution }: LockCapabilities): void {
  if (ttl < resolution) {
    throw new CacheOpsConfigError('lock.ttl', `at least ${resolution} ms, which this driver can tell`, ttl);
  }
  if (!modes.includes(mode)) {
    throw new CacheOpsConfigError(
      'lock.mode',
      `${modes.join(' or ')}, which is what this driver can do`,
      mode,
    );
  }
}

function parseMode(mode: unknown, limit: unknown): { mode: LockMode; limit: number } {
  if (limit === undefined) {
    return { mode: parseChoice('lock.mode', mode ?? 'exclusive', ['exclusive', 'shared']), limit: 1 };
  }
  if (mode !== undefined) throw new CacheOpsConfigError('lock.mode', 'no mode beside limit', mode);
  if (Number.isSafeInteger(limit) && (limit as number) >= 1)
    return { mode: 'semaphore', limit: limit as number };
  throw new CacheOpsConfigError('lock.limit', 'a whole number of at least 1', limit);
}

function parseSignal(value: unknown): AbortSignal {
  if (value instanceof AbortSignal) return value;
  throw new CacheOpsConfigError('lock.signal', 'an AbortSignal', value);
}

function parseTransaction(value: unknown): boolean | object {
  if (typeof value === 'boolean' || (typeof value === 'object' && value !== null)) return value;
  throw new CacheOpsConfigError(
    'lock.releaseAfterCommit',
    'true, false, an EntityManager or a QueryRunner',
    value,
  );
}

function parseLabel(value: unknown): string {
  if (typeof value === 'string' && value.length <= LONGEST_LABEL) return value;
  throw new CacheOpsConfigError('lock.label', `a text of at most ${LONGEST_LABEL} characters`, value);
}
