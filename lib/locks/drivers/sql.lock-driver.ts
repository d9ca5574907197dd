import type { DataSource } from 'typeorm';
import { RecordLockDriver } from './record-lock-driver.js';
import { lockDialectOf } from '../typeorm/lock-tables.js';
import { SqlRecords } from './sql.records.js';

export interface SqlLockDriverOptions {
  /**
   * An initialised DataSource of PostgreSQL, MariaDB, MySQL or SQLite. SQLite has one connection, which would take the
   * locks into the transactions of the application: give the locks a DataSource of their own there.
   */
  readonly dataSource: DataSource;
}

/**
 * Locks in a table of a database, `cacheops_lock`, by the time of the database. Each statement has a connection of its
 * own, whatever transactions are open. Waiters ask again and again: for many hand-overs a second take Redis.
 */
export class SqlLockDriver extends RecordLockDriver {
  /** @throws CacheOpsConfigError when `dataSource` is of another kind of database */
  constructor({ dataSource }: SqlLockDriverOptions) {
    const isPrivate = lockDialectOf(dataSource) === 'sqlite';
    super(
      {
        scope: isPrivate ? (dataSource.options.type === 'sqljs' ? 'process' : 'host') : 'shared',
        fencing: true,
        ordering: 'none',
        wakeUp: 'poll',
        modes: ['exclusive', 'shared', 'semaphore'],
        resolution: 1,
        serverTime: true,
      },
      new SqlRecords(dataSource),
    );
  }
}
