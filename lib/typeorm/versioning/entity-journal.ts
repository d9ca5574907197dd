import type { ObjectLiteral } from 'typeorm';
import type { ColumnMetadata } from 'typeorm/metadata/ColumnMetadata.js';
import type { Subject } from 'typeorm/persistence/Subject.js';
import type { ObservedConnection } from '../connection.js';
import type { Snapshots } from './snapshots.js';

interface Written {
  readonly column: ColumnMetadata;
  readonly old: unknown;
  readonly now: unknown;
}

/**
 * TypeORM writes into the entities of a save what the database made of them: keys, versions, dates. If that is rolled
 * back later, by another save of the transaction or at the commit, an entity that kept its new version would be refused
 * ever after. So what was written is taken back with the transaction, unless the application has changed it since.
 */
export function journalled(
  connection: ObservedConnection | undefined,
  snapshots: Snapshots,
  subjects: readonly Subject[],
  write: () => void,
): void {
  const entities = subjects.flatMap(({ entity, metadata }) => (entity ? [{ entity, metadata }] : []));
  const inTransaction = connection?.frames.active === true;
  const before = inTransaction
    ? entities.map(({ entity, metadata: { columns } }) => ({
        entity,
        columns,
        values: columns.map((column) => valueOf(column, entity)),
        base: snapshots.of(entity),
      }))
    : [];
  write();
  for (const { entity, metadata } of entities) snapshots.keep(entity, metadata);
  if (!inTransaction) return;
  const undos = before.map(({ entity, columns, values, base }) => {
    const written: Written[] = [];
    columns.forEach((column, i) => {
      const now = valueOf(column, entity);
      if (now !== values[i]) written.push({ column, old: values[i], now });
    });
    return () => {
      for (const { column, old, now } of written)
        if (valueOf(column, entity) === now) column.setEntityValue(entity, old);
      snapshots.restore(entity, base);
    };
  });
  connection.frames.onRollback(() => undos.forEach((undo) => undo()));
}

/**
 * Columns of relations are read through the related object: TypeORM does not write those. Most columns are properties,
 * and are read as such: all of them are, twice a save.
 */
function valueOf(column: ColumnMetadata, entity: ObjectLiteral): unknown {
  const { relationMetadata, referencedColumn, embeddedMetadata, propertyName } = column;
  if (!relationMetadata && !referencedColumn && !embeddedMetadata) return entity[propertyName] as unknown;
  return relationMetadata && column.isVirtual ? undefined : (column.getEntityValue(entity) as unknown);
}
