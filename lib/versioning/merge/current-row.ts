import type { ObjectLiteral } from 'typeorm';
import type { OpenStore } from '../store.js';

type Relations = { [name: string]: true | Relations };

/**
 * The row of an entity as it is in the database, past the cache, deleted softly or not, with everything that the entity
 * has loaded: the relations, and the columns that are not selected by themselves.
 *
 * @returns `null` when there is no such row
 */
export async function currentRow(
  { manager, metadata }: OpenStore,
  entity: ObjectLiteral,
): Promise<ObjectLiteral | null> {
  const relations: Relations = {};
  for (const relation of metadata.relations) {
    if (relation.getEntityValue(entity) !== undefined) put(relations, relation.propertyPath.split('.'));
  }
  const builder = manager
    .createQueryBuilder(metadata.target, metadata.name)
    .setFindOptions({
      where: metadata.getEntityIdMap(entity) ?? {},
      relations,
      withDeleted: true,
      loadEagerRelations: false,
    })
    .cache(false);
  const hidden = metadata.columns.filter(
    (column) => !column.isSelect && column.getEntityValue(entity) !== undefined,
  );
  for (const column of hidden) builder.addSelect(`${metadata.name}.${column.propertyPath}`);
  // Inside a transaction MySQL shows a plain read what was there when the transaction began.
  if (manager.queryRunner?.isTransactionActive && /^(?:mysql|mariadb)$/.test(manager.dataSource.options.type))
    builder.setLock('pessimistic_write');
  return builder.getOne();
}

function put(relations: Relations, [name, ...rest]: string[]): void {
  if (name === undefined) return;
  const inner = relations[name];
  if (rest.length === 0) relations[name] = inner ?? true;
  else put((relations[name] = typeof inner === 'object' ? inner : {}), rest);
}
