import type { DataSource, EntityMetadata, ObjectLiteral } from 'typeorm';
import type { ColumnMetadata } from 'typeorm/metadata/ColumnMetadata.js';
import type { RelationMetadata } from 'typeorm/metadata/RelationMetadata.js';
import { columnPart } from './column-values.js';
import { isToMany, relationPart, unionOf } from './relation-values.js';
import type { MergeField, MergePart } from './three-way.js';

/** How the rows of an entity are merged. */
export interface EntityFields {
  /** What an application edits. */
  readonly fields: readonly MergeField<ObjectLiteral>[];
  /** What the database or TypeORM keeps: always as the other side has written it. */
  readonly kept: readonly MergePart<ObjectLiteral>[];
}

/** The fields of an entity, embedded ones and relations included; relations that cannot be saved are left out. */
export function entityFields(dataSource: DataSource, metadata: EntityMetadata): EntityFields {
  const part = (column: ColumnMetadata): MergePart<ObjectLiteral> => columnPart(dataSource, column);
  const columns = metadata.columns.filter((column) => !column.isVirtual && !column.isVirtualProperty);
  const relations = metadata.relations.filter(({ persistenceEnabled }) => persistenceEnabled);
  const foreign = new Set(
    relations.flatMap(({ joinColumns, isWithJoinColumn }) => (isWithJoinColumn ? joinColumns : [])),
  );
  const plain = columns.filter((column) => isEdited(column) && !foreign.has(column));
  return {
    fields: [
      ...plain.map((column) => ({ path: column.propertyPath, parts: [part(column)] })),
      ...relations.map((relation) => relationField(relation, part)),
    ],
    kept: columns.filter((column) => !isEdited(column) && !column.isPrimary).map(part),
  };
}

/** A foreign key that is a property of its own is decided together with its relation. */
function relationField(
  relation: RelationMetadata,
  part: (column: ColumnMetadata) => MergePart<ObjectLiteral>,
): MergeField<ObjectLiteral> {
  const path = relation.propertyPath;
  if (isToMany(relation)) return { path, parts: [relationPart(relation)], union: unionOf(relation) };
  const columns = relation.isWithJoinColumn ? relation.joinColumns : [];
  const own = columns.filter((column) => !column.isVirtual && isEdited(column));
  return { path, parts: [...own.map(part), relationPart(relation)] };
}

const isEdited = (column: ColumnMetadata): boolean =>
  !column.isPrimary &&
  !column.isVersion &&
  !column.isCreateDate &&
  !column.isUpdateDate &&
  !column.isDeleteDate &&
  !column.isDiscriminator &&
  !column.isTreeLevel &&
  !column.isNestedSetLeft &&
  !column.isNestedSetRight &&
  !column.isMaterializedPath &&
  column.isUpdate &&
  column.generatedType === undefined &&
  column.generationStrategy === undefined;
