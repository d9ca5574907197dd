import type { EntityMetadata, ObjectLiteral, QueryRunner } from 'typeorm';
import type { ColumnMetadata } from 'typeorm/metadata/ColumnMetadata.js';
import type { SqlDialect } from '../../sql/sql.types.js';

export interface RowToRead {
  readonly metadata: EntityMetadata;
  readonly identifier: ObjectLiteral;
  readonly dialect: SqlDialect;
  /** Loaded even if it is not selected by itself. */
  readonly column?: ColumnMetadata | undefined;
}

/**
 * A row as it is now, past the cache, deleted softly or not; `null` when there is none. MySQL shows a transaction under
 * REPEATABLE READ its snapshot, in which the row may still be as a write expected it; a locking read sees what the
 * write has seen.
 */
export function currentRow(
  { metadata, identifier, dialect, column }: RowToRead,
  runner: QueryRunner,
): Promise<object | null> {
  const query = runner.manager
    .createQueryBuilder<object>(metadata.target, ROW)
    .where(identifier)
    .withDeleted()
    .cache(false);
  if (column) query.addSelect(`${ROW}.${column.propertyPath}`);
  if (dialect === 'mysql' && runner.isTransactionActive) query.setLock('pessimistic_read');
  return query.getOne();
}

const ROW = 'cacheops_row';
