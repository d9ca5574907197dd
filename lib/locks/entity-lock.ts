import { parseBoolean } from '../options/parse.js';
import type { LockedSection, LockHandle } from './lock-handle.js';
import type { LockNames, LockOptions } from './lock.options.js';
import type { LockableEntities } from './lock.ports.js';

/** How the lock of a row is acquired. */
export interface EntityLockOptions extends LockOptions {
  /** Whether the object's columns are read anew as soon as the lock is held: it may be stale. Default `true`. */
  readonly refresh?: boolean | undefined;
}

/** What the lock of a row needs of the lock service. */
export interface Locks {
  acquire(names: LockNames, options: LockOptions): Promise<LockHandle>;
  tryAcquire(names: LockNames, options: LockOptions): Promise<LockHandle | null>;
  run<T>(lock: LockHandle, section: LockedSection<T>): Promise<T>;
}

/** The lock of a row: `locks.forEntity(order)`. The methods are those of `LockService`, without the name. */
export class EntityLock {
  /** Made of the table, the columns and their values. */
  readonly name: string;

  constructor(
    private readonly locks: Locks,
    private readonly entities: LockableEntities,
    private readonly entity: object,
    columns: readonly string[],
  ) {
    this.name = entities.nameOf(entity, columns);
  }

  /** @throws as `LockService.acquire`, and CacheOpsDependencyError when the row is gone by now */
  async acquire(options: EntityLockOptions = {}): Promise<LockHandle> {
    const { refresh, rest } = split(options);
    return this.refreshed(await this.locks.acquire(this.name, rest), refresh);
  }

  /** @throws as `LockService.tryAcquire`, and CacheOpsDependencyError when the row is gone by now */
  async tryAcquire(options: EntityLockOptions = {}): Promise<LockHandle | null> {
    const { refresh, rest } = split(options);
    const lock = await this.locks.tryAcquire(this.name, rest);
    return lock && this.refreshed(lock, refresh);
  }

  /** @throws as `LockService.using`, and CacheOpsDependencyError when the row is gone by now */
  async using<T>(section: LockedSection<T>): Promise<T>;
  async using<T>(options: EntityLockOptions, section: LockedSection<T>): Promise<T>;
  async using<T>(...args: [LockedSection<T>] | [EntityLockOptions, LockedSection<T>]): Promise<T> {
    const [options, section] = args.length === 1 ? [{}, args[0]] : args;
    return this.locks.run(await this.acquire(options), section);
  }

  /** A lock whose row cannot be read is of no use to anybody. */
  private async refreshed(lock: LockHandle, refresh: boolean): Promise<LockHandle> {
    try {
      if (refresh) await this.entities.refresh(this.entity);
      return lock;
    } catch (error) {
      await lock.release().catch(() => undefined);
      throw error;
    }
  }
}

function split({ refresh = true, ...rest }: EntityLockOptions): { refresh: boolean; rest: LockOptions } {
  return { refresh: parseBoolean('lock.refresh', refresh), rest };
}
