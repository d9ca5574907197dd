import type { Clock } from '../../core/clock.js';
import type { LockRequest } from '../lock-driver.interface.js';
import type { Timeout, Timeouts } from '../timeouts.js';
import type { AcquireRefusal } from './redis.lock-acquire.js';

/** A lease that began while its owner waited, as the message says that tells it. */
interface HandOver {
  readonly fencingToken: number;
  /** By the clock of the server. */
  readonly at: number;
  /** Monotonic time at which it was heard of. */
  readonly heard: number;
}

/** Two clocks drift apart by less than this part of the time between two looks at them. */
const DRIFT = 1 / 1_000;
/** Milliseconds: both times of the server have lost their fractions. */
const ROUNDED = 1;

/** The monotonic time that is surely reached when `ms` have passed on the server, since something after `since`. */
export const surelyLasts = (since: number, ms: number): number => since + ms * (1 - DRIFT) - ROUNDED;

/** Somebody of this process who stands in line. */
export class RedisWaiter {
  #wake: (() => void) | undefined;
  #isWoken = false;
  /** The last refusal, and the monotonic time before it was asked for. */
  #refused: { readonly since: number; readonly now: number; readonly lastToken: number } | undefined;
  #handOver: HandOver | undefined;

  constructor(
    readonly request: LockRequest,
    private readonly clock: Clock,
    private readonly timeouts: Timeouts,
  ) {}

  /** Whether it stood in line when it last asked. */
  get isPlaced(): boolean {
    return this.#refused !== undefined;
  }

  /** @param since monotonic time before it asked */
  refused({ now, lastToken }: AcquireRefusal, since: number): void {
    this.#refused = { since, now, lastToken };
  }

  /** @param at milliseconds, by the clock of the server */
  handOver(fencingToken: number, at: number): void {
    this.#handOver = { fencingToken, at, heard: this.clock.monotonic() };
    this.wake();
  }

  /**
   * The lease that it was handed while it waited, if it was. News of an earlier life of the same owner (it had given
   * up, and asked again) carry a token that is not greater than that of the last refusal.
   *
   * The news may be old: this process stood still. So the lease is counted from the refusal, at a time of the server
   * and of ours, by the time that has passed on the server since.
   *
   * That cannot be less than nothing, nor more than has passed here. If it is, the clock of the server was set, and says
   * nothing about when the lease began: `undefined`, and whoever waits asks.
   */
  taken(): { readonly fencingToken: number; readonly since: number } | undefined {
    const [handOver, refused] = [this.#handOver, this.#refused];
    if (!handOver || !refused || handOver.fencingToken <= refused.lastToken) return undefined;
    const passed = handOver.at - refused.now;
    const since = surelyLasts(refused.since, passed);
    if (passed < 0 || since > handOver.heard) return undefined;
    return { fencingToken: handOver.fencingToken, since };
  }

  /** Ends the sleep; if there is none, the next one. */
  wake(): void {
    this.#isWoken = true;
    this.#wake?.();
  }

  /** Resolves when it is woken, or after `ms`. */
  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        timeout.cancel();
        this.#isWoken = false;
        this.#wake = undefined;
        resolve();
      };
      const timeout = this.timeouts.set(ms, end);
      this.#wake = end;
      if (this.#isWoken) end();
    });
  }
}

interface Watch {
  readonly waiters: Set<RedisWaiter>;
  timeout: Timeout | undefined;
}

/**
 * Those of this process who stand in line. They sleep until they are told; only the first for each name looks again
 * when the lease in the way should be over, because a holder that has died tells nobody.
 */
export class RedisWaiters {
  readonly #byOwner = new Map<string, RedisWaiter>();
  readonly #byName = new Map<string, Watch>();

  constructor(private readonly timeouts: Timeouts) {}

  /** From now on it hears what its owner is told. */
  join(waiter: RedisWaiter): void {
    this.#byOwner.set(waiter.request.owner, waiter);
  }

  /** It stands in line, and the first there looks again after `ms`. */
  stand(waiter: RedisWaiter, ms: number): void {
    for (const name of waiter.request.names) {
      const watch = this.#byName.get(name);
      if (watch) watch.waiters.add(waiter);
      else this.#byName.set(name, { waiters: new Set([waiter]), timeout: undefined });
    }
    this.#lookAgain(waiter.request.names, ms);
  }

  leave(waiter: RedisWaiter): void {
    this.#byOwner.delete(waiter.request.owner);
    if (!waiter.isPlaced) return;
    for (const name of waiter.request.names) {
      const watch = this.#byName.get(name);
      if (!watch?.waiters.delete(waiter) || watch.waiters.size > 0) continue;
      watch.timeout?.cancel();
      this.#byName.delete(name);
    }
  }

  /** Whether somebody of this process stands in line for one of the names. */
  isWaitedFor(names: readonly string[]): boolean {
    return this.#byName.size > 0 && names.some((name) => this.#byName.has(name));
  }

  find(owner: string): RedisWaiter | undefined {
    return this.#byOwner.get(owner);
  }

  /** The lease that is in the way of the others now should be over after `ms`. */
  #lookAgain(names: readonly string[], ms: number): void {
    for (const name of names) {
      const watch = this.#byName.get(name);
      if (!watch) continue;
      watch.timeout?.cancel();
      watch.timeout = this.timeouts.set(ms, () => watch.waiters.values().next().value?.wake());
    }
  }

  /** It has the names now, and leaves: the next ones look again when its lease should be over. */
  passed(waiter: RedisWaiter, ms: number): void {
    if (waiter.isPlaced) this.#lookAgain(waiter.request.names, ms);
  }

  /** It is not yet the turn of this owner, but may be after `ms`. */
  lookAgainFor(owner: string, ms: number): void {
    const waiter = this.#byOwner.get(owner);
    if (waiter) this.#lookAgain(waiter.request.names, ms);
  }

  /** All who wait for one of the names ask again. */
  wakeLine(names: readonly string[]): void {
    for (const name of names) this.#byName.get(name)?.waiters.forEach((waiter) => waiter.wake());
  }

  wakeAll(): void {
    for (const waiter of this.#byOwner.values()) waiter.wake();
  }
}
