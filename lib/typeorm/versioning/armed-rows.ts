import type { ObjectLiteral } from 'typeorm';
import type { ColumnMetadata } from 'typeorm/metadata/ColumnMetadata.js';
import type { Subject } from 'typeorm/persistence/Subject.js';
import type { VersionedOperation } from '../../versioning/record-version.js';
import type { Attempt, Conflicts } from './conflicts.js';
import type { Expectation, Expectations } from './expectations.js';
import type { Snapshots } from './snapshots.js';
import type { SeenVersion } from './version-columns.js';
import type { VersionedEntities } from './versioned-entities.js';
import type { VersionedEntity } from './versioned-entity.js';

export interface ArmingParts {
  readonly entities: VersionedEntities;
  readonly expectations: Expectations;
  readonly conflicts: Conflicts;
  readonly snapshots: Snapshots;
}

/** Says for each row of a save which version it must still have, or refuses it at once. */
export class ArmedRows {
  constructor(private readonly parts: ArmingParts) {}

  /** @returns false when there is nothing left to write */
  armUpdate(subject: Subject, isOwner: boolean): boolean {
    const versioned = this.parts.entities.of(subject.metadata);
    if (!versioned) return true;
    dropChange(subject, versioned.column);
    const expectation = this.arm(subject, 'save', isOwner);
    const { entity } = subject;
    if (!entity || !expectation) return true;
    const isStale = expectation.seen !== undefined && expectation.before?.token !== expectation.seen.token;
    if (!isStale && versioned.policy.fields) {
      const { snapshots } = this.parts;
      subject.changeMaps = subject.changeMaps.filter(
        ({ column }) => !column || !snapshots.isUnchanged(entity, column),
      );
    }
    return isStale || isOwner || subject.changeMaps.length > 0;
  }

  arm(subject: Subject, operation: VersionedOperation, isOwner = false): Expectation | undefined {
    const versioned = this.parts.entities.of(subject.metadata);
    const { identifier, entity, databaseEntity } = subject;
    if (!versioned || !identifier) return undefined;
    const before = databaseEntity
      ? versioned.read(databaseEntity)
      : subject.databaseEntityLoaded
        ? null
        : undefined;
    // A row that this very save has inserted is nobody else's yet.
    const seen =
      entity && !subject.insertedValueSet ? this.expected(versioned, subject, operation) : undefined;
    const hold =
      operation === 'save' &&
      (!versioned.isIncremented(entity) || !(isOwner || versioned.counts(() => changedProperties(subject))));
    // A copy: TypeORM puts what it reads back into the identifier.
    const expectation = {
      versioned,
      operation,
      identifier: { ...identifier },
      seen,
      mine: entity,
      hold,
      before,
    };
    this.parts.expectations.set(identifier, expectation);
    return expectation;
  }

  /** @throws RecordModifiedError `missing-version`, or `modified` when another version was asked for */
  private expected(
    versioned: VersionedEntity,
    { entity, identifier }: Subject,
    operation: VersionedOperation,
  ): SeenVersion | undefined {
    const mine = entity as ObjectLiteral;
    if (!versioned.isChecked(mine)) return undefined;
    const seen = versioned.read(mine);
    const asked = versioned.asked(identifier as ObjectLiteral);
    const attempt = { versioned, operation, identifier: identifier as ObjectLiteral, seen: asked, mine };
    if (seen && !Number.isNaN(seen.token)) {
      if (asked && asked.token !== seen.token)
        throw this.parts.conflicts.error(attempt, 'modified', undefined);
      return seen;
    }
    if (!seen && (asked || versioned.policy.missing === 'skip')) return asked;
    throw this.parts.conflicts.error(attempt, 'missing-version', undefined);
  }

  /** @returns what was stored before: inserting it would bring a deleted row back to life */
  armInsert(subject: Subject, versioned: VersionedEntity): Attempt | undefined {
    const mine = subject.entity as ObjectLiteral;
    const seen = (subject.identifier && versioned.asked(subject.identifier)) ?? versioned.read(mine);
    // Counters begin at 1: a property that is initialised with 0 says nothing.
    const isStored = seen && seen.token !== 0 && subject.databaseEntityLoaded;
    if (isStored)
      return { versioned, operation: 'save', identifier: subject.identifier as ObjectLiteral, seen, mine };
    dropChange(subject, versioned.column);
    return undefined;
  }

  /** What is known of an entity that was stored once, and whose row TypeORM did not find. */
  vanished(subject: Subject): Omit<Expectation, 'operation'> | undefined {
    const { entity: mine, identifier } = subject;
    const versioned = this.parts.entities.of(subject.metadata);
    if (!versioned || !mine || !identifier || !subject.databaseEntityLoaded || subject.databaseEntity)
      return undefined;
    const seen = versioned.isChecked(mine) ? versioned.read(mine) : undefined;
    return seen && { versioned, identifier, seen, mine, hold: false, before: null };
  }
}

/** A client's version is never written: TypeORM takes one that differs from the row's for a change. */
function dropChange(subject: Subject, column: ColumnMetadata): void {
  subject.changeMaps = subject.changeMaps.filter((change) => change.column !== column);
}

const changedProperties = ({ changeMaps }: Subject): string[] =>
  changeMaps.flatMap(({ column, relation }) => [
    ...(column ? [column.propertyPath] : []),
    ...(relation ? [relation.propertyPath] : []),
    ...(column?.relationMetadata ? [column.relationMetadata.propertyPath] : []),
  ]);
