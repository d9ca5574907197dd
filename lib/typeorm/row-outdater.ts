import type { DataSource, EntityMetadata } from 'typeorm';
import type { Invalidator } from '../invalidation/invalidator.js';
import type { TypeOrmCatalog } from './catalog.js';
import { RowConditions } from './row-conditions.js';

/**
 * Makes stale what was cached of one row, whatever transaction the call is in: what has changed is committed already.
 * A cache that cannot be reached is no reason to fail; it is made good when it can be.
 */
export function rowOutdater(
  dataSource: DataSource,
  catalog: TypeOrmCatalog,
  invalidator: Invalidator,
): (metadata: EntityMetadata, row: object) => Promise<void> {
  return async (metadata, row) => {
    const id = catalog.idOf(metadata);
    const table = catalog.get(id);
    if (!table || invalidator.silent) return;
    const image = new RowConditions(dataSource, metadata, table).ofRow(row);
    const effects = [{ table: id, columns: '*', images: [image] } as const];
    const pending = await invalidator.pend({ effects, tokens: new Set() }).catch(() => undefined);
    await invalidator.settle(pending);
  };
}
