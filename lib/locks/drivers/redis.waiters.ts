import type { Scheduler } from '../../core/clock.js';

/** Somebody of this process who stands in line. */
export class RedisWaiter {
  #wake: (() => void) | undefined;
  #isWoken = false;

  constructor(
    readonly owner: string,
    readonly names: readonly string[],
    private readonly scheduler: Scheduler,
  ) {}

  /** Ends the sleep; if there is none, the next one. */
  wake(): void {
    this.#isWoken = true;
    this.#wake?.();
  }

  /** Resolves when it is woken, or after `ms`. */
  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        cancel();
        this.#isWoken = false;
        this.#wake = undefined;
        resolve();
      };
      const cancel = this.scheduler.schedule(ms, end);
      this.#wake = end;
      if (this.#isWoken) end();
    });
  }
}

interface Watch {
  readonly waiters: Set<RedisWaiter>;
  cancel: (() => void) | undefined;
}

/**
 * Those of this process who stand in line. They sleep until they are told; only the first for each name looks again
 * when the lease in the way should be over, because a holder that has died tells nobody.
 */
export class RedisWaiters {
  readonly #byOwner = new Map<string, RedisWaiter>();
  readonly #byName = new Map<string, Watch>();

  constructor(private readonly scheduler: Scheduler) {}

  join(waiter: RedisWaiter): void {
    this.#byOwner.set(waiter.owner, waiter);
    for (const name of waiter.names) {
      const watch = this.#byName.get(name);
      if (watch) watch.waiters.add(waiter);
      else this.#byName.set(name, { waiters: new Set([waiter]), cancel: undefined });
    }
  }

  leave(waiter: RedisWaiter): void {
    this.#byOwner.delete(waiter.owner);
    for (const name of waiter.names) {
      const watch = this.#byName.get(name);
      if (!watch) continue;
      watch.waiters.delete(waiter);
      if (watch.waiters.size > 0) continue;
      watch.cancel?.();
      this.#byName.delete(name);
    }
  }

  /** Lets the first in line look again after `ms`. */
  lookAgain(names: readonly string[], ms: number): void {
    for (const name of names) {
      const watch = this.#byName.get(name);
      if (!watch) continue;
      watch.cancel?.();
      watch.cancel = this.scheduler.schedule(ms, () => watch.waiters.values().next().value?.wake());
    }
  }

  /** @param after milliseconds: it is not yet the turn of this owner, but may be then */
  wake(owner: string, after?: number): void {
    const waiter = this.#byOwner.get(owner);
    if (after === undefined) waiter?.wake();
    else if (waiter) this.lookAgain(waiter.names, after);
  }

  wakeAll(): void {
    for (const waiter of this.#byOwner.values()) waiter.wake();
  }
}
