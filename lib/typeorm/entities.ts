import type { EntityMetadata, SelectQueryBuilder } from 'typeorm';
import { CacheOpsDependencyError } from '../cacheops.errors.js';
import { keyPart } from '../core/cache-key.js';
import type { TableDependency } from '../core/dependencies.js';
import type { EntityLike, EntityModel, EntitySchemaLike, QueryExplanation } from '../core/entity-model.js';
import type { TypeOrmCatalog } from './catalog.js';
import { explainQuery } from './explain.js';
import { reloadRow } from './reload-row.js';

import type { ObservedDataSource } from './observed-data-source.js';
import { RowConditions, type RowCondition } from './row-conditions.js';

interface Found {
  readonly observed: ObservedDataSource;
  readonly metadata: EntityMetadata;
}

const ANY_ROW: readonly RowCondition[] = [new Map()];

/**
 * The entities of all observed DataSources. An entity that is in several of them means its table in each: which one
 * is meant cannot be told, and one too many costs a miss.
 */
export class Entities implements EntityModel {
  /** @param sources is asked at each use: DataSources may be attached later */
  constructor(private readonly sources: () => readonly ObservedDataSource[]) {}

  isEntity(value: unknown): boolean {
    return typeof value === 'function' || isSchema(value) ? this.find(value as EntityLike).length > 0 : false;
  }

  hasName(name: string): boolean {
    return this.find(name).length > 0;
  }

  rows(entity: EntityLike, where?: object): readonly TableDependency[] {
    const found = this.find(entity);
    if (found.length === 0)
      throw this.unknown('an entity class, an EntitySchema or the name of an entity', entity);
    return found.flatMap((each) => this.tables(each, where ? conditionsOf(each).of(where) : ANY_ROW));
  }

  row(entity: object): readonly TableDependency[] {
    return this.instance(entity).flatMap((each) => this.tables(each, [conditionsOf(each).ofKey(entity)]));
  }

  image(entity: object): readonly TableDependency[] {
    return this.instance(entity).flatMap((each) => this.tables(each, [conditionsOf(each).ofRow(entity)]));
  }

  async reload(entity: object): Promise<void> {
    this.row(entity);
    const [found] = this.instance(entity);
    if (found) await reloadRow(found.observed.dataSource.manager, found.metadata, entity);
  }

  identity(value: object): string | undefined {
    const metadata = this.find(value.constructor as never)[0]?.metadata;
    if (!metadata) return undefined;
    const parts = metadata.primaryColumns.map((column) => {
      const key: unknown = column.getEntityValue(value);
      return key === undefined || key === null ? undefined : keyPart(key);
    });
    return parts.includes(undefined)
      ? undefined
      : `${metadata.name.length}:${metadata.name}${parts.join('')}`;
  }

  explain(builder: object): QueryExplanation | undefined {
    const {
      connection,
      dataSource = connection,
      expressionMap,
    } = builder as {
      dataSource?: unknown;
      connection?: unknown;
      expressionMap?: unknown;
    };
    const observed = this.sources().find((source) => source.dataSource === dataSource);
    if (!observed || typeof expressionMap !== 'object') return undefined;
    return explainQuery(builder as SelectQueryBuilder<object>, observed);
  }

  private instance(entity: object): readonly Found[] {
    const found = this.find(entity.constructor as never);
    if (found.length === 0)
      throw this.unknown(
        'an object of an entity class (of others, dep(Entity, { id }) tells the entity)',
        entity,
      );
    return found;
  }

  private find(entity: EntityLike): readonly Found[] {
    const target = isSchema(entity) ? (entity.options.target ?? entity.options.name) : entity;
    const matches = (metadata: EntityMetadata): boolean =>
      metadata.target === target || (typeof target === 'string' && metadata.name === target);
    return this.sources().flatMap((observed) =>
      observed.dataSource.entityMetadatas.filter(matches).map((metadata) => ({ observed, metadata })),
    );
  }

  private tables(
    { observed, metadata }: Found,
    conditions: readonly RowCondition[],
  ): readonly TableDependency[] {
    const id = observed.catalog.idOf(metadata);
    if (observed.catalog.get(id)?.kind !== 'view') return [{ table: id, reads: '*', conditions }];
    // Which rows of its tables a row of a view is made of is not known.
    return sourcesOf(observed.catalog, id, metadata).map((table) => ({
      table,
      reads: '*',
      conditions: ANY_ROW,
    }));
  }

  private unknown(expected: string, given: unknown): CacheOpsDependencyError {
    const names = this.sources().flatMap(({ dataSource }) =>
      dataSource.entityMetadatas.map(({ name }) => name),
    );
    const hint =
      names.length > 0
        ? `The entities are ${[...new Set(names)].sort().join(', ')}. Is its DataSource observed?`
        : 'No DataSource is observed';
    return new CacheOpsDependencyError('UNKNOWN_ENTITY', expected, given, hint);
  }
}

const conditionsOf = ({ observed, metadata }: Found): RowConditions => {
  const { dataSource, catalog } = observed;
  const table = catalog.get(catalog.idOf(metadata));
  if (!table) throw new CacheOpsDependencyError('UNKNOWN_ENTITY', 'an entity with a table', metadata.target);
  return new RowConditions(dataSource, metadata, table);
};

/** The tables that a view reads, through other views. */
function sourcesOf(catalog: TypeOrmCatalog, id: string, { target }: EntityMetadata): readonly string[] {
  const tables = new Set<string>();
  const ids = new Set([id]);
  for (const each of ids) {
    const facts = catalog.get(each);
    if (facts?.kind !== 'view') tables.add(each);
    else if (facts.dependsOn) facts.dependsOn.forEach((source) => ids.add(source));
    else {
      const hint = 'List the tables that it reads in dependsOn of its @ViewEntity()';
      throw new CacheOpsDependencyError('UNKNOWN_DEPENDENCY', 'a view whose tables are known', target, hint);
    }
  }
  return [...tables];
}

const isSchema = (value: unknown): value is EntitySchemaLike =>
  typeof (value as Partial<EntitySchemaLike> | null)?.options?.name === 'string';
