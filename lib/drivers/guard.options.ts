import { CacheOpsConfigError } from '../cacheops.errors.js';
import { type Clock, systemClock } from '../core/clock.js';

export type GuardState = 'up' | 'down';

export interface GuardOptions {
  /** Milliseconds for what a reader waits for (`read`, `pin`); 250 by default. */
  readonly readTimeout?: number;
  /** Milliseconds for `write` and `delete`; 1,000 by default. */
  readonly writeTimeout?: number;
  /** Milliseconds for each of the two attempts at an invalidation, and for `registries`; 1,000 by default. */
  readonly invalidationTimeout?: number;
  readonly breaker?: {
    /** Failures in a row that stop the traffic; 5 by default. */
    readonly failures?: number;
    /** Milliseconds between attempts to come back; 1,000 by default. */
    readonly cooldown?: number;
  };
  readonly clock?: Clock;
  /** Told once when the backend goes down, with the reason, and once when it is back. Must not throw. */
  readonly onStateChange?: (state: GuardState, error?: unknown) => void;
}

/** `GuardOptions`, checked and complete. */
export interface GuardSettings {
  readonly clock: Clock;
  readonly timeouts: Readonly<Record<'read' | 'write' | 'invalidation', number>>;
  readonly failures: number;
  readonly cooldown: number;
  readonly onStateChange: NonNullable<GuardOptions['onStateChange']>;
}

/** @throws CacheOpsConfigError when a number is not positive */
export function resolveGuard(options: GuardOptions): GuardSettings {
  return {
    clock: options.clock ?? systemClock,
    timeouts: {
      read: positive('readTimeout', options.readTimeout ?? 250),
      write: positive('writeTimeout', options.writeTimeout ?? 1_000),
      invalidation: positive('invalidationTimeout', options.invalidationTimeout ?? 1_000),
    },
    failures: positive('breaker.failures', options.breaker?.failures ?? 5),
    cooldown: positive('breaker.cooldown', options.breaker?.cooldown ?? 1_000),
    onStateChange: options.onStateChange ?? (() => undefined),
  };
}

function positive(option: string, value: number): number {
  if (!(value > 0)) throw new CacheOpsConfigError(option, 'a positive number', value);
  return value;
}
