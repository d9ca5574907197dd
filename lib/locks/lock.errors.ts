import { CacheOpsError, describe } from '../cacheops.errors.js';
import type { LeaseEnd } from './lock-driver.interface.js';

const list = (names: readonly string[]): string => names.map(describe).join(', ');

/** The lock was not free within the time to wait for it. */
export class LockBusyError extends CacheOpsError {
  /**
   * @param names what was asked for, all or nothing
   * @param waited milliseconds
   * @param retryAfter milliseconds after which the leases in the way will have run out, unless they are renewed;
   * `undefined` if that is not known
   */
  constructor(
    readonly names: readonly string[],
    readonly waited: number,
    readonly retryAfter: number | undefined,
    hint?: string,
  ) {
    const text = `lock ${list(names)} was not free within ${Math.round(waited)} ms`;
    super('LOCK_BUSY', hint === undefined ? text : `${text}. ${hint}`);
  }
}

/**
 * - `expired`: the lease ran out before it could be renewed, because the process was stopped or the backend away.
 * - `stolen`: it ran out, and somebody else has the lock now.
 * - `released`: its holder has let go of it.
 */
export type LockLoss = LeaseEnd | 'released';

const HOW: Readonly<Record<LockLoss, string>> = {
  expired: 'was lost: its lease ran out',
  stolen: 'was lost: somebody else holds it now',
  released: 'is not held any more: it was released',
};

/** The lease was over before the work was. What happened since may have happened beside another holder. */
export class LockLostError extends CacheOpsError {
  constructor(
    readonly names: readonly string[],
    readonly reason: LockLoss,
    readonly fencingToken: number | undefined,
    options?: { cause?: unknown },
  ) {
    super('LOCK_LOST', `lock ${list(names)} ${HOW[reason]}`, options);
  }
}
