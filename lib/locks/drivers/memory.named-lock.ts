import type { LockRequest, LockTurn } from '../lock-driver.interface.js';
import { HolderSet } from './holder-set.js';

/** Somebody in line. */
export interface Waiter {
  readonly request: LockRequest;
  /** Leaves the line with the grant. */
  grant(turn: LockTurn): void;
  /** Leaves the line because the driver closes. */
  reject(error: Error): void;
}

/** One name: who holds it, and who stands in line for it, in the order of arrival. */
export class NamedLock extends HolderSet {
  readonly line = new Set<Waiter>();
  /** Calls the alarm off that is set for the end of a lease, while somebody waits for it. */
  silence: (() => void) | undefined;

  get isIdle(): boolean {
    return this.holders.size === 0 && this.line.size === 0;
  }

  get first(): Waiter | undefined {
    return this.line.values().next().value;
  }
}
