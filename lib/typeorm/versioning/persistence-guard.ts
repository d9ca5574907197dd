import type { ObjectLiteral } from 'typeorm';
import type { ColumnMetadata } from 'typeorm/metadata/ColumnMetadata.js';
import type { Subject } from 'typeorm/persistence/Subject.js';
import type { VersionedOperation } from '../../versioning/record-version.js';
import { connectionOf } from '../observe-runner.js';
import type { Conflicts } from './conflicts.js';
import { isConcurrentChange } from './database-refusals.js';
import { journalled } from './entity-journal.js';
import type { Expectation, Expectations } from './expectations.js';
import type { OwnedRows } from './owned-rows.js';
import type { Snapshots } from './snapshots.js';
import type { ExecutorGuard, SubjectExecutor } from './subject-executor.js';
import type { SeenVersion } from './version-columns.js';
import type { VersionedEntities } from './versioned-entities.js';
import type { VersionedEntity } from './versioned-entity.js';

/** What a guard of `save`, `remove`, `softRemove` and `recover` works with. */
export interface GuardParts {
  readonly entities: VersionedEntities;
  readonly expectations: Expectations;
  readonly conflicts: Conflicts;
  readonly snapshots: Snapshots;
  readonly owned: OwnedRows;
}

type SubjectList = 'updateSubjects' | 'softRemoveSubjects' | 'recoverSubjects';
type Proceed = () => Promise<void>;

/**
 * Stands in front of TypeORM's executor: says for each row which version it must still have, and leaves it to the
 * builders (`guardedWrites`) to put that into the statements that TypeORM makes anyway.
 */
export class PersistenceGuard implements ExecutorGuard {
  constructor(private readonly parts: GuardParts) {}

  /** TypeORM has nothing to do for a row that it did not find; here that is a conflict. */
  recompute(executor: SubjectExecutor, proceed: () => void): void {
    proceed();
    executor.hasExecutableOperations ||= executor.allSubjects.some(
      (subject) =>
        (subject.canBeSoftRemoved || subject.canBeRecovered) && this.vanished(subject) !== undefined,
    );
  }

  /** An entity with a version was stored before: inserting it would bring a deleted row back to life. */
  async executeInsertOperations(executor: SubjectExecutor, proceed: Proceed): Promise<void> {
    const guarded: [Subject, VersionedEntity][] = [];
    for (const subject of executor.insertSubjects) {
      const versioned = this.parts.entities.of(subject.metadata);
      if (!versioned || !subject.entity || !versioned.isChecked(subject.entity)) continue;
      this.assertNeverStored(subject, versioned);
      dropChange(subject, versioned.column);
      guarded.push([subject, versioned]);
    }
    await proceed();
    for (const [subject, { version }] of guarded) {
      // What TypeORM reads back goes through the transformer twice.
      const isRead = executor.options?.reload !== false && !version.column.transformer;
      if (!isRead) setGenerated(subject, version.column, version.next(undefined));
    }
  }

  async executeUpdateOperations(executor: SubjectExecutor, proceed: Proceed): Promise<void> {
    const owners = this.parts.owned.changedBy(executor);
    const all = [...new Set([...executor.updateSubjects, ...owners.subjects])];
    executor.updateSubjects = all.filter((subject) => this.armUpdate(subject, owners.subjects.has(subject)));
    // TypeORM's own order: nested sets last.
    const order = (subject: Subject): number => Number(subject.metadata.treeType === 'nested-set');
    executor.updateSubjects.sort((a, b) => order(a) - order(b));
    await this.oneByOne(executor, 'updateSubjects', proceed);
    await owners.increment(executor.queryRunner);
  }

  async executeRemoveOperations(executor: SubjectExecutor, proceed: Proceed): Promise<void> {
    for (const subject of executor.removeSubjects) this.arm(subject, 'remove');
    await this.translated(executor, executor.removeSubjects, proceed);
  }

  executeSoftRemoveOperations(executor: SubjectExecutor, proceed: Proceed): Promise<void> {
    return this.armedOneByOne(executor, 'softRemoveSubjects', 'softRemove', proceed);
  }

  executeRecoverOperations(executor: SubjectExecutor, proceed: Proceed): Promise<void> {
    return this.armedOneByOne(executor, 'recoverSubjects', 'recover', proceed);
  }

  updateSpecialColumnsInPersistedEntities(executor: SubjectExecutor, proceed: () => void): void {
    const { insertSubjects, updateSubjects, removeSubjects, softRemoveSubjects, recoverSubjects } = executor;
    const subjects = [
      ...new Set([
        ...insertSubjects,
        ...updateSubjects,
        ...removeSubjects,
        ...softRemoveSubjects,
        ...recoverSubjects,
      ]),
    ];
    journalled(connectionOf(executor.queryRunner), this.parts.snapshots, subjects, proceed);
  }

  private async armedOneByOne(
    executor: SubjectExecutor,
    list: SubjectList,
    operation: 'softRemove' | 'recover',
    proceed: Proceed,
  ): Promise<void> {
    for (const subject of executor.allSubjects) {
      const isMeant = operation === 'softRemove' ? subject.canBeSoftRemoved : subject.canBeRecovered;
      const gone = isMeant ? this.vanished(subject) : undefined;
      if (gone) throw this.parts.conflicts.error({ ...gone, operation }, 'deleted', null);
    }
    for (const subject of executor[list]) this.arm(subject, operation);
    await this.oneByOne(executor, list, proceed);
  }

  /**
   * One statement after the other, on a connection that can do no more anyway. TypeORM starts all of them together on
   * some databases: then those that are still to come would run after the rollback that the first conflict causes.
   */
  private async oneByOne(executor: SubjectExecutor, list: SubjectList, proceed: Proceed): Promise<void> {
    const subjects = executor[list];
    if (!subjects.some((subject) => this.parts.entities.of(subject.metadata))) return proceed();
    const written = new Map<string, SeenVersion['token']>();
    try {
      for (const subject of subjects) {
        executor[list] = [subject];
        const expectation = this.first(subject, written);
        await this.translated(executor, [subject], proceed);
        if (expectation?.seen) this.settle(executor, subject, expectation);
      }
    } finally {
      executor[list] = subjects;
    }
  }

  /** The same row a second time in one save: it is locked by our own statement, and has our own version. */
  private first(subject: Subject, written: Map<string, SeenVersion['token']>): Expectation | undefined {
    const { expectations } = this.parts;
    const expectation = expectations.of(subject.identifier);
    if (!expectation?.seen) return undefined;
    const key = expectation.versioned.rowKey(expectation.identifier);
    if (written.get(key) === expectation.seen.token) {
      expectations.set(subject.identifier as ObjectLiteral, { ...expectation, seen: undefined });
      return undefined;
    }
    written.set(key, expectation.seen.token);
    return expectation;
  }

  /**
   * The version that the entity gets. What TypeORM read back is not it when it read nothing, or when another write came
   * between the two statements because there is no transaction.
   */
  private settle({ options, queryRunner }: SubjectExecutor, subject: Subject, done: Expectation): void {
    const { version } = done.versioned;
    const readBack = options?.reload !== false && queryRunner.isTransactionActive;
    if (readBack && !version.column.transformer) return;
    setGenerated(
      subject,
      version.column,
      done.hold ? done.seen && { value: done.seen.value } : version.next(done.seen),
    );
  }

  private async translated(
    executor: SubjectExecutor,
    subjects: readonly Subject[],
    proceed: Proceed,
  ): Promise<void> {
    try {
      await proceed();
    } catch (error) {
      const { expectations, conflicts } = this.parts;
      const attempts = subjects.flatMap(({ identifier }) => expectations.of(identifier) ?? []);
      const [attempt] = attempts.filter(({ seen }) => seen);
      if (!attempt || !isConcurrentChange(error)) throw error;
      throw (await conflicts.explain(attempt, executor.queryRunner, error)) ?? error;
    }
  }

  /** @returns false when there is nothing left to write */
  private armUpdate(subject: Subject, isOwner: boolean): boolean {
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

  private arm(subject: Subject, operation: VersionedOperation, isOwner = false): Expectation | undefined {
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
      (!versioned.isIncremented(entity) || !(isOwner || versioned.counts(changedProperties(subject))));
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

  private assertNeverStored(subject: Subject, versioned: VersionedEntity): void {
    const mine = subject.entity as ObjectLiteral;
    const seen = (subject.identifier && versioned.asked(subject.identifier)) ?? versioned.read(mine);
    // Counters begin at 1: a property that is initialised with 0 says nothing.
    if (!seen || seen.token === 0 || !subject.databaseEntityLoaded) return;
    const identifier = subject.identifier as ObjectLiteral;
    throw this.parts.conflicts.error(
      { versioned, operation: 'save', identifier, seen, mine },
      'deleted',
      null,
    );
  }

  /** What is known of an entity that was stored once, and whose row TypeORM did not find. */
  private vanished(subject: Subject): Omit<Expectation, 'operation'> | undefined {
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

function setGenerated(
  subject: Subject,
  column: ColumnMetadata,
  next: { readonly value: unknown } | undefined,
): void {
  if (next) column.setEntityValue((subject.generatedMap ??= {}), next.value);
}

const changedProperties = ({ changeMaps }: Subject): string[] =>
  changeMaps.flatMap(({ column, relation }) => [
    ...(column ? [column.propertyPath] : []),
    ...(relation ? [relation.propertyPath] : []),
    ...(column?.relationMetadata ? [column.relationMetadata.propertyPath] : []),
  ]);
