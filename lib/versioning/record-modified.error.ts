import { CacheOpsError, describe } from '../cacheops.errors.js';
import type { ConflictKind, RecordVersion, VersionedOperation } from './record-version.js';

/** What a `RecordModifiedError` knows. */
export interface Conflict<E extends object = object> {
  /** Name of the entity. */
  readonly entity: string;
  /** Value of the primary key; of a composite one, an object by property. */
  readonly id: unknown;
  readonly operation: VersionedOperation;
  readonly kind: ConflictKind;
  /** The version that the writer had seen; `undefined` when it gave none. */
  readonly expected: RecordVersion | undefined;
  /** The version that the row has now; `undefined` when there is no row, or when it could not be read. */
  readonly actual: RecordVersion | undefined;
  /** The entity that was to be written, or the values of an `update()`; as it was before the attempt. */
  readonly mine: E | undefined;
  /** The entity as it was loaded, where that was kept (option `versioning.base`). */
  readonly base: E | undefined;
  /** The row as it is now, read past the cache; `null` when it is deleted, `undefined` when it could not be read. */
  readonly theirs: E | null | undefined;
}

/**
 * Somebody else has changed or deleted the row since it was read, so that writing it would lose their edit. Nothing of
 * the write is in the database: its transaction is rolled back, or has to be by whoever opened it.
 */
export class RecordModifiedError<E extends object = object> extends CacheOpsError implements Conflict<E> {
  readonly entity: string;
  readonly id: unknown;
  readonly operation: VersionedOperation;
  readonly kind: ConflictKind;
  readonly expected: RecordVersion | undefined;
  readonly actual: RecordVersion | undefined;
  readonly mine: E | undefined;
  readonly base: E | undefined;
  readonly theirs: E | null | undefined;
  /** Whether reading again and repeating can succeed; a missing version stays missing. */
  readonly retryable: boolean;

  constructor(conflict: Conflict<E>, options?: { cause?: unknown }) {
    super('RECORD_MODIFIED', messageOf(conflict), options);
    this.entity = conflict.entity;
    this.id = conflict.id;
    this.operation = conflict.operation;
    this.kind = conflict.kind;
    this.expected = conflict.expected;
    this.actual = conflict.actual;
    this.mine = conflict.mine;
    this.base = conflict.base;
    this.theirs = conflict.theirs;
    this.retryable = conflict.kind !== 'missing-version';
  }
}

function messageOf({ entity, id, operation, kind, expected, actual }: Conflict): string {
  const row = `${entity} ${describe(id)}`;
  if (kind === 'missing-version') {
    return `${operation} of ${row}: the entity carries no version, so whether it is stale cannot be told`;
  }
  if (kind === 'deleted') return `${operation} of ${row}: the row was deleted since it was read`;
  const now = actual === undefined ? '' : `, and has ${text(actual)} now`;
  return `${operation} of ${row}: the row was modified since it was read; it had version ${text(expected)}${now}`;
}

const text = (version: RecordVersion | undefined): string =>
  version instanceof Date ? version.toISOString() : String(version);
