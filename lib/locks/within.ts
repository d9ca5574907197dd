import { CacheOpsError } from '../cacheops.errors.js';
import type { Scheduler } from '../core/clock.js';

/**
 * The result of `work`, if it comes within `ms`. What comes later is dropped, errors included.
 * @throws CacheOpsError `DRIVER` when it does not
 */
export function within<T>(scheduler: Scheduler, ms: number, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const late = (): void =>
      reject(new CacheOpsError('DRIVER', `the lock backend did not answer within ${Math.round(ms)} ms`));
    const cancel = scheduler.schedule(ms, late);
    work.then(resolve, reject).finally(cancel);
  });
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
