import { setTimeout as elapse } from 'node:timers/promises';
import { DataSource } from 'typeorm';
import { SqlLockDriver } from '../../../lib/locks/drivers/sql.lock-driver.js';
import type { LockDriverContract } from '../../../lib/testing/lock-driver.contract.js';
import { createDatabase, type DatabaseKind } from '../../support/databases.js';

/** Locks in a database that is made for the first test, and emptied between tests. */
export interface SqlContract extends LockDriverContract {
  /** Belongs in `afterAll`. */
  drop(): Promise<void>;
}

export function sql(kind: DatabaseKind): SqlContract {
  let world: Promise<{ sources: DataSource[]; drop(): Promise<void> }> | undefined;
  const open = async () => {
    const database = await createDatabase(kind);
    const sources = [new DataSource(database.options), new DataSource(database.options)];
    await Promise.all(sources.map((source) => source.initialize()));
    return { sources, drop: () => database.drop() };
  };
  return {
    async create() {
      const [first, second] = (await (world ??= open())).sources as [DataSource, DataSource];
      const driver = new SqlLockDriver({ dataSource: first });
      // Each DataSource of sql.js has a database of its own.
      const other = kind === 'sqlite' ? driver : new SqlLockDriver({ dataSource: second });
      await driver.inspect('makes the table');
      await first.query('DELETE FROM cacheops_lock');
      return {
        driver,
        other,
        elapse,
        dispose: async () => {
          await Promise.all([driver.close(), other.close()]);
        },
      };
    },
    async drop() {
      const opened = await world;
      await Promise.all((opened?.sources ?? []).map((source) => source.destroy()));
      await opened?.drop();
    },
  };
}
