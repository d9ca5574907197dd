import type { EntityTarget, ObjectLiteral } from 'typeorm';
import { dep, type RowCondition, type RowsDependency } from '../core/entity-dependency.js';

export { SqlLockDriver, type SqlLockDriverOptions } from '../locks/drivers/sql.lock-driver.js';
export { advisoryLock, type AdvisoryLockOptions } from '../locks/typeorm/advisory-lock.js';
export { fence, type FencedLock } from '../locks/typeorm/fence.js';
export { CacheOpsLockTables } from '../locks/typeorm/lock-tables.js';

export {
  type OutboxTriggerOptions,
  outboxTriggers,
  OutboxTriggersMigration,
} from './outbox/outbox-triggers.js';
export { CreateCacheOpsOutbox1795000000000, outboxEntity, type OutboxRow } from './outbox/outbox.table.js';
export type { TriggerStatements } from './trigger-tables.js';

export { MERGE_DEFAULTS, type MergeOptions, saveMerged } from '../versioning/merge/save-merged.js';
export { BATCH_DEFAULTS, type BatchOptions, type BatchResult, saveBatch } from '../versioning/save-batch.js';
export type { EntityStore } from '../versioning/store.js';
export { RowVersion } from './versioning/row-version.decorator.js';
export { versionTriggersMigration } from './versioning/triggers/version-triggers.migration.js';
export { type VersionTriggerOptions, versionTriggers } from './versioning/triggers/version-triggers.js';
export { deleteVersioned, updateVersioned, verifyAtCommit } from './versioning/versioned-writes.js';

/**
 * `dep` that knows the properties of an `EntitySchema<E>` too.
 *
 * @param target class, EntitySchema or name
 * @param where which rows; all when left out
 */
export function rowsOf<E extends ObjectLiteral>(
  target: EntityTarget<E>,
  where?: RowCondition<E>,
): RowsDependency {
  return dep(target as string, where as Record<string, unknown> | undefined);
}
