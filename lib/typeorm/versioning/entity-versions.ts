import type { EntityManager, EntityMetadata, QueryRunner } from 'typeorm';
import { CacheOpsDependencyError } from '../../cacheops.errors.js';
import type { EntityLike, EntitySchemaLike } from '../../core/entity-model.js';
import type { ReadRecord, RecordVersions } from '../../versioning/record-versions.interface.js';
import type { RecordVersion } from '../../versioning/record-version.js';
import type { ObservedDataSource } from '../observed-data-source.js';
import { currentRow } from './current-row.js';
import { unguardedEntity } from './versioned-entities.js';
import type { VersionedEntity } from './versioned-entity.js';

interface Found {
  readonly observed: ObservedDataSource;
  readonly metadata: EntityMetadata;
}

/** Versions of the rows of all observed DataSources; of an entity that several have, the first is meant. */
export class EntityVersions implements RecordVersions {
  /** @param sources is asked at each use: DataSources may be attached later */
  constructor(private readonly sources: () => readonly ObservedDataSource[]) {}

  isGuarded(entity: EntityLike): boolean {
    const { observed, metadata } = this.find(entity);
    return observed.versions?.entities.of(metadata) !== undefined;
  }

  versionProperty(entity: EntityLike): string | undefined {
    return versionedOf(this.find(entity))?.column.propertyPath;
  }

  idOf(object: object, entity?: EntityLike): unknown {
    const { metadata } = this.find(entity ?? classOf(object));
    const identifier = metadata.getEntityIdMap(object);
    if (!identifier || metadata.primaryColumns.length > 1) return identifier;
    return metadata.primaryColumns[0]?.getEntityValue(identifier) as unknown;
  }

  versionOf(object: object, entity?: EntityLike): RecordVersion | undefined {
    const seen = versionedOf(this.find(entity ?? classOf(object)))?.read(object);
    return seen && !Number.isNaN(seen.token) ? seen.value : undefined;
  }

  baseOf<E extends object>(object: E): E | undefined {
    const { observed, metadata } = this.find(classOf(object));
    return observed.versions?.snapshots.baseOf(object, metadata) as E | undefined;
  }

  async current<E extends object>(
    entity: EntityLike<E>,
    id: unknown,
    { manager }: ReadRecord = {},
  ): Promise<E | null> {
    const given = manager as EntityManager | undefined;
    const found = this.find(entity, given);
    const runner = given?.queryRunner ?? found.observed.dataSource.createQueryRunner('master');
    try {
      return (await this.read(found, id, runner)) as E | null;
    } finally {
      if (runner !== given?.queryRunner) await runner.release();
    }
  }

  private read(found: Found, id: unknown, runner: QueryRunner): Promise<object | null> {
    const { metadata } = found;
    const identifier = metadata.ensureEntityIdMap(id);
    const { dialect } = found.observed.catalog;
    const column = versionedOf(found)?.column;
    return currentRow({ metadata, identifier, dialect, column }, runner);
  }

  private find(entity: EntityLike, manager?: EntityManager): Found {
    const { options } = entity as Partial<EntitySchemaLike>;
    const target = options ? (options.target ?? options.name) : entity;
    for (const observed of this.sources()) {
      if (manager && observed.dataSource !== manager.dataSource) continue;
      const metadata = observed.dataSource.entityMetadatas.find(
        (each) => each.target === target || (typeof target === 'string' && each.name === target),
      );
      if (metadata) return { observed, metadata };
    }
    throw new CacheOpsDependencyError(
      'UNKNOWN_ENTITY',
      'an entity of an observed DataSource, or an object of its class',
      entity,
    );
  }
}

const classOf = (object: object): EntityLike => object.constructor as never;

const versionedOf = ({ observed, metadata }: Found): VersionedEntity | undefined =>
  observed.versions?.entities.of(metadata) ?? unguardedEntity(metadata, observed.catalog.dialect);
