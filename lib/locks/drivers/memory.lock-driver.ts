import { CacheOpsError } from '../../cacheops.errors.js';
import { type Clock, type Scheduler, systemClock, systemScheduler } from '../../core/clock.js';
import type {
  LeaseEnd,
  LockBusy,
  LockDriver,
  LockGrant,
  LockLease,
  LockPatience,
  LockRenewal,
  LockRequest,
  LockState,
  LockTurn,
  ReleaseOutcome,
  RenewOutcome,
} from '../lock-driver.interface.js';
import { NamedLock, type Waiter } from './memory.named-lock.js';

export interface MemoryLockDriverOptions {
  readonly clock?: Clock;
  readonly scheduler?: Scheduler;
}

const FIRST_SWEEP = 1_000;

/**
 * Locks among the tasks of one process, first come first served.
 *
 * A waiter stands in the line of each of its names, and gets them when it is the first in all of them and all are free.
 * It joins all lines at once, so the one that has waited longest is never behind anybody: there is no deadlock.
 */
export class MemoryLockDriver implements LockDriver {
  readonly capabilities = {
    scope: 'process',
    fencing: true,
    ordering: 'global',
    wakeUp: 'push',
    modes: ['exclusive', 'shared', 'semaphore'],
    resolution: 1,
    serverTime: true,
  } as const;
  readonly #clock: Clock;
  readonly #scheduler: Scheduler;
  readonly #locks = new Map<string, NamedLock>();
  #lastToken = 0;
  #sweepAt = FIRST_SWEEP;

  constructor({ clock = systemClock, scheduler = systemScheduler }: MemoryLockDriverOptions = {}) {
    this.#clock = clock;
    this.#scheduler = scheduler;
  }

  async acquire(request: LockRequest): Promise<LockGrant | LockBusy> {
    const now = this.#clock.monotonic();
    const turn = this.#take(request, now);
    return turn ? { granted: true, fencingToken: turn.fencingToken } : this.#busy(request, now);
  }

  async acquireInTurn(request: LockRequest, { wait, signal }: LockPatience): Promise<LockTurn | LockBusy> {
    signal?.throwIfAborted();
    const turn = this.#take(request, this.#clock.monotonic());
    if (turn !== undefined) return turn;
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        cancel();
        signal?.removeEventListener('abort', abort);
        for (const name of request.names) this.#lock(name).line.delete(waiter);
      };
      const giveUp = (settle: () => void): void => {
        leave();
        this.#serve(request.names);
        settle();
      };
      const abort = (): void => giveUp(() => reject(signal?.reason as Error));
      const waiter: Waiter = {
        request,
        grant: (granted) => (leave(), resolve(granted)),
        reject: (error) => (leave(), reject(error)),
      };
      const cancel = this.#scheduler.schedule(wait, () =>
        giveUp(() => resolve(this.#busy(request, this.#clock.monotonic()))),
      );
      signal?.addEventListener('abort', abort);
      for (const name of request.names) this.#lock(name).line.add(waiter);
      this.#serve(request.names);
    });
  }

  async renew(leases: readonly LockRenewal[]): Promise<readonly RenewOutcome[]> {
    return leases.map((lease) => this.#renewOne(lease));
  }

  async release(lease: LockLease): Promise<ReleaseOutcome> {
    const locks = this.#inUse(lease);
    const outcome = this.#isHeld(lease) ? 'released' : endOf(lease, locks);
    for (const lock of locks) lock.holders.delete(lease.owner);
    this.#serve(lease.names);
    return outcome;
  }

  async inspect(name: string): Promise<LockState> {
    const [lock] = this.#inUse({ names: [name] });
    return { holders: lock?.describe(this.#clock.monotonic()) ?? [], waiting: lock?.line.size ?? 0 };
  }

  async close(): Promise<void> {
    for (const lock of [...this.#locks.values()]) {
      lock.silence?.();
      for (const waiter of lock.line)
        waiter.reject(new CacheOpsError('DRIVER', 'the lock driver was closed'));
    }
  }

  /** Takes all names if nobody is in the way, or the owner has them already. */
  #take(request: LockRequest, now: number): LockTurn | undefined {
    const locks = this.#inUse(request);
    const mayEnter = (lock: NamedLock): boolean => lock.admits(request) && lock.line.size === 0;
    return this.#isHeld(request) || locks.every(mayEnter) ? this.#grant(request, now) : undefined;
  }

  #busy(request: LockRequest, now: number): LockBusy {
    const locks = this.#inUse(request).filter((lock) => !lock.admits(request));
    const ends = locks.map((lock) => lock.endFor(request) - now);
    return { granted: false, retryAfter: ends.length > 0 ? Math.max(...ends) : undefined };
  }

  #grant({ names, owner, mode, ttl, metadata }: LockRequest, now: number): LockTurn {
    if (this.#locks.size >= this.#sweepAt) this.#sweep(now);
    const fencingToken =
      this.#locks.get(names[0] as string)?.holders.get(owner)?.fencingToken ?? this.#nextToken();
    const deadline = now + ttl;
    const holder = { mode, fencingToken, metadata, deadline, ttl };
    for (const name of names) this.#lock(name).holders.set(owner, holder);
    return { granted: true, fencingToken, validUntil: deadline };
  }

  #renewOne(lease: LockRenewal): RenewOutcome {
    const locks = this.#inUse(lease);
    if (!this.#isHeld(lease)) return endOf(lease, locks);
    const now = this.#clock.monotonic();
    for (const lock of locks) lock.prolong(lease.owner, now, lease.ttl);
    this.#serve(lease.names);
    return 'renewed';
  }

  /** Lets in who is first in line, as long as there is somebody whose turn it is; then waits for the leases in the way. */
  #serve(names: readonly string[]): void {
    const now = this.#clock.monotonic();
    const changed = new Set(names);
    for (const name of changed) {
      const lock = this.#lock(name);
      lock.purge(now);
      for (let first = lock.first; first && this.#isTurnOf(first, now); first = lock.first) {
        first.grant(this.#grant(first.request, now));
        // Whoever stood behind it in another line may be the first there now.
        for (const other of first.request.names) {
          if (other === name) continue;
          changed.delete(other);
          changed.add(other);
        }
      }
    }
    for (const name of changed) this.#setAlarm(name, now);
  }

  #isTurnOf(waiter: Waiter, now: number): boolean {
    return waiter.request.names.every((name) => {
      const lock = this.#lock(name);
      lock.purge(now);
      return lock.first === waiter && lock.admits(waiter.request);
    });
  }

  #setAlarm(name: string, now: number): void {
    const lock = this.#lock(name);
    lock.silence?.();
    lock.silence = undefined;
    if (lock.isIdle) this.#locks.delete(name);
    const [first] = lock.line;
    if (first === undefined || lock.admits(first.request)) return;
    lock.silence = this.#scheduler.schedule(lock.endFor(first.request) - now, () => this.#serve([name]));
  }

  #isHeld({ names, owner }: LockLease): boolean {
    return names.every((name) => this.#locks.get(name)?.holders.has(owner));
  }

  /** The names' locks, as far as there are any, without the leases that have run out. */
  #inUse({ names }: Pick<LockLease, 'names'>): NamedLock[] {
    const now = this.#clock.monotonic();
    const locks = names.flatMap((name) => this.#locks.get(name) ?? []);
    for (const lock of locks) lock.purge(now);
    return locks;
  }

  /** Forgets the names whose leases ran out without a release. */
  #sweep(now: number): void {
    for (const [name, lock] of this.#locks) {
      lock.purge(now);
      if (lock.isIdle) this.#locks.delete(name);
    }
    this.#sweepAt = Math.max(FIRST_SWEEP, 2 * this.#locks.size);
  }

  #lock(name: string): NamedLock {
    let lock = this.#locks.get(name);
    if (!lock) this.#locks.set(name, (lock = new NamedLock()));
    return lock;
  }

  /** Greater than those of an earlier process: somebody may compare them with a token in a database. */
  #nextToken(): number {
    this.#lastToken = Math.max(this.#lastToken + 1, this.#clock.now() * 1000);
    return this.#lastToken;
  }
}

const endOf = ({ owner }: LockLease, locks: readonly NamedLock[]): LeaseEnd =>
  locks.some((lock) => lock.endOf(owner) === 'stolen') ? 'stolen' : 'expired';
