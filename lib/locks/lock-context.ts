import { AsyncLocalStorage } from 'node:async_hooks';
import { CacheOpsConfigError } from '../cacheops.errors.js';
import type { LockHandle } from './lock-handle.js';

interface Section {
  readonly lock: LockHandle;
  readonly outer: Section | undefined;
}

/** The locks that the running call is inside of: it follows the asynchronous call, never the process. */
export class LockContext {
  readonly #storage = new AsyncLocalStorage<Section>();

  run<T>(lock: LockHandle, section: () => T): T {
    return this.#storage.run({ lock, outer: this.#storage.getStore() }, section);
  }

  /**
   * The innermost lock around the call that is held on all of the names.
   * @throws CacheOpsConfigError when one is held on some of them: waiting for the rest while holding it can deadlock
   */
  find(names: readonly string[]): LockHandle | undefined {
    for (let section = this.#storage.getStore(); section; section = section.outer) {
      const { lock } = section;
      const common = names.filter((name) => lock.names.includes(name));
      if (common.length === 0 || !lock.isHeld()) continue;
      if (common.length === names.length) return lock;
      const expected = `names that the lock around the call has all (${lock.name}), or none`;
      throw new CacheOpsConfigError('lock.reentrant', expected, names);
    }
    return undefined;
  }

  /** Whether a lock around the call is held on any of the names. */
  isInside(names: readonly string[]): boolean {
    for (let section = this.#storage.getStore(); section; section = section.outer) {
      const { lock } = section;
      if (lock.isHeld() && names.some((name) => lock.names.includes(name))) return true;
    }
    return false;
  }

  /** Every storage that was ever entered costs something on each promise of the process, until it is disabled. */
  dispose(): void {
    this.#storage.disable();
  }
}
