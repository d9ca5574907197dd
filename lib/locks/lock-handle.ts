import { type Duration, parseTimeout } from '../options/parse.js';
import type { Lease } from './lease.js';
import type { LeaseMonitor } from './lease-monitor.js';
import type { LockBackend } from './lock-backend.js';
import type { ReleaseOutcome } from './lock-driver.interface.js';
import type { LockInstrumentation } from './lock.instrumentation.js';
import type { ResolvedLockOptions } from './lock.options.js';
import type { LockTransactions } from './lock.ports.js';

/** `deferred`: it takes effect when the transaction has ended (`releaseAfterCommit`). */
export type LockRelease = ReleaseOutcome | 'deferred';

/** A lock that was acquired. */
export interface LockHandle extends AsyncDisposable {
  /** What is locked; several names are separated by `', '`. */
  readonly name: string;
  /** In ascending order. */
  readonly names: readonly string[];
  /**
   * Greater than that of every earlier holder of any of the names: let whatever the lock protects refuse smaller ones.
   * `undefined` if the driver gives none.
   */
  readonly fencingToken: number | undefined;
  /** Aborts with a `LockLostError` as its reason when the lock is lost; not when it is released. */
  readonly signal: AbortSignal;
  /** Milliseconds until the lock is lost unless it is renewed; 0 when it is over. */
  readonly remaining: number;

  /** Whether the lock is surely held, by the monotonic clock of this process. Asks nobody, so it is cheap. */
  isHeld(): boolean;

  /** @throws LockLostError unless the lock is held */
  assertHeld(): void;

  /**
   * Lets the lease last for `ttl` from now on.
   * @param ttl default: what the lock was acquired with
   * @throws LockLostError unless the lock is held
   * @throws CacheOpsError `DRIVER` when the backend does not say; the lease then lasts as long as it did
   */
  extend(ttl?: Duration): Promise<void>;

  /**
   * Ends the lock, once: further calls tell the same. Does not throw when the lock was lost before.
   * @returns `released`, or what had become of the lock: `expired` or `stolen`; `deferred` inside a transaction
   * @throws CacheOpsError `DRIVER` when the backend does not say; it can be called again
   */
  release(): Promise<LockRelease>;

  /**
   * For `await using`: releases, if that was not done before. A backend that does not answer is no error here: what
   * is not released runs out.
   * @throws LockLostError when the lock was lost
   */
  [Symbol.asyncDispose](): Promise<void>;
}

/** What runs under a lock. */
export type LockedSection<T> = (lock: LockHandle) => T | Promise<T>;

/** What a handle works with. */
export interface HandleParts {
  readonly backend: LockBackend;
  readonly monitor: LeaseMonitor;
  readonly instrumentation: LockInstrumentation;
  readonly transactions: LockTransactions;
}

export class HeldLock implements LockHandle {
  readonly names: readonly string[];
  readonly fencingToken: number | undefined;
  /** Hidden, because whoever knows the owner of a lease can end it: a handle may be logged. */
  readonly #lease: Lease;
  readonly #options: ResolvedLockOptions;
  readonly #parts: HandleParts;
  #release: Promise<LockRelease> | undefined;
  /** A release was sent while the lock was held, and its reply was lost. */
  #isLettingGo = false;

  constructor(lease: Lease, options: ResolvedLockOptions, parts: HandleParts) {
    this.#lease = lease;
    this.#options = options;
    this.#parts = parts;
    this.names = lease.names;
    this.fencingToken = lease.fencingToken;
  }

  get name(): string {
    return this.names.join(', ');
  }

  get signal(): AbortSignal {
    return this.#lease.signal;
  }

  get remaining(): number {
    return this.isHeld() ? this.#lease.remaining : 0;
  }

  isHeld(): boolean {
    return this.#lease.isHeld();
  }

  assertHeld(): void {
    this.#lease.assertHeld();
  }

  async extend(ttl?: Duration): Promise<void> {
    const lease = this.#lease;
    if (ttl !== undefined) lease.ttl = parseTimeout('lock.ttl', ttl);
    this.assertHeld();
    await this.#parts.monitor.renewNow(lease);
    this.assertHeld();
  }

  release(): Promise<LockRelease> {
    this.#release ??= this.#begin();
    return this.#release;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#release) return;
    await this.release().catch(() => undefined);
    if (this.#lease.loss) throw this.#lease.loss;
  }

  #begin(): Promise<LockRelease> {
    const transaction = this.#options.releaseAfterCommit;
    if (transaction === false) return this.#end();
    const later = (): void => void this.#end().catch(() => undefined);
    return this.#parts.transactions.afterEnd(transaction, later) ? Promise.resolve('deferred') : this.#end();
  }

  async #end(): Promise<ReleaseOutcome> {
    const [lease, parts] = [this.#lease, this.#parts];
    const { age } = lease;
    const wasHeld = this.#isLettingGo || lease.isHeld();
    parts.monitor.remove(lease);
    if (wasHeld) lease.state = 'released';
    try {
      const rest = this.#options.atLeastFor - age;
      const outcome = await (rest <= 0 || lease.loss ? parts.backend.release(lease) : this.#keep(rest));
      // The backend may have kept it a little longer than the holder could believe.
      if (!wasHeld) return outcome === 'released' ? 'expired' : outcome;
      if (outcome !== 'released' && !this.#isLettingGo) {
        lease.lose(outcome);
        return outcome;
      }
      parts.instrumentation.release(lease.names, age);
      return 'released';
    } catch (error) {
      this.#isLettingGo = wasHeld;
      this.#release = undefined;
      throw error;
    }
  }

  /** @param rest milliseconds for which it stays taken after its release */
  async #keep(rest: number): Promise<ReleaseOutcome> {
    const { names, owner } = this.#lease;
    const [outcome = 'expired'] = await this.#parts.backend.renew([{ names, owner, ttl: Math.ceil(rest) }]);
    return outcome === 'renewed' ? 'released' : outcome;
  }
}

/** The lock of an outer call, as an inner one sees it that has entered it again: its release changes nothing. */
export class ReenteredLock implements LockHandle {
  #isReleased = false;

  constructor(private readonly outer: LockHandle) {}

  get name(): string {
    return this.outer.name;
  }

  get names(): readonly string[] {
    return this.outer.names;
  }

  get fencingToken(): number | undefined {
    return this.outer.fencingToken;
  }

  get signal(): AbortSignal {
    return this.outer.signal;
  }

  get remaining(): number {
    return this.isHeld() ? this.outer.remaining : 0;
  }

  isHeld(): boolean {
    return !this.#isReleased && this.outer.isHeld();
  }

  assertHeld(): void {
    this.outer.assertHeld();
  }

  extend(ttl?: Duration): Promise<void> {
    return this.outer.extend(ttl);
  }

  async release(): Promise<LockRelease> {
    const outcome = this.#isReleased || this.outer.isHeld() ? 'released' : 'expired';
    this.#isReleased = true;
    return outcome;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.release();
  }
}
