import { CacheOpsError } from '../cacheops.errors.js';
import type { Scheduler } from '../core/clock.js';
import type { Timeout, Timeouts } from './timeouts.js';

/**
 * The result of `work`, if it comes within `ms`. What comes later is dropped, errors included.
 * @param failed makes the error to reject with: of that of `work`, or of a CacheOpsError `DRIVER` when it takes too long
 */
export const within = <T>(
  timeouts: Timeouts,
  ms: number,
  work: Promise<T>,
  failed: (error: unknown) => Error = (error) => error as Error,
): Promise<T> =>
  new Promise((resolve, reject) => {
    const fail = (error: unknown): void => reject(failed(error));
    const tooLate = (): void =>
      fail(new CacheOpsError('DRIVER', `the lock backend did not answer within ${Math.round(ms)} ms`));
    settle(work, timeouts.set(ms, tooLate), resolve, fail);
  });

/**
 * The result of `work`, if it comes before `ms` are over and `signal` aborts; `undefined` if it does not.
 * Of several that wait for the same work, whoever began first goes on first, with a signal or without.
 */
export const unlessOver = <T>(
  timeouts: Timeouts,
  ms: number,
  signal: AbortSignal | undefined,
  work: Promise<T>,
): Promise<T | undefined> =>
  new Promise((resolve, reject) => {
    const over = (): void => resolve(undefined);
    signal?.addEventListener('abort', over);
    settle(work, timeouts.set(ms, over), resolve, reject, () => signal?.removeEventListener('abort', over));
  });

function settle<T>(
  work: Promise<T>,
  timeout: Timeout,
  resolve: (value: T) => void,
  reject: (error: Error) => void,
  stop?: () => void,
): void {
  work.then(
    (result) => {
      timeout.cancel();
      stop?.();
      resolve(result);
    },
    (error: Error) => {
      timeout.cancel();
      stop?.();
      reject(error);
    },
  );
}

/** Resolves after `ms`, or as soon as `signal` aborts. */
export function pause(scheduler: Scheduler, ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      cancel();
      signal?.removeEventListener('abort', end);
      resolve();
    };
    const cancel = scheduler.schedule(ms, end);
    signal?.addEventListener('abort', end);
    if (signal?.aborted) end();
  });
}
