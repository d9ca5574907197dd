import { CacheOpsConfigError } from '../cacheops.errors.js';
import { type Duration, parseRecord, parseTimeout } from '../options/parse.js';
import type { LockDriver } from './lock-driver.interface.js';
import { parseWait } from './lock.options.js';

/** The option `locks`: what holds where a call says nothing else. */
export interface LocksOptions {
  /**
   * Where locks live: `'redis'` (the server of the option `redis`), `'memory'` of this process, a driver, or a function
   * that makes one when the first lock is asked for. Default: `'redis'` beside the option `redis`, else `'memory'`.
   */
  readonly driver?: 'redis' | 'memory' | LockDriver | (() => LockDriver | Promise<LockDriver>) | undefined;
  /** How long a lock outlives a holder that dies. Default `'10s'`. */
  readonly ttl?: Duration | undefined;
  /** How long `acquire` waits for a lock; `0`: it makes one attempt. Default `'5s'`. */
  readonly wait?: Duration | undefined;
  /** For one call of the driver. Default `'1s'`. */
  readonly timeout?: Duration | undefined;
}

/** The option `locks`, complete, in milliseconds. */
export interface ResolvedLocksOptions {
  readonly driver: 'redis' | 'memory' | (() => LockDriver | Promise<LockDriver>);
  readonly ttl: number;
  readonly wait: number;
  readonly timeout: number;
}

export const LOCKS_DEFAULTS = { ttl: '10s', wait: '5s', timeout: '1s' } as const;

/**
 * @param hasRedis whether the option `redis` is there
 * @throws CacheOpsConfigError
 */
export function parseLocks(value: unknown, hasRedis: boolean): ResolvedLocksOptions {
  const given = { ...LOCKS_DEFAULTS, ...parseRecord('locks', value, ['driver', 'ttl', 'wait', 'timeout']) };
  return Object.freeze({
    driver: parseDriver((given as LocksOptions).driver, hasRedis),
    ttl: parseTimeout('locks.ttl', given.ttl),
    wait: parseWait('locks.wait', given.wait),
    timeout: parseTimeout('locks.timeout', given.timeout),
  });
}

function parseDriver(driver: unknown, hasRedis: boolean): ResolvedLocksOptions['driver'] {
  if (driver === undefined) return hasRedis ? 'redis' : 'memory';
  if (driver === 'memory' || (driver === 'redis' && hasRedis)) return driver;
  if (driver === 'redis') {
    throw new CacheOpsConfigError('locks.driver', 'another driver where the option redis is absent', driver);
  }
  if (typeof driver === 'function') return driver as () => LockDriver;
  if (isDriver(driver)) return () => driver;
  throw new CacheOpsConfigError(
    'locks.driver',
    '"redis", "memory", a LockDriver, or a function that makes one',
    driver,
  );
}

function isDriver(value: unknown): value is LockDriver {
  const driver = value as Partial<LockDriver> | null;
  const methods = ['acquire', 'renew', 'release', 'inspect', 'close'] as const;
  return typeof driver === 'object' && methods.every((method) => typeof driver?.[method] === 'function');
}
