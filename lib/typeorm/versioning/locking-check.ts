import type { DataSource, EntityManager, EntityMetadata, EntityTarget, ObjectLiteral } from 'typeorm';
import type { Conflicts } from './conflicts.js';
import type { VersionedEntities } from './versioned-entities.js';
import type { VersionedEntity } from './versioned-entity.js';
import type { SeenVersion } from './version-columns.js';

/** The methods of `EntityManager` that write entities. */
export type PersistMethod = 'save' | 'remove' | 'softRemove' | 'recover';

interface Stated {
  readonly versioned: VersionedEntity;
  readonly entity: ObjectLiteral;
  readonly identifier: ObjectLiteral;
  readonly seen: SeenVersion | undefined;
}

/**
 * The weaker check, for a TypeORM into which the guard cannot reach: before a `save()`, in its transaction, the rows
 * are locked and their versions compared. It needs nothing but TypeORM's public API, costs a statement for each entity,
 * and sees the entities that were given and those that cascades reach from them.
 */
export class LockingCheck {
  constructor(
    private readonly dataSource: DataSource,
    private readonly entities: VersionedEntities,
    private readonly conflicts: Conflicts,
  ) {}

  /** Checks, then writes, in one transaction. */
  async run(
    manager: EntityManager,
    method: PersistMethod,
    args: readonly unknown[],
    write: (manager: EntityManager) => Promise<unknown>,
  ): Promise<unknown> {
    const stated = this.stated(method, args);
    if (stated.length === 0) return write(manager);
    const work = async (inside: EntityManager): Promise<unknown> => {
      for (const each of stated) await this.check(inside, method, each);
      return write(inside);
    };
    return manager.queryRunner?.isTransactionActive ? work(manager) : manager.transaction(work);
  }

  private async check(manager: EntityManager, operation: PersistMethod, stated: Stated): Promise<void> {
    const { versioned, entity, identifier, seen } = stated;
    const attempt = { versioned, operation, identifier, seen, mine: entity };
    if (!versioned.isChecked(entity)) return;
    const query = manager
      .createQueryBuilder<object>(versioned.metadata.target, 'cacheops_row')
      .addSelect(`cacheops_row.${versioned.column.propertyPath}`)
      .where(identifier)
      .withDeleted()
      .cache(false);
    if (versioned.dialect !== 'sqlite') query.setLock('pessimistic_write');
    const theirs = await query.getOne();
    if (seen === undefined || Number.isNaN(seen.token)) {
      if (!theirs || (seen === undefined && versioned.policy.missing === 'skip')) return;
      throw this.conflicts.error(attempt, 'missing-version', undefined);
    }
    if (!theirs) {
      if (seen.token === 0) return;
      throw await this.conflicts.refusal(attempt, null);
    }
    if (versioned.read(theirs)?.token !== seen.token) throw await this.conflicts.refusal(attempt, theirs);
  }

  /** The entities that a call writes and whose rows may be there already. */
  private stated(method: PersistMethod, args: readonly unknown[]): Stated[] {
    const hasTarget = args.length > 1 && (typeof args[0] === 'function' || typeof args[0] === 'string');
    const isSchema = typeof (args[0] as { options?: { name?: unknown } } | null)?.options?.name === 'string';
    const target = hasTarget || (isSchema && args.length > 1) ? args[0] : undefined;
    const given = target === undefined ? args[0] : args[1];
    const found = new Map<object, Stated>();
    const seen = new Set<object>();
    const visit = (entity: unknown, metadata: EntityMetadata): void => {
      if (typeof entity !== 'object' || entity === null || seen.has(entity)) return;
      seen.add(entity);
      const own = metadata.findInheritanceMetadata(entity);
      const versioned = this.entities.of(own);
      const identifier = own.getEntityIdMap(entity);
      if (versioned && identifier)
        found.set(entity, { versioned, entity, identifier, seen: versioned.read(entity) });
      for (const [relation, value, related] of own.extractRelationValuesFromEntity(entity, own.relations)) {
        if (relation[CASCADES[method]] || (method === 'save' && relation.isCascadeInsert))
          visit(value, related);
      }
    };
    for (const entity of Array.isArray(given) ? (given as unknown[]) : [given]) {
      const of = target ?? (entity as object | undefined)?.constructor;
      if (of && this.dataSource.hasMetadata(of as EntityTarget<ObjectLiteral>))
        visit(entity, this.dataSource.getMetadata(of as EntityTarget<ObjectLiteral>));
    }
    return [...found.values()];
  }
}

const CASCADES = {
  save: 'isCascadeUpdate',
  remove: 'isCascadeRemove',
  softRemove: 'isCascadeSoftRemove',
  recover: 'isCascadeRecover',
} as const;
