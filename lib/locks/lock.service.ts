import { randomBytes } from 'node:crypto';
import { Observable } from 'rxjs';
import type { Clock, Scheduler } from '../core/clock.js';
import { EntityLock } from './entity-lock.js';
import { Lease } from './lease.js';
import { LeaseMonitor } from './lease-monitor.js';
import { LockBackend } from './lock-backend.js';
import { LockContext } from './lock-context.js';
import type { LeaseEnd, LockBusy, LockDriver, LockRequest, LockTurn } from './lock-driver.interface.js';
import { LockBusyError } from './lock.errors.js';
import {
  type HandleParts,
  HeldLock,
  type LockedSection,
  type LockHandle,
  ReenteredLock,
} from './lock-handle.js';
import { describeHolder, holderInfo, type LockInfo } from './lock-holder.js';
import { type LockEvent, LockInstrumentation, type LockStats } from './lock.instrumentation.js';
import {
  type LockDefaults,
  type LockNames,
  type LockOptions,
  parseLockNames,
  type ResolvedLockOptions,
  resolveLockOptions,
} from './lock.options.js';
import type { LockableEntities, LockTransactions } from './lock.ports.js';

/** What the service stands on. */
export interface LockServiceParts {
  /** Called when the first lock is asked for. */
  readonly open: () => Promise<LockDriver>;
  readonly defaults: LockDefaults;
  /** Milliseconds for one call of the driver. */
  readonly timeout: number;
  readonly entities: LockableEntities;
  readonly transactions: LockTransactions;
  readonly clock: Clock;
  readonly scheduler: Scheduler;
}

/**
 * Locks by name. Inject it.
 *
 * A lock is a lease: it ends with its holder, at the latest `ttl` after that has died. A living holder's lease is
 * renewed. Whoever stood still for too long has lost it, and is told: `handle.signal`, `handle.isHeld()`. What a lock
 * protects elsewhere (rows, files) should refuse a smaller `fencingToken` than it has seen.
 */
export class LockService {
  /** What happens to the locks of this process; costs nothing while nobody subscribes. */
  readonly events$: Observable<LockEvent>;
  private readonly instrumentation = new LockInstrumentation();
  private readonly context = new LockContext();
  private readonly backend: LockBackend;
  private readonly monitor: LeaseMonitor;
  private readonly handleParts: HandleParts;
  private readonly usual: ResolvedLockOptions;
  private readonly identity = randomBytes(18).toString('base64url');
  private owners = 0;

  constructor(private readonly parts: LockServiceParts) {
    const { clock, scheduler } = parts;
    this.backend = new LockBackend({ ...parts, instrumentation: this.instrumentation });
    this.monitor = new LeaseMonitor(this.backend, clock, scheduler);
    this.handleParts = {
      backend: this.backend,
      monitor: this.monitor,
      instrumentation: this.instrumentation,
      transactions: parts.transactions,
    };
    this.usual = resolveLockOptions({}, parts.defaults);
    this.events$ = new Observable((subscriber) =>
      this.instrumentation.subscribe((event) => subscriber.next(event)),
    );
  }

  /**
   * Waits for the lock, first come first served.
   *
   * @throws LockBusyError when it was not free within `wait`
   * @throws CacheOpsConfigError when an option or a name is bad
   * @throws CacheOpsError `DRIVER` when the backend fails until `wait` is over
   * @throws the reason of `signal`, when that aborts
   */
  acquire(names: LockNames, options?: LockOptions): Promise<LockHandle> {
    return this.attempt(names, options, this.usual, this.refuse);
  }

  /**
   * The lock, or `null` when it is not free. Does not wait, unless `wait` says so.
   * @throws as `acquire`, but no `LockBusyError`
   */
  tryAcquire(names: LockNames, options?: LockOptions): Promise<LockHandle | null> {
    return this.attempt(names, options, { ...this.usual, wait: 0 }, () => null);
  }

  /**
   * Runs a section under the lock and releases it, whatever became of the section.
   *
   * @returns what the section returns
   * @throws as `acquire`, and what the section throws
   * @throws LockLostError when the section succeeded but the lock was lost meanwhile
   */
  async using<T>(names: LockNames, section: LockedSection<T>): Promise<T>;
  async using<T>(names: LockNames, options: LockOptions, section: LockedSection<T>): Promise<T>;
  async using<T>(
    names: LockNames,
    ...rest: [LockedSection<T>] | [LockOptions, LockedSection<T>]
  ): Promise<T> {
    const [options, section] = rest.length === 1 ? [{}, rest[0]] : rest;
    return this.run(await this.acquire(names, options), section);
  }

  /** @internal Runs a section under a lock that was acquired, as `using` does. */
  async run<T>(lock: LockHandle, section: LockedSection<T>): Promise<T> {
    let result: T;
    try {
      result = await this.context.run(lock, () => section(lock));
    } catch (error) {
      // The section's error is the one to report; what is not released runs out.
      await lock.release().catch(() => undefined);
      throw error;
    }
    await lock[Symbol.asyncDispose]();
    return result;
  }

  /**
   * The lock of a row, whoever holds it as an object.
   * @param columns properties whose values are locked instead of the primary key: all rows that share them
   * @throws CacheOpsDependencyError when it is no entity, is not saved yet, or a column is unknown or has no value
   */
  forEntity<E extends object>(entity: E, ...columns: (keyof E & string)[]): EntityLock {
    return new EntityLock(this, this.parts.entities, entity, columns);
  }

  /**
   * Who holds a lock now, in any process, and how many wait.
   * @throws CacheOpsError `DRIVER` when the backend does not say
   */
  async whoHolds(name: string): Promise<LockInfo> {
    const [first] = parseLockNames([name]);
    const { holders, waiting } = await this.backend.inspect(first as string);
    return { holders: holders.map(holderInfo), waiting };
  }

  /** Counts since the start of this process. */
  stats(): LockStats {
    return this.instrumentation.stats(this.monitor.size);
  }

  /** @internal Leases that are held stay until they run out: their sections may still be running. */
  async close(): Promise<void> {
    this.monitor.close();
    await this.backend.close();
    this.context.dispose();
  }

  /** @param refused called with the names, when they were not free */
  private async attempt<Refusal>(
    given: LockNames,
    options: LockOptions | undefined,
    usual: ResolvedLockOptions,
    refused: (names: readonly string[], waited: number, busy: LockBusy) => Refusal,
  ): Promise<LockHandle | Refusal> {
    const names = parseLockNames(given);
    const resolved = options === undefined ? usual : resolveLockOptions(options, usual);
    const outer = resolved.reentrant ? this.context.find(names) : undefined;
    if (outer) return new ReenteredLock(outer);
    const request = this.requestOf(names, resolved);
    const since = this.parts.clock.monotonic();
    this.instrumentation.begin();
    let turn: LockTurn | LockBusy;
    try {
      turn = await this.backend.acquire(request, resolved);
    } finally {
      this.instrumentation.end();
    }
    const now = this.parts.clock.monotonic();
    if (turn.granted) return this.hold(request, turn, resolved, since, now);
    this.instrumentation.busy(names, now - since);
    return refused(names, now - since, turn);
  }

  private readonly refuse = (names: readonly string[], waited: number, { retryAfter }: LockBusy): never => {
    const hint = this.context.isInside(names)
      ? 'The call holds it itself: see the option reentrant'
      : undefined;
    throw new LockBusyError(names, waited, retryAfter, hint);
  };

  private requestOf(names: readonly string[], options: ResolvedLockOptions): LockRequest {
    const { mode, limit, ttl, label } = options;
    const metadata = describeHolder(label, this.parts.clock.now());
    return { names, owner: this.nextOwner(), mode, limit, ttl, metadata };
  }

  /** Nobody can guess the first part, and nobody is told it. */
  private nextOwner(): string {
    return `${this.identity}_${(this.owners++).toString(36)}`;
  }

  /** @param since, now monotonic times: when it was asked for, and granted */
  private hold(
    request: LockRequest,
    turn: LockTurn,
    options: ResolvedLockOptions,
    since: number,
    now: number,
  ): LockHandle {
    const lease = new Lease(request, turn, options.extend, now, this.parts.clock, this.onLost);
    this.monitor.add(lease);
    this.instrumentation.acquire(request.names, now - since, turn.fencingToken);
    return new HeldLock(lease, options, this.handleParts);
  }

  private readonly onLost = (lease: Lease, reason: LeaseEnd): void => {
    this.monitor.remove(lease);
    this.instrumentation.lost(lease.names, lease.age, reason);
  };
}
