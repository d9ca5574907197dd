import type { EntityMetadata, QueryRunner } from 'typeorm';
import type { QueryExpressionMap } from 'typeorm/query-builder/QueryExpressionMap.js';

/** What is reached of TypeORM's builders of writes; `hookFailure` tries it. */
export interface WriteBuilder {
  readonly expressionMap: QueryExpressionMap;
  queryRunner: QueryRunner | undefined;
  readonly alias: string;
  escape(name: string): string;
  getTableName(path: string): string;
}

export interface WriteResult {
  readonly affected?: number | null | undefined;
}

/** The entity that a builder writes; `undefined` for a table without one. */
export const metadataOf = ({ expressionMap: { mainAlias } }: WriteBuilder): EntityMetadata | undefined =>
  mainAlias?.hasMetadata ? mainAlias.metadata : undefined;
