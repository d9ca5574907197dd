import type { DataSource } from 'typeorm';
import type { LockWatch } from '../lock-driver.interface.js';
import { PostgresNotices } from './postgres.notices.js';
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
 * own, whatever transactions are open. On PostgreSQL a process whose tasks wait is told when a lock was released, on one
 * connection beside those of the pool; elsewhere, and while that connection is down, it asks again and again. For many
 * hand-overs a second take Redis.
 */
export class SqlLockDriver extends RecordLockDriver {
  readonly watch?: (names: readonly string[], heard: () => void) => LockWatch;
  readonly #notices: PostgresNotices | undefined;

  /** @throws CacheOpsConfigError when `dataSource` is of another kind of database */
  constructor({ dataSource }: SqlLockDriverOptions) {
    const dialect = lockDialectOf(dataSource);
    const tells = dialect === 'postgres';
    super(
      {
        scope: dialect !== 'sqlite' ? 'shared' : dataSource.options.type === 'sqljs' ? 'process' : 'host',
        fencing: true,
        ordering: 'none',
        wakeUp: tells ? 'notice' : 'poll',
        modes: ['exclusive', 'shared', 'semaphore'],
        resolution: 1,
        serverTime: true,
      },
      new SqlRecords(dataSource),
    );
    if (!tells) return;
    const notices = (this.#notices = new PostgresNotices(dataSource));
    this.watch = (names, heard) => notices.watch(names, heard);
  }

  override async close(): Promise<void> {
    this.#notices?.close();
    await super.close();
  }
}
