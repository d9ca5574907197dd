import { CacheOpsError } from '../cacheops.errors.js';
import type { Scheduler } from '../core/clock.js';
import type { Timeouts } from './timeouts.js';

/**
 * The result of `work`, if it comes within `ms`. What comes later is dropped, errors included.
 * @throws CacheOpsError `DRIVER` when it does not
 */
export const within = <T>(timeouts: Timeouts, ms: number, work: Promise<T>): Promise<T> =>
  unless<T, T>(work, (resolve, reject) =>
    timeouts.set(ms, () =>
      reject(new CacheOpsError('DRIVER', `the lock backend did not answer within ${Math.round(ms)} ms`)),
    ),
  );

/** The result of `work`, if it comes before `ms` are over and `signal` aborts; `undefined` if it does not. */
export const unlessOver = <T>(
  timeouts: Timeouts,
  ms: number,
  signal: AbortSignal | undefined,
  work: Promise<T>,
): Promise<T | undefined> =>
  unless<T, T | undefined>(work, (resolve) => {
    const over = (): void => resolve(undefined);
    const cancel = timeouts.set(ms, over);
    if (!signal) return cancel;
    signal.addEventListener('abort', over);
    return () => {
      cancel();
      signal.removeEventListener('abort', over);
    };
  });

/** @param watch begins to look for what may come before the result; returns how to stop */
const unless = <T, R>(
  work: Promise<T & R>,
  watch: (resolve: (value: R) => void, reject: (error: Error) => void) => () => void,
): Promise<R> =>
  new Promise((resolve, reject) => {
    const stop = watch(resolve, reject);
    work.then(
      (result) => {
        stop();
        resolve(result);
      },
      (error: Error) => {
        stop();
        reject(error);
      },
    );
  });

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
