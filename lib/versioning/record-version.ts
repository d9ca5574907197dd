/**
 * A version of a row as the entity holds it: a counter, a time (`@UpdateDateColumn` as version) or PostgreSQL's `xmin`
 * as text.
 */
export type RecordVersion = number | string | Date;

/** What was being done when the versions did not match. */
export type VersionedOperation =
  'save' | 'remove' | 'softRemove' | 'recover' | 'update' | 'delete' | 'verify';

/**
 * Why a write was refused. `modified`: the row has another version by now. `deleted`: the row is gone.
 * `missing-version`: the entity carries no version, and its policy requires one.
 */
export type ConflictKind = 'modified' | 'deleted' | 'missing-version';
