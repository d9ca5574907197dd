import type { ObjectLiteral } from 'typeorm';
import { CacheOpsConfigError } from '../../cacheops.errors.js';
import { parseRecord } from '../../options/parse.js';
import { RecordModifiedError } from '../record-modified.error.js';
import { type EntityStore, type OpenStore, openStore } from '../store.js';
import { idText } from '../version-value.js';
import { MergedEdit } from './merged-edit.js';
import type { ConflictResolver } from './three-way.js';

/** How an entity is merged that somebody else has changed. */
export interface MergeOptions<E> {
  /**
   * The entity as it was when the edit began; properties that are `undefined` are not known. Default: the entity as it
   * was loaded, where that is kept (option `versioning.base`). Without a base, every difference is a conflict.
   */
  readonly base?: Readonly<Partial<E>> | undefined;
  /** Default: conflicts are thrown. */
  readonly resolve?: ConflictResolver | undefined;
  /** Tries in all. Default 5. */
  readonly attempts?: number | undefined;
}

/** The default of every option that has one. */
export const MERGE_DEFAULTS = { attempts: 5 } as const satisfies MergeOptions<never>;

/**
 * Saves an entity; if somebody else has changed its row meanwhile, property by property: what only they changed stays
 * as they wrote it, what only you changed is written, what both changed is decided by `resolve`. Then the entity
 * holds what is in the database. The write is guarded each time, so a third edit is merged as well.
 *
 * A relation counts as one property, with its foreign key. Of a collection, both sides' additions and removals are
 * kept. Rows that are saved by cascade are not merged: their conflicts are thrown.
 *
 * @param store a repository; or a manager, also one of a transaction: then in a savepoint of it
 * @param entity with the version that the edit was made on; as it was before, when this fails
 * @throws MergeConflictError when both sides changed a property and nothing decides
 * @throws RecordModifiedError when the row was deleted, or the tries are used up
 */
export async function saveMerged<E extends ObjectLiteral>(
  store: EntityStore<E>,
  entity: E,
  options: MergeOptions<E> = {},
): Promise<E> {
  parseRecord('saveMerged', options, ['base', 'resolve', 'attempts']);
  const { attempts = MERGE_DEFAULTS.attempts, resolve, base } = options;
  if (!Number.isInteger(attempts) || attempts < 1)
    throw new CacheOpsConfigError('saveMerged.attempts', 'a whole number of at least 1', attempts);
  const open = openStore(store, entity);
  const edit = new MergedEdit(open, entity, base, resolve);
  try {
    for (let attempt = 1; ; attempt++) {
      try {
        await open.manager.transaction((manager) => manager.save(open.metadata.target, entity));
        return entity;
      } catch (error) {
        if (attempt >= attempts || !isOf(error, open, entity)) throw error;
        await edit.mergeInto(error);
      }
    }
  } catch (error) {
    edit.undo();
    throw error;
  }
}

/** Whether the row of the entity itself was changed, and not one that is saved with it. */
function isOf(error: unknown, { metadata }: OpenStore, entity: object): error is RecordModifiedError {
  return (
    error instanceof RecordModifiedError &&
    error.kind === 'modified' &&
    error.entity === metadata.name &&
    idText(error.id) === idText(metadata.getEntityIdMap(entity))
  );
}
