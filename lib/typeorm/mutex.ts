import { AsyncLocalStorage } from 'node:async_hooks';

interface Holding {
  readonly mutex: Mutex;
  readonly outer: Holding | undefined;
}

/**
 * Knows which locks the current asynchronous call holds. One for all connections of a DataSource: every
 * AsyncLocalStorage that was ever entered costs something on each promise of the process.
 */
export type LockScope = AsyncLocalStorage<Holding>;

export const createLockScope = (): LockScope => new AsyncLocalStorage<Holding>();

/** Runs one piece of work at a time. Work that is started from within the lock's holder runs at once. */
export class Mutex {
  private tail: Promise<unknown> = Promise.resolve();

  constructor(private readonly scope: LockScope) {}

  run<T>(work: () => Promise<T>): Promise<T> {
    const outer = this.scope.getStore();
    // A subscriber that queries inside a statement would otherwise wait for itself.
    for (let held = outer; held; held = held.outer) if (held.mutex === this) return work();
    const result = this.tail.then(() => this.scope.run({ mutex: this, outer }, work));
    this.tail = result.catch(() => undefined);
    return result;
  }
}
