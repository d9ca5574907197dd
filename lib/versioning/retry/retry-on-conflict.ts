import { setTimeout as sleep } from 'node:timers/promises';
import { CacheOpsConfigError, CacheOpsError } from '../../cacheops.errors.js';
import { type Duration, parseRecord, parseTimeout } from '../../options/parse.js';
import { type Backoff, pauseAfter } from './backoff.js';
import { wrapMethod } from '../wrapped-method.js';
import { isTransactionOpen } from './open-transactions.js';
import { isRetryable } from './retryable.js';

/** How work is repeated that lost against somebody else. */
export interface RetryOptions {
  /** Tries in all, the first one included. Default 5. */
  readonly attempts?: number | undefined;
  /** Upper limit of the first pause; doubles with each try. Default `'20ms'`. */
  readonly delay?: Duration | undefined;
  /** Upper limit of every pause. Default `'1s'`. */
  readonly maxDelay?: Duration | undefined;
  /** Other errors after which the work is worth repeating. */
  readonly retryIf?: ((error: unknown) => boolean) | undefined;
  /** Is told before each pause, which is given in milliseconds. */
  readonly onRetry?: ((failure: { error: unknown; attempt: number; pause: number }) => void) | undefined;
  /** Ends the pauses: the error of the last try is thrown. */
  readonly signal?: AbortSignal | undefined;
  /** Chance and time; replaced in tests. */
  readonly pacing?: RetryPacing | undefined;
}

/** Where pauses come from. */
export interface RetryPacing {
  /** At least 0 and below 1. */
  random(): number;
  /** Rejects when the signal is aborted. */
  sleep(milliseconds: number, signal: AbortSignal | undefined): Promise<void>;
}

/** The default of every option that has one. */
export const RETRY_DEFAULTS = { attempts: 5, delay: '20ms', maxDelay: '1s' } as const satisfies RetryOptions;

const SYSTEM_PACING: RetryPacing = {
  random: Math.random,
  sleep: (milliseconds, signal) => sleep(milliseconds, undefined, signal ? { signal } : {}),
};

interface ResolvedRetry extends Backoff {
  readonly attempts: number;
  readonly isWorth: (error: unknown) => boolean;
  readonly onRetry: NonNullable<RetryOptions['onRetry']>;
  readonly signal: AbortSignal | undefined;
  readonly pacing: RetryPacing;
}

/**
 * Runs `fn` until it succeeds: again when a version did not match (`RecordModifiedError`), and when the database ended
 * a transaction in favour of another (serialization failure, deadlock, lock wait timeout). `fn` has to do all of it
 * again: begin a transaction of its own, read, decide, write.
 *
 * @param fn is given the number of the try, from 1
 * @returns what `fn` returns
 * @throws the error of the last try
 * @throws CacheOpsError `RETRY_IN_TRANSACTION` when the transaction in which the conflict came up is still open: what
 * it has read would only be read again. Its `cause` is the conflict
 * @throws CacheOpsConfigError when an option is unknown or malformed
 */
export function retryOnConflict<T>(
  fn: (attempt: number) => T | Promise<T>,
  options: RetryOptions = {},
): Promise<T> {
  return run(fn, resolveRetry(options));
}

/** Method decorator: the method runs inside `retryOnConflict`. Give it to the method that opens the transaction. */
export function RetryOnConflict(options: RetryOptions = {}): MethodDecorator {
  const resolved = resolveRetry(options);
  return (_target, _key, descriptor: PropertyDescriptor) => {
    wrapMethod(descriptor, (method) => run(method, resolved));
  };
}

async function run<T>(fn: (attempt: number) => T | Promise<T>, options: ResolvedRetry): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await fn(attempt);
    } catch (error) {
      if (!options.isWorth(error)) throw error;
      if (isTransactionOpen(error)) throw insideTransaction(error);
      if (attempt >= options.attempts || !(await pause(error, attempt, options))) throw error;
    }
  }
}

/** @returns whether to go on */
async function pause(error: unknown, attempt: number, options: ResolvedRetry): Promise<boolean> {
  const { pacing, signal } = options;
  if (signal?.aborted) return false;
  const milliseconds = pauseAfter(attempt, options, pacing.random());
  options.onRetry({ error, attempt, pause: milliseconds });
  try {
    await pacing.sleep(milliseconds, signal);
    return true;
  } catch (failure) {
    if (signal?.aborted) return false;
    throw failure;
  }
}

const insideTransaction = (cause: unknown): CacheOpsError =>
  new CacheOpsError(
    'RETRY_IN_TRANSACTION',
    'The conflict came up in a transaction that is still open, so trying again would read the same once more. ' +
      'Let retryOnConflict stand around the transaction, not inside it',
    { cause },
  );

const NAMES = ['attempts', 'delay', 'maxDelay', 'retryIf', 'onRetry', 'signal', 'pacing'] as const;

function resolveRetry(options: RetryOptions): ResolvedRetry {
  parseRecord('retryOnConflict', options, NAMES);
  const { attempts = RETRY_DEFAULTS.attempts, retryIf, onRetry = () => undefined, signal, pacing } = options;
  if (!Number.isInteger(attempts) || attempts < 1)
    throw new CacheOpsConfigError('retryOnConflict.attempts', 'a whole number of at least 1', attempts);
  const delay = parseTimeout('retryOnConflict.delay', options.delay ?? RETRY_DEFAULTS.delay);
  const maxDelay = parseTimeout('retryOnConflict.maxDelay', options.maxDelay ?? RETRY_DEFAULTS.maxDelay);
  const isWorth = (error: unknown): boolean => isRetryable(error) || retryIf?.(error) === true;
  return { attempts, delay, maxDelay, isWorth, onRetry, signal, pacing: pacing ?? SYSTEM_PACING };
}
