import type { DataSource, QueryRunner } from 'typeorm';
import { CacheOpsError } from '../../cacheops.errors.js';

/**
 * Runs work on a connection that no transaction of the application uses: in one, a lock would be seen by nobody before
 * the commit, would vanish with a rollback, and the time might stand still (ShedLock #3577).
 *
 * @throws CacheOpsError `DRIVER` when SQLite's only connection is in a transaction
 */
export async function onOwnConnection<T>(
  dataSource: DataSource,
  work: (runner: QueryRunner) => Promise<T>,
): Promise<T> {
  const runner = dataSource.createQueryRunner('master');
  if (runner.isTransactionActive) {
    throw new CacheOpsError(
      'DRIVER',
      `${dataSource.options.type} has one connection, and it is in a transaction: ` +
        'give the lock driver a DataSource of its own',
    );
  }
  try {
    return await work(runner);
  } finally {
    await runner.release();
  }
}
