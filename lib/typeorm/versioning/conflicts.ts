import type { EntityMetadata, ObjectLiteral, QueryRunner } from 'typeorm';
import { RecordModifiedError } from '../../versioning/record-modified.error.js';
import type { ConflictKind, VersionedOperation } from '../../versioning/record-version.js';
import { connectionOf } from '../observe-runner.js';
import { currentRow } from './current-row.js';
import type { Snapshots } from './snapshots.js';
import type { SeenVersion } from './version-columns.js';
import type { VersionedEntity } from './versioned-entity.js';

/** A write of one row, and what its version was when it was read. */
export interface Attempt {
  readonly versioned: VersionedEntity;
  readonly operation: VersionedOperation;
  readonly identifier: ObjectLiteral;
  readonly seen: SeenVersion | undefined;
  /** What was to be written. */
  readonly mine: object | undefined;
}

/**
 * Makes stale what was cached of a row.
 * @param row its columns as far as they are known; at least its key
 */
export type Outdate = (metadata: EntityMetadata, row: object) => Promise<void>;

/** Finds out what became of a row that was not there as it was expected to be. */
export class Conflicts {
  constructor(
    private readonly snapshots?: Snapshots,
    private readonly outdate?: Outdate,
  ) {}

  /**
   * Compares with the row as it is.
   * @param cause the database's refusal; without one, the statement found no row
   * @returns `undefined` when the row has the expected version after all: another condition did not hold
   */
  async explain(
    attempt: Attempt,
    runner: QueryRunner,
    cause?: unknown,
  ): Promise<RecordModifiedError | undefined> {
    const { versioned, seen } = attempt;
    const connection = connectionOf(runner);
    // After an error, PostgreSQL answers nothing until the rollback.
    const aborted = cause !== undefined && versioned.dialect === 'postgres';
    const theirs = aborted ? undefined : await this.read(attempt, runner).catch(() => undefined);
    if (theirs && cause === undefined && versioned.read(theirs)?.token === seen?.token) return undefined;
    const error =
      theirs === undefined
        ? this.error(attempt, 'modified', undefined, cause)
        : await this.refusal(attempt, theirs, cause);
    connection?.note(error);
    const isSnapshot = versioned.dialect === 'postgres' && connection?.readsCommitted === false;
    if (connection?.frames.active && (theirs === undefined || isSnapshot)) {
      connection.transaction.afterRollback.push(() => this.complete(error, attempt, runner));
    }
    return error;
  }

  /**
   * The error for a row that is as `theirs` by now. If the version that was expected came from the cache, the cache did
   * not hear of the change (another tool made it), and whoever reads again must not be given the same once more.
   */
  async refusal(attempt: Attempt, theirs: object | null, cause?: unknown): Promise<RecordModifiedError> {
    await this.outdate?.(attempt.versioned.metadata, theirs ?? attempt.identifier);
    return this.error(attempt, theirs ? 'modified' : 'deleted', theirs, cause);
  }

  /** The error for what is known without asking. */
  error(
    { versioned, operation, identifier, seen, mine }: Attempt,
    kind: ConflictKind,
    theirs: object | null | undefined,
    cause?: unknown,
  ): RecordModifiedError {
    return new RecordModifiedError(
      {
        entity: versioned.metadata.name,
        id: versioned.idOf(identifier),
        operation,
        kind,
        expected: seen?.value,
        actual: versioned.valueOf(theirs),
        mine,
        base: mine && this.snapshots?.baseOf(mine, versioned.metadata),
        theirs,
      },
      cause === undefined ? undefined : { cause },
    );
  }

  /** The row as it is now, past the cache. */
  read(
    { versioned, identifier }: Pick<Attempt, 'versioned' | 'identifier'>,
    runner: QueryRunner,
  ): Promise<object | null> {
    const { metadata, dialect, column } = versioned;
    return currentRow({ metadata, identifier, dialect, column }, runner);
  }

  private async complete(error: RecordModifiedError, attempt: Attempt, runner: QueryRunner): Promise<void> {
    const theirs = await this.read(attempt, runner).catch(() => undefined);
    if (theirs === undefined) return;
    await this.outdate?.(attempt.versioned.metadata, theirs ?? attempt.identifier);
    const actual = attempt.versioned.valueOf(theirs);
    Object.assign(error, { theirs, actual, kind: theirs === null ? 'deleted' : 'modified' });
  }
}
