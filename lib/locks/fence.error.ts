import { CacheOpsError, describe } from '../cacheops.errors.js';

/** The lock is over: somebody who got it later has written already. */
export class FenceError extends CacheOpsError {
  constructor(
    /** Name of the lock. */
    readonly lock: string,
    /** Of the holder that was refused. */
    readonly fencingToken: number,
  ) {
    super(
      'FENCED',
      `somebody who got the lock ${describe(lock)} after this holder (fencing token ${fencingToken}) has written already`,
    );
  }
}
