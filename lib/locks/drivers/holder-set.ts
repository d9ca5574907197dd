import type { LeaseEnd, LockHolder, LockMode, LockRequest } from '../lock-driver.interface.js';

export interface Holder {
  readonly mode: LockMode;
  readonly fencingToken: number;
  readonly metadata: string;
  /** By the clock of whoever keeps the set. */
  readonly deadline: number;
  /** How long it lasts from its beginning, or its last renewal. */
  readonly ttl: number;
}

type Claim = Pick<LockRequest, 'mode' | 'limit'>;

/** Who holds one name, and who may join them. All hold it in the same mode. */
export class HolderSet {
  readonly holders = new Map<string, Holder>();

  /** Forgets the leases that have run out. */
  purge(now: number): void {
    for (const [owner, { deadline }] of this.holders) if (deadline <= now) this.holders.delete(owner);
  }

  /**
   * A lease that lasts for longer than it can is one of before the clock was set back: it ends `ttl` from now.
   * @param tolerance by how much less a clock may go back
   * @returns whether there was one
   */
  shorten(now: number, tolerance: number): boolean {
    const tooLong = [...this.holders].filter(([, { deadline, ttl }]) => deadline > now + ttl + tolerance);
    for (const [owner, { ttl }] of tooLong) this.prolong(owner, now, ttl);
    return tooLong.length > 0;
  }

  admits({ mode, limit }: Claim): boolean {
    const { size } = this.holders;
    if (size === 0) return true;
    if (mode === 'exclusive' || !this.isHeldAs(mode)) return false;
    return mode === 'shared' || size < limit;
  }

  /** The time by which the claim is no longer kept out by those who hold the name now. */
  endFor({ mode }: Claim): number {
    const ends = [...this.holders.values()].map(({ deadline }) => deadline);
    return mode === 'semaphore' && this.isHeldAs('semaphore') ? Math.min(...ends) : Math.max(...ends);
  }

  /** How the owner's lease has ended; `undefined` if it has not. */
  endOf(owner: string): LeaseEnd | undefined {
    if (this.holders.has(owner)) return undefined;
    return this.isHeldAs('exclusive') ? 'stolen' : 'expired';
  }

  /** Lets a lease last for `ttl` from now on. */
  prolong(owner: string, now: number, ttl: number): void {
    const holder = this.holders.get(owner);
    if (holder) this.holders.set(owner, { ...holder, deadline: now + ttl, ttl });
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

  private isHeldAs(mode: LockMode): boolean {
    return this.holders.values().next().value?.mode === mode;
  }
}
