import { createHash } from 'node:crypto';
import type { DataSource, EntityMetadata } from 'typeorm';

type ColumnMetadata = EntityMetadata['columns'][number];
type RelationMetadata = EntityMetadata['relations'][number];
type EmbeddedMetadata = EntityMetadata['embeddeds'][number];

/**
 * Hash over all that decides what a row is hydrated to: entities, tables, columns, relations, embedded objects,
 * inheritance. The same in every process that runs the same code, whatever the order its entities were listed in.
 */
export function schemaFingerprint(dataSource: DataSource): string {
  const { type, entitySkipConstructor, typename } = dataSource.options;
  const entities = sorted(
    dataSource.entityMetadatas.map((metadata) => JSON.stringify(describeEntity(metadata))),
  );
  const text = JSON.stringify([type, entitySkipConstructor ?? false, typename ?? null, entities]);
  return createHash('sha256').update(text).digest('base64url');
}

function describeEntity(metadata: EntityMetadata): unknown {
  return [
    metadata.name,
    metadata.targetName,
    metadata.tablePath,
    metadata.tableType,
    metadata.expression?.toString() ?? null,
    [metadata.inheritancePattern ?? null, metadata.discriminatorColumn?.databaseName ?? null],
    metadata.discriminatorValue ?? null,
    sorted(metadata.columns.map((column) => JSON.stringify(describeColumn(column)))),
    sorted(metadata.relations.map((relation) => JSON.stringify(describeRelation(relation)))),
    metadata.embeddeds.map(describeEmbedded),
    sorted(
      metadata.relationIds.map(({ propertyName, relation }) => `${propertyName}:${relation.propertyPath}`),
    ),
  ];
}

function describeColumn(column: ColumnMetadata): unknown {
  return [
    column.propertyPath,
    column.databaseName,
    typeof column.type === 'function' ? column.type.name : column.type,
    [
      column.isArray,
      column.isPrimary,
      column.isSelect,
      column.isNullable,
      column.isVirtual,
      column.isVirtualProperty,
    ],
    [column.length, column.precision ?? null, column.scale ?? null, column.enum ?? null],
    describeTransformer(column.transformer),
    column.query?.(column.databaseName) ?? null,
  ];
}

/** With the source of `from`: what it makes is stored, so another `from` must not find it. */
function describeTransformer(transformer: ColumnMetadata['transformer']): string[] {
  if (!transformer) return [];
  const all: { readonly from: unknown }[] = Array.isArray(transformer) ? transformer : [transformer];
  return all.map(({ from }) => String(from));
}

function describeRelation(relation: RelationMetadata): unknown {
  return [
    relation.propertyPath,
    relation.relationType,
    relation.inverseEntityMetadata.name,
    relation.inverseEntityMetadata.tablePath,
    [relation.isLazy, relation.isEager],
    relation.joinColumns.map((column) => [
      column.databaseName,
      column.referencedColumn?.databaseName ?? null,
    ]),
    relation.junctionEntityMetadata?.tablePath ?? null,
  ];
}

function describeEmbedded(embedded: EmbeddedMetadata): unknown {
  const { type } = embedded;
  return [
    embedded.propertyPath,
    typeof type === 'function' ? type.name : type,
    embedded.embeddeds.map(describeEmbedded),
  ];
}

function sorted(texts: string[]): string[] {
  return texts.sort();
}
