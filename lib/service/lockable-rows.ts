import { CacheOpsDependencyError } from '../cacheops.errors.js';
import type { EntityLike, EntityModel } from '../core/entity-model.js';
import type { LockableEntities } from '../locks/lock.ports.js';

/**
 * Rows as locks name them: by the table and canonical column values, so that equal values in the database are equal in
 * the name, and no two names can be mixed up.
 */
export class LockableRows implements LockableEntities {
  constructor(private readonly model: EntityModel) {}

  nameOf(entity: object, columns: readonly string[]): string {
    if (typeof entity !== 'object' || entity === null) throw unknown('an entity object', entity);
    const [row] =
      columns.length === 0
        ? this.model.row(entity)
        : this.model.rows(entity.constructor as EntityLike, valuesOf(entity, columns));
    const values = [...(row?.conditions[0] ?? [])].sort(([a], [b]) => (a < b ? -1 : 1));
    if (!row || values.length === 0 || values.length < columns.length) {
      throw unknown('columns whose values can be compared exactly', columns.join(', ') || entity);
    }
    return `${row.table}${JSON.stringify(Object.fromEntries(values))}`;
  }

  refresh(entity: object): Promise<void> {
    return this.model.reload(entity);
  }
}

function valuesOf(entity: object, columns: readonly string[]): Record<string, unknown> {
  const values: Record<string, unknown> = {};
  for (const column of columns) {
    const value = (entity as Readonly<Record<string, unknown>>)[column];
    if (value === undefined || value === null || Array.isArray(value)) {
      throw unknown(`an entity whose ${column} has a value`, value);
    }
    values[column] = value;
  }
  return values;
}

const unknown = (expected: string, given: unknown): CacheOpsDependencyError =>
  new CacheOpsDependencyError('UNKNOWN_DEPENDENCY', expected, given);
