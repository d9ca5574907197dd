import { QueryFailedError } from 'typeorm';

/** What the trigger of `hard` mode says. */
export const STALE_VERSION = 'cacheops: stale version';

/**
 * Whether the database itself refused a statement because its row was changed by a transaction that this one does not
 * see: PostgreSQL above READ COMMITTED, MariaDB with `innodb_snapshot_isolation`, the trigger of `hard` mode.
 */
export function isConcurrentChange(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const cause = error instanceof QueryFailedError ? (error.driverError as Error) : error;
  const { code, errno } = cause as { code?: unknown; errno?: unknown };
  if (code === '40001') return /concurrent (?:update|delete)/i.test(cause.message);
  return errno === ER_CHECKREAD || cause.message.includes(STALE_VERSION);
}

/** "Record has changed since last read in table". */
const ER_CHECKREAD = 1020;
