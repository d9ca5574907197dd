import type { EntityManager, EntityMetadata, ObjectLiteral } from 'typeorm';
import { CacheOpsDependencyError } from '../cacheops.errors.js';

/**
 * Reads a row again, past the cache, and puts its columns into the object; relations stay as they are.
 * @throws CacheOpsDependencyError when there is no such row
 */
export async function reloadRow(
  manager: EntityManager,
  metadata: EntityMetadata,
  entity: object,
): Promise<void> {
  const row: ObjectLiteral | null = await manager.findOne(metadata.target, {
    where: metadata.getEntityIdMap(entity),
    cache: false,
    loadEagerRelations: false,
    withDeleted: true,
  });
  if (row === null) {
    throw new CacheOpsDependencyError(
      'UNKNOWN_DEPENDENCY',
      `a ${metadata.name} that is in the database`,
      entity,
    );
  }
  for (const column of metadata.columns) {
    if (column.relationMetadata) continue;
    const value: unknown = column.getEntityValue(row);
    if (value !== undefined) column.setEntityValue(entity, value);
  }
}
