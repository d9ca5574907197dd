import type { DataSource, EntityMetadata, QueryRunner } from 'typeorm';
import type { QueryExpressionMap } from 'typeorm/query-builder/QueryExpressionMap.js';
import type { CacheOp } from './profiles.js';
import type { ReadQuery, ReadSubject } from './read-door.js';
import { rowVersionOf } from './versioning/row-version.decorator.js';

/** What the door reaches of a builder: protected in TypeORM's types, stable since 0.2. `test/typeorm/canary.spec.ts` watches it. */
export interface Internals {
  expressionMap: QueryExpressionMap;
  dataSource: DataSource;
  queryRunner: QueryRunner | undefined;
  clone(): Internals;
  loadRawResults(runner: QueryRunner): Promise<Row[]>;
  executeEntitiesAndRawResults(runner: QueryRunner): Promise<EntitiesAndRaw>;
  getQueryAndParameters(): [string, unknown[]];
}
export type Row = Record<string, unknown>;
export interface EntitiesAndRaw {
  entities: object[];
  raw: Row[];
}
/** Variant of a read that is cached as raw rows. */
export const ROWS = 'rows';

export function textOf(self: Internals, variant: string): ReadQuery {
  const [sql, params] = self.getQueryAndParameters();
  return { sql, params, variant };
}

export const mainMetadata = ({ expressionMap }: Internals): EntityMetadata | undefined =>
  expressionMap.mainAlias?.hasMetadata ? expressionMap.mainAlias.metadata : undefined;

/**
 * Whether the same builder gets the same statement next time. That of a virtual column is written anew for each, and may
 * depend on the moment: on the language of a request, say.
 */
export const isConstant = ({ expressionMap }: Internals): boolean =>
  expressionMap.aliases.every((alias) => !alias.hasMetadata || hasConstantColumns(alias.metadata));

function hasConstantColumns(metadata: EntityMetadata): boolean {
  let isKnown = constantColumns.get(metadata);
  if (isKnown === undefined) {
    const rowVersion = rowVersionOf(metadata.target);
    isKnown = metadata.columns.every((column) => !column.query || column.propertyName === rowVersion);
    constantColumns.set(metadata, isKnown);
  }
  return isKnown;
}
const constantColumns = new WeakMap<EntityMetadata, boolean>();

/** Builders whose result is one graph from one analysable text; others are cached as the raw rows of each text. */
export function storesGraph({ expressionMap: map }: Internals): boolean {
  return (
    map.mainAlias?.hasMetadata === true &&
    map.options.length === 0 &&
    map.relationIdAttributes.length === 0 &&
    map.relationLoadStrategy !== 'query' &&
    map.aliases.every((alias) => !alias.hasMetadata || alias.metadata.relationIds.length === 0)
  );
}

/** What decides about the graph beside the text: TypeORM pages joined queries outside it and maps joins by name. */
export function graphVariant({ expressionMap: map }: Internals): string {
  const name = map.mainAlias?.metadata.name;
  if (map.joinAttributes.length === 0) return `graph:${name}`;
  const joins = map.joinAttributes.map((join) => [join.alias.name, join.mapToProperty, join.isMappingMany]);
  const page = map.skip || map.take ? [map.skip, map.take, map.allOrderBys] : 0;
  return `graph:${JSON.stringify([name, joins, page])}`;
}

export function subjectOf({ expressionMap: map }: Internals, op: CacheOp): ReadSubject {
  const metadata = map.mainAlias?.metadata as EntityMetadata;
  return {
    metadata,
    entities: map.aliases.filter((alias) => alias.hasMetadata).map((alias) => alias.metadata),
    op,
    cache: map.cache,
    duration: map.cacheDuration,
    id: map.cacheId,
    refusal: refusalOf(map),
  };
}

function refusalOf(map: QueryExpressionMap): string | undefined {
  if (map.lockMode !== undefined) return `the query locks (${map.lockMode})`;
  // TypeORM's re-select after a write (ReturningResultsEntityUpdator) marks its builder with this option.
  if (map.options.includes('create-pojo')) return 'TypeORM reads back what it wrote';
  return undefined;
}

export function rawOp({ expressionMap: map }: Internals, existsOf: Internals | undefined): CacheOp {
  if (existsOf) return 'exists';
  return map.selects.length === 1 && map.selects[0]?.aliasName === 'cnt'
    ? 'count'
    : map.queryEntity
      ? 'fetch'
      : 'aggregate';
}

/** TypeORM's own result cache must stay out of what we cache or refuse: it cannot invalidate. */
export function uncached(self: Internals): Internals {
  if (!self.dataSource.queryResultCache && self.expressionMap.cache === undefined) return self;
  return withoutResultCache(self);
}

export function withoutResultCache(self: Internals): Internals {
  const copy = self.clone();
  copy.expressionMap.options = self.expressionMap.options;
  copy.expressionMap.cache = false;
  return copy;
}

/** The same query without listeners: `afterLoad` runs on what is handed out, not on what is stored. */
export function silent(self: Internals): Internals {
  const copy = self.clone();
  copy.expressionMap.cache = false;
  copy.expressionMap.callListeners = false;
  return copy;
}

/** Without the connection of its caller, who may be gone when it is used. */
export function detached(copy: Internals): Internals {
  copy.queryRunner = undefined;
  return copy;
}
