/**
 * - `exclusive`: one holder.
 * - `shared`: any number of holders, as long as all of them are `shared` (readers, beside an exclusive writer).
 * - `semaphore`: at most `limit` holders, as long as all of them are `semaphore`.
 */
export type LockMode = 'exclusive' | 'shared' | 'semaphore';

export interface LockCapabilities {
  /** Who is kept out: the tasks of this process, of this machine, or of all that use the backend. */
  readonly scope: 'process' | 'host' | 'shared';
  /** Grants carry a token that is greater than that of every earlier grant of the name. */
  readonly fencing: boolean;
  /** Who is served first: by chance, first come within this process, or first come among all. */
  readonly ordering: 'none' | 'process' | 'global';
  /**
   * Whether a waiter is told that it is its turn (`acquireInTurn`), is told that it may be free and then asks (`watch`),
   * or has to ask again and again.
   */
  readonly wakeUp: 'push' | 'notice' | 'poll';
  readonly modes: readonly LockMode[];
  /** In milliseconds: no lease can be shorter, and all are rounded up to a multiple of it. */
  readonly resolution: number;
  /** Leases run out by the clock of the backend; the clocks of the holders need not agree. */
  readonly serverTime: boolean;
}

/** Who holds what. */
export interface LockLease {
  /** One or more, without repetition, in ascending order. Each has 1 to 1024 characters; any character may occur. */
  readonly names: readonly string[];
  /** Stands for one acquisition, and proves it: 1 to 64 characters out of `A-Z a-z 0-9 _ -`, not to be guessed. */
  readonly owner: string;
}

export interface LockRequest extends LockLease {
  readonly mode: LockMode;
  /** How many may hold a name at once; counts for `semaphore` only. */
  readonly limit: number;
  /** Milliseconds that the lease lasts unless it is renewed; a whole number, at least the driver's `resolution`. */
  readonly ttl: number;
  /** Tells humans who holds the lock; at most 1024 characters. */
  readonly metadata: string;
}

/** What is to become of a lease that is held: from now on it lasts for `ttl` milliseconds. */
export interface LockRenewal extends LockLease {
  readonly ttl: number;
}

export interface LockGrant {
  readonly granted: true;
  /** One for all names; `undefined` if the driver has none (`capabilities.fencing`). A safe integer. */
  readonly fencingToken: number | undefined;
}

export interface LockBusy {
  readonly granted: false;
  /** Milliseconds after which the leases in the way will have run out, unless they are renewed; if it is known. */
  readonly retryAfter: number | undefined;
}

/** A grant whose moment only the driver knows. */
export interface LockTurn extends LockGrant {
  /**
   * Monotonic time of the driver's clock until which the lease surely lasts. It must not be counted from the arrival
   * of the news: they may have waited behind a blocked event loop for longer than the lease lasts.
   */
  readonly validUntil: number;
}

export interface LockPatience {
  /** Milliseconds, more than 0. */
  readonly wait: number;
  readonly signal?: AbortSignal | undefined;
}

/** `stolen`: an exclusive lease of another owner is on the name now. `expired`: it is not, but ours is over. */
export type LeaseEnd = 'expired' | 'stolen';
export type RenewOutcome = 'renewed' | LeaseEnd;
export type ReleaseOutcome = 'released' | LeaseEnd;

export interface LockHolder {
  readonly owner: string;
  readonly mode: LockMode;
  readonly fencingToken: number | undefined;
  /** Milliseconds until the lease runs out. */
  readonly remaining: number;
  readonly metadata: string;
}

export interface LockState {
  readonly holders: readonly LockHolder[];
  /** How many stand in line, as far as the driver knows them. */
  readonly waiting: number;
}

/** Somebody who waits to be told that a lock may be free. */
export interface LockWatch {
  /** Whether it will be told. While it is not, it has to ask again and again. */
  readonly isUp: boolean;
  close(): void;
}

/**
 * Where locks live. `lockDriverContract` (nestjs-cacheops/testing) is this description as tests.
 *
 * Every method may reject when the backend cannot be reached; then it is not known whether it did its work, and it can
 * be called again with the same owner: all of them are idempotent.
 */
export interface LockDriver {
  readonly capabilities: LockCapabilities;

  /**
   * One attempt, without waiting: all names or none. An owner that already holds them keeps its token, and its lease
   * starts anew. A name for which others stand in line is not free.
   */
  acquire(request: LockRequest): Promise<LockGrant | LockBusy>;

  /**
   * Only with `wakeUp: 'push'`: joins the line for the names and resolves when they are granted, or when `wait` is
   * over. An owner that already holds the names is granted them at once. Rejects with the reason of `signal` when that
   * aborts. Whoever leaves in one of these ways without a grant stands in no line any more and holds nothing; whoever
   * meets another error may call again with the same owner, and keeps its place.
   */
  acquireInTurn?(request: LockRequest, patience: LockPatience): Promise<LockTurn | LockBusy>;

  /**
   * Only with `wakeUp: 'notice'`: from when `isUp` is true, `heard` is called each time that a lease on one of the names
   * was released or shortened, by whomever; and each time that `isUp` has changed. It may be called for nothing. A lease
   * that runs out is not told.
   */
  watch?(names: readonly string[], heard: () => void): LockWatch;

  /**
   * Lets leases last for their `ttl` from now on, which may be shorter than before. Never brings back one that is over.
   * @returns the outcomes in the order of the leases; a lease is renewed only if it is still on all of its names
   */
  renew(leases: readonly LockRenewal[]): Promise<readonly RenewOutcome[]>;

  /**
   * Ends the lease on all of its names and lets the next in line have them. Does nothing to leases of other owners.
   * @returns `released` if it was still on all of them
   */
  release(lease: LockLease): Promise<ReleaseOutcome>;

  /** Who holds a name now; leases that have run out do not count. */
  inspect(name: string): Promise<LockState>;

  /** Lets go of connections and timers. Leases stay until they run out; whoever waits is rejected. */
  close(): Promise<void>;
}
