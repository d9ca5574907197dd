import { AsyncLocalStorage } from 'node:async_hooks';

/** Runs one piece of work at a time. Work that is started from within the lock's holder runs at once. */
export class Mutex {
  private readonly holder = new AsyncLocalStorage<Mutex>();
  private tail: Promise<unknown> = Promise.resolve();

  run<T>(work: () => Promise<T>): Promise<T> {
    // A subscriber that queries inside a statement would otherwise wait for itself.
    if (this.holder.getStore() === this) return work();
    const result = this.tail.then(() => this.holder.run(this, work));
    this.tail = result.catch(() => undefined);
    return result;
  }
}
