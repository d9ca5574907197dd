import { AsyncLocalStorage } from 'node:async_hooks';

interface Holding {
  readonly mutex: Mutex;
  readonly outer: Holding | undefined;
}

/**
 * Knows which locks the current asynchronous call holds. One for all connections of a DataSource, and used only where
 * work can start other work under the same lock: an AsyncLocalStorage costs something on each promise of the process.
 */
export interface LockScope {
  readonly storage: AsyncLocalStorage<Holding>;
  /** Whether a statement can cause another one on the same connection, as a subscriber to queries may. */
  readonly nests: () => boolean;
}

export const createLockScope = (nests: () => boolean): LockScope => ({
  storage: new AsyncLocalStorage<Holding>(),
  nests,
});

/** Runs one piece of work at a time. Work that is started from within the lock's holder runs at once. */
export class Mutex {
  private tail: Promise<unknown> | undefined;

  constructor(private readonly scope: LockScope) {}

  /**
   * @param failed sees the error of the work before the caller does
   * @returns a promise even when the work throws at once
   */
  run<T>(work: () => Promise<T>, failed: (error: unknown) => void = () => undefined): Promise<T> {
    const held = this.scope.nests() ? this.enter(work) : work;
    if (held === undefined) {
      return begun(work).catch((error: unknown) => {
        failed(error);
        throw error;
      });
    }
    const working = this.tail ? this.tail.then(held, held) : begun(held);
    const done: Promise<T> = working.then(
      (result) => {
        this.leave(done);
        return result;
      },
      (error: unknown) => {
        this.leave(done);
        failed(error);
        throw error;
      },
    );
    this.tail = done;
    return done;
  }

  private leave(tail: Promise<unknown>): void {
    if (this.tail === tail) this.tail = undefined;
  }

  /** The work as a holder of this lock; `undefined` when the caller is one, and would wait for itself. */
  private enter<T>(work: () => Promise<T>): (() => Promise<T>) | undefined {
    const { storage } = this.scope;
    const outer = storage.getStore();
    for (let each = outer; each; each = each.outer) if (each.mutex === this) return undefined;
    return () => storage.run({ mutex: this, outer }, work);
  }
}

function begun<T>(work: () => Promise<T>): Promise<T> {
  try {
    return work();
  } catch (error) {
    return rejected(error);
  }
}

async function rejected(error: unknown): Promise<never> {
  throw error;
}
