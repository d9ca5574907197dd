import type { LockHolder, LockLease, LockMode, LockRequest, LockTurn } from '../lock-driver.interface.js';

/** Somebody in line. */
export interface Waiter {
  readonly request: LockRequest;
  /** Leaves the line with the grant. */
  grant(turn: LockTurn): void;
  /** Leaves the line because the driver closes. */
  reject(error: Error): void;
}

interface Holder {
  readonly mode: LockMode;
  readonly fencingToken: number;
  readonly metadata: string;
  readonly deadline: number;
}

/** One name: who holds it, and who stands in line for it, in the order of arrival. */
export class NamedLock {
  readonly holders = new Map<string, Holder>();
  readonly line = new Set<Waiter>();
  /** Calls the alarm off that is set for the end of a lease, while somebody waits for it. */
  silence: (() => void) | undefined;

  get isIdle(): boolean {
    return this.holders.size === 0 && this.line.size === 0;
  }

  get first(): Waiter | undefined {
    return this.line.values().next().value;
  }

  /** Forgets the leases that have run out. */
  purge(now: number): void {
    for (const [owner, { deadline }] of this.holders) if (deadline <= now) this.holders.delete(owner);
  }

  admits({ mode, limit }: LockRequest): boolean {
    const { size } = this.holders;
    if (size === 0) return true;
    if (mode === 'exclusive' || !this.isHeldAs(mode)) return false;
    return mode === 'shared' || size < limit;
  }

  /** Monotonic time by which the request is no longer kept out by those who hold the name now. */
  endFor({ mode }: LockRequest): number {
    const ends = [...this.holders.values()].map(({ deadline }) => deadline);
    return mode === 'semaphore' && this.isHeldAs('semaphore') ? Math.min(...ends) : Math.max(...ends);
  }

  isStolenFrom({ owner }: LockLease): boolean {
    return !this.holders.has(owner) && this.isHeldAs('exclusive');
  }

  describe(now: number): LockHolder[] {
    return [...this.holders].map(([owner, { mode, fencingToken, metadata, deadline }]) => ({
      owner,
      mode,
      fencingToken,
      metadata,
      remaining: deadline - now,
    }));
  }

  /** All holders of a name hold it in the same mode. */
  private isHeldAs(mode: LockMode): boolean {
    return this.holders.values().next().value?.mode === mode;
  }
}
