import type { EntityTarget, ObjectLiteral } from 'typeorm';
import { dep, type RowCondition, type RowsDependency } from '../core/entity-dependency.js';

/**
 * `dep` that knows the properties of an `EntitySchema<E>` too.
 *
 * @param target class, EntitySchema or name
 * @param where which rows; all when left out
 */
export function rowsOf<E extends ObjectLiteral>(
  target: EntityTarget<E>,
  where?: RowCondition<E>,
): RowsDependency {
  return dep(target as string, where as Record<string, unknown> | undefined);
}
