import type { EntityMetadata, ObjectLiteral, QueryRunner } from 'typeorm';
import type { ColumnMetadata } from 'typeorm/metadata/ColumnMetadata.js';
import type { RelationMetadata } from 'typeorm/metadata/RelationMetadata.js';
import type { Subject } from 'typeorm/persistence/Subject.js';
import type { SubjectExecutor } from './subject-executor.js';
import type { VersionedEntities } from './versioned-entities.js';
import type { VersionedEntity } from './versioned-entity.js';

interface Ownership {
  readonly owner: VersionedEntity;
  readonly relation: RelationMetadata;
}

/** Whose version changes because rows of theirs do. */
export interface ChangedOwners {
  /** Those that are saved together with their rows: they are checked like any other. */
  readonly subjects: ReadonlySet<Subject>;
  /** Gives the others their next version; what version they had, nobody has said. */
  increment(runner: QueryRunner): Promise<void>;
}

/** Rows that are a part of another entity (`owns`): lines of an order, labels of an item. */
export class OwnedRows {
  /** By the entity of the owned rows; of a many-to-many relation, that of the junction. */
  private readonly owners = new Map<EntityMetadata, Ownership[]>();

  constructor(entities: VersionedEntities) {
    for (const owner of entities.all) {
      for (const relation of relationsOf(owner)) {
        const member = relation.junctionEntityMetadata ?? relation.inverseEntityMetadata;
        for (const each of [member, ...member.childEntityMetadatas]) {
          this.owners.set(each, [...(this.owners.get(each) ?? []), { owner, relation }]);
        }
      }
    }
  }

  /**
   * The owners of all rows that a save changes; called when it has inserted and not yet updated.
   * @returns `undefined` when nothing is owned at all
   */
  changedBy(executor: SubjectExecutor): ChangedOwners | undefined {
    if (this.owners.size === 0) return undefined;
    const subjects = new Set<Subject>();
    const others = new Map<string, () => Promise<readonly Row[]>>();
    for (const member of membersOf(executor)) {
      for (const ownership of this.owners.get(member.metadata) ?? []) {
        const { owner } = ownership;
        const known = ownerIds(member, ownership.relation);
        for (const id of known) {
          const subject = executor.allSubjects.find((each) => isRow(each, owner, id));
          if (!subject) others.set(owner.rowKey(id), () => Promise.resolve([{ owner, id }]));
          else if (subject.databaseEntity && !subject.mustBeRemoved) subjects.add(subject);
        }
        if (known.length === 0 && member.identifier)
          others.set(`?${others.size}`, () => lookUp(member, ownership, executor.queryRunner));
      }
    }
    return { subjects, increment: (runner) => incrementAll([...others.values()], runner) };
  }
}

interface Row {
  readonly owner: VersionedEntity;
  readonly id: ObjectLiteral;
}

/** `owns`, and relations among the properties that count. */
function relationsOf({ metadata, policy }: VersionedEntity): RelationMetadata[] {
  const paths = new Set([...policy.owns, ...(policy.fields ?? [])]);
  return metadata.relations.filter(
    (relation) => paths.has(relation.propertyPath) && !relation.isManyToOne && !relation.isOneToOneOwner,
  );
}

const membersOf = (executor: SubjectExecutor): Set<Subject> =>
  new Set([
    ...executor.insertSubjects,
    ...executor.updateSubjects,
    ...executor.removeSubjects,
    ...executor.softRemoveSubjects,
    ...executor.recoverSubjects,
  ]);

const isRow = (
  { metadata, entity, identifier }: Subject,
  owner: VersionedEntity,
  id: ObjectLiteral,
): boolean =>
  entity !== undefined &&
  identifier !== undefined &&
  metadata.tablePath === owner.metadata.tablePath &&
  owner.rowKey(identifier) === owner.rowKey(id);

/** Keys of the rows that own this one, before and after, as far as the save itself tells. */
function ownerIds(member: Subject, relation: RelationMetadata): ObjectLiteral[] {
  const junction = relation.junctionEntityMetadata;
  if (junction) {
    const columns = relation.isOwning ? junction.ownerColumns : junction.inverseColumns;
    return [referenced(columns, member.insertedValueSet ?? member.identifier)].filter(isId);
  }
  const { parentSubject, entity, databaseEntity } = member;
  const columns = relation.inverseRelation?.joinColumns ?? [];
  const parent =
    parentSubject?.metadata.tablePath === relation.entityMetadata.tablePath
      ? parentSubject.identifier
      : undefined;
  return [parent, referenced(columns, entity), referenced(columns, databaseEntity)].filter(isId);
}

const isId = (id: ObjectLiteral | undefined): id is ObjectLiteral => id !== undefined;

/** The key that foreign key columns of a row refer to; `undefined` when it is not known, or none. */
function referenced(
  columns: readonly ColumnMetadata[],
  row: ObjectLiteral | undefined,
): ObjectLiteral | undefined {
  if (!row || columns.length === 0) return undefined;
  const id: ObjectLiteral = {};
  for (const column of columns) {
    const value: unknown = column.getEntityValue(row);
    if (value === undefined || value === null) return undefined;
    column.referencedColumn?.setEntityValue(id, value);
  }
  return id;
}

/** A row that was saved without the relation to its owner: the database knows the owner. */
async function lookUp(
  { metadata, identifier }: Subject,
  { owner, relation }: Ownership,
  runner: QueryRunner,
): Promise<readonly Row[]> {
  const { inverseRelation } = relation;
  if (!inverseRelation || relation.junctionEntityMetadata) return [];
  const stored = await runner.manager
    .createQueryBuilder<ObjectLiteral>(metadata.target, 'cacheops_member')
    .setFindOptions({
      where: identifier,
      loadEagerRelations: false,
      loadRelationIds: { relations: [inverseRelation.propertyPath], disableMixedMap: true },
      withDeleted: true,
    })
    .getOne();
  const id = referenced(inverseRelation.joinColumns, stored ?? undefined);
  return id ? [{ owner, id }] : [];
}

async function incrementAll(
  rows: readonly (() => Promise<readonly Row[]>)[],
  runner: QueryRunner,
): Promise<void> {
  const done = new Set<string>();
  for (const find of rows) {
    for (const { owner, id } of await find()) {
      if (done.has(owner.rowKey(id)) || !owner.isIncremented(undefined)) continue;
      done.add(owner.rowKey(id));
      const name = runner.manager.dataSource.driver.escape(owner.column.databaseName);
      const counter = owner.version.kind === 'column' ? owner.column.createValueMap(() => `${name} + 1`) : {};
      await runner.manager
        .createQueryBuilder()
        .update(owner.metadata.target)
        .set(counter)
        .where(id)
        .callListeners(false)
        .execute();
    }
  }
}
