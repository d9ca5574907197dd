import { RecordModifiedError } from '../record-modified.error.js';
import { causes } from './causes.js';

/** What the databases answer when two transactions got into each other's way, and one of them should try again. */
const CODES: ReadonlySet<unknown> = new Set([
  '40001', // SQLSTATE: serialization failure (PostgreSQL, CockroachDB; also the SQLSTATE of MySQL's deadlocks)
  '40P01', // PostgreSQL: deadlock
  1205, // MySQL, MariaDB: waited too long for a lock
  1213, // MySQL, MariaDB: deadlock
  1020, // MariaDB with innodb_snapshot_isolation: the row has changed since the snapshot
  'SQLITE_BUSY',
  'SQLITE_BUSY_SNAPSHOT',
]);

/** Whether the work failed because somebody else was faster, so that it may succeed if it is done again from the start. */
export function isRetryable(error: unknown): boolean {
  return causes(error).some((each) =>
    each instanceof RecordModifiedError ? each.retryable : isDatabaseConflict(each),
  );
}

function isDatabaseConflict(error: object): boolean {
  const { code, errno, sqlState } = error as { code?: unknown; errno?: unknown; sqlState?: unknown };
  return [code, errno, sqlState].some((each) => CODES.has(each));
}
