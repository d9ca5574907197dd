import type { EntityManager, EntityMetadata, ObjectLiteral, Repository } from 'typeorm';

/** Where entities are kept: a repository, or the manager of a DataSource or a transaction. */
export type EntityStore<E extends ObjectLiteral = ObjectLiteral> = Repository<E> | EntityManager;

/** What stands behind a store. */
export interface OpenStore {
  readonly manager: EntityManager;
  readonly metadata: EntityMetadata;
}

/**
 * @param entity the entity object that the store is opened for
 * @throws EntityMetadataNotFoundError (TypeORM) when it is no entity of the DataSource
 */
export function openStore<E extends ObjectLiteral>(store: EntityStore<E>, entity: E): OpenStore {
  const manager = 'manager' in store ? store.manager : store;
  const { dataSource } = manager;
  // With table inheritance, the object's own class knows more columns than the repository's.
  const known = dataSource.hasMetadata(entity.constructor) || !('target' in store);
  return { manager, metadata: dataSource.getMetadata(known ? entity.constructor : store.target) };
}
