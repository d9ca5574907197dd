import type { ObjectLiteral } from 'typeorm';
import type { ColumnMetadata } from 'typeorm/metadata/ColumnMetadata.js';
import type { Subject } from 'typeorm/persistence/Subject.js';
import { connectionOf } from '../observe-runner.js';
import { ArmedRows, type ArmingParts } from './armed-rows.js';
import { isConcurrentChange } from './database-refusals.js';
import { journalled } from './entity-journal.js';
import type { Expectation } from './expectations.js';
import type { ChangedOwners, OwnedRows } from './owned-rows.js';
import type { ExecutorGuard, SubjectExecutor } from './subject-executor.js';
import type { SeenVersion } from './version-columns.js';
import type { VersionedEntity } from './versioned-entity.js';

/** What a guard of `save`, `remove`, `softRemove` and `recover` works with. */
export interface GuardParts extends ArmingParts {
  readonly owned: OwnedRows;
}

type SubjectList = 'updateSubjects' | 'softRemoveSubjects' | 'recoverSubjects';
type Proceed = () => Promise<void>;

/**
 * Stands in front of TypeORM's executor: says for each row which version it must still have, and leaves it to the
 * builders (`guardedBuilders`) to put that into the statements that TypeORM makes anyway.
 */
export class PersistenceGuard implements ExecutorGuard {
  private readonly rows: ArmedRows;

  constructor(private readonly parts: GuardParts) {
    this.rows = new ArmedRows(parts);
  }

  /** TypeORM has nothing to do for a row that it did not find; here that is a conflict. */
  recompute(executor: SubjectExecutor, proceed: () => void): void {
    proceed();
    executor.hasExecutableOperations ||= executor.allSubjects.some(
      (subject) =>
        (subject.canBeSoftRemoved || subject.canBeRecovered) && this.rows.vanished(subject) !== undefined,
    );
  }

  executeInsertOperations(executor: SubjectExecutor, proceed: Proceed): Promise<void> {
    return executor.insertSubjects.length > 0 ? this.insert(executor, proceed) : proceed();
  }

  executeUpdateOperations(executor: SubjectExecutor, proceed: Proceed): Promise<void> {
    const owners = this.parts.owned.changedBy(executor);
    return owners || executor.updateSubjects.length > 0 ? this.update(executor, owners, proceed) : proceed();
  }

  executeRemoveOperations(executor: SubjectExecutor, proceed: Proceed): Promise<void> {
    return executor.removeSubjects.length > 0 ? this.remove(executor, proceed) : proceed();
  }

  executeSoftRemoveOperations(executor: SubjectExecutor, proceed: Proceed): Promise<void> {
    const meant = executor.allSubjects.filter(({ canBeSoftRemoved }) => canBeSoftRemoved);
    return meant.length > 0
      ? this.armedOneByOne(executor, 'softRemoveSubjects', 'softRemove', meant, proceed)
      : proceed();
  }

  executeRecoverOperations(executor: SubjectExecutor, proceed: Proceed): Promise<void> {
    const meant = executor.allSubjects.filter(({ canBeRecovered }) => canBeRecovered);
    return meant.length > 0
      ? this.armedOneByOne(executor, 'recoverSubjects', 'recover', meant, proceed)
      : proceed();
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

  private async insert(executor: SubjectExecutor, proceed: Proceed): Promise<void> {
    const guarded: [Subject, VersionedEntity][] = [];
    for (const subject of executor.insertSubjects) {
      const versioned = this.parts.entities.of(subject.metadata);
      if (!versioned || !subject.entity || !versioned.isChecked(subject.entity)) continue;
      const gone = this.rows.armInsert(subject, versioned);
      if (gone) throw await this.parts.conflicts.refusal(gone, null);
      guarded.push([subject, versioned]);
    }
    await proceed();
    for (const [subject, { version }] of guarded) {
      // What TypeORM reads back goes through the transformer twice.
      const isRead = executor.options?.reload !== false && !version.column.transformer;
      if (!isRead) setGenerated(subject, version.column, version.next(undefined));
    }
  }

  private async update(
    executor: SubjectExecutor,
    owners: ChangedOwners | undefined,
    proceed: Proceed,
  ): Promise<void> {
    const isOwner = (subject: Subject): boolean => owners?.subjects.has(subject) === true;
    const all = owners
      ? [...new Set([...executor.updateSubjects, ...owners.subjects])]
      : executor.updateSubjects;
    executor.updateSubjects = all.filter((subject) => this.rows.armUpdate(subject, isOwner(subject)));
    // TypeORM's own order: nested sets last.
    const order = (subject: Subject): number => Number(subject.metadata.treeType === 'nested-set');
    executor.updateSubjects.sort((a, b) => order(a) - order(b));
    await this.oneByOne(executor, 'updateSubjects', proceed);
    await owners?.increment(executor.queryRunner);
  }

  private async remove(executor: SubjectExecutor, proceed: Proceed): Promise<void> {
    const subjects = executor.removeSubjects;
    for (const subject of subjects) this.rows.arm(subject, 'remove');
    try {
      await proceed();
    } catch (error) {
      throw await this.explained(error, executor, subjects);
    }
  }

  private async armedOneByOne(
    executor: SubjectExecutor,
    list: SubjectList,
    operation: 'softRemove' | 'recover',
    meant: readonly Subject[],
    proceed: Proceed,
  ): Promise<void> {
    for (const subject of meant) {
      const gone = this.rows.vanished(subject);
      if (gone) throw await this.parts.conflicts.refusal({ ...gone, operation }, null);
    }
    for (const subject of executor[list]) this.rows.arm(subject, operation);
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
        const expectation = subjects.length > 1 ? this.first(subject, written) : this.expectationOf(subject);
        await proceed();
        if (expectation?.seen) this.settle(executor, subject, expectation);
      }
    } catch (error) {
      throw await this.explained(error, executor, executor[list]);
    } finally {
      executor[list] = subjects;
    }
  }

  private expectationOf({ identifier }: Subject): Expectation | undefined {
    return this.parts.expectations.of(identifier);
  }

  /** The same row a second time in one save: it is locked by our own statement, and has our own version. */
  private first(subject: Subject, written: Map<string, SeenVersion['token']>): Expectation | undefined {
    const expectation = this.expectationOf(subject);
    if (!expectation?.seen) return undefined;
    const key = expectation.versioned.rowKey(expectation.identifier);
    if (written.get(key) === expectation.seen.token) {
      this.parts.expectations.set(subject.identifier as ObjectLiteral, { ...expectation, seen: undefined });
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

  /** What the database itself has refused, as a conflict where it is one. */
  private async explained(
    error: unknown,
    executor: SubjectExecutor,
    subjects: readonly Subject[],
  ): Promise<unknown> {
    if (!isConcurrentChange(error)) return error;
    const attempt = subjects.map((subject) => this.expectationOf(subject)).find((each) => each?.seen);
    if (!attempt) return error;
    return (await this.parts.conflicts.explain(attempt, executor.queryRunner, error)) ?? error;
  }
}

function setGenerated(
  subject: Subject,
  column: ColumnMetadata,
  next: { readonly value: unknown } | undefined,
): void {
  if (next) column.setEntityValue((subject.generatedMap ??= {}), next.value);
}
