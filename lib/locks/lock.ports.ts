import { CacheOpsDependencyError } from '../cacheops.errors.js';

/** Entities as locks see them. */
export interface LockableEntities {
  /**
   * What the lock of a row is called: table, columns and their values.
   * @param columns properties; none: the primary key
   * @throws CacheOpsDependencyError when it is no entity, not saved yet, or a column is unknown or has no value
   */
  nameOf(entity: object, columns: readonly string[]): string;

  /**
   * Reads the row again, past the cache, and puts its columns into the object.
   * @throws CacheOpsDependencyError when there is no such row any more
   */
  refresh(entity: object): Promise<void>;
}

const noEntities = (given: unknown): never => {
  const hint = 'No DataSource is observed, so there are no entities';
  throw new CacheOpsDependencyError('UNKNOWN_ENTITY', 'an entity object', given, hint);
};

/** The entities of an application without a DataSource. */
export const NO_LOCKABLE_ENTITIES: LockableEntities = { nameOf: noEntities, refresh: noEntities };

/** Transactions as locks see them. */
export interface LockTransactions {
  /**
   * Runs a task when a transaction has ended, committed or rolled back.
   * @param transaction an `EntityManager` or `QueryRunner`; `true`: the transaction around the call
   * @returns `false` when no transaction is open; the task was not run
   */
  afterEnd(transaction: object | true, task: () => void): boolean;
}

export const NO_TRANSACTIONS: LockTransactions = { afterEnd: () => false };
