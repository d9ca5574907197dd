import type { ObjectLiteral } from 'typeorm';
import { parseChoice, parseRecord } from '../options/parse.js';
import { RecordModifiedError } from './record-modified.error.js';
import { type EntityStore, openStore } from './store.js';

/** How a batch is saved. */
export interface BatchOptions {
  /**
   * What happens to the others when one entity was changed by somebody else: `'abort'` saves none, `'skip'` saves the
   * rest and reports those that it left out. Default `'abort'`.
   */
  readonly onConflict?: 'abort' | 'skip' | undefined;
}

/** What became of a batch. */
export interface BatchResult<E extends object> {
  /** In the order of the batch. */
  readonly saved: readonly E[];
  /** Those that were left out, and why; in the order of the batch. */
  readonly conflicts: readonly { readonly entity: E; readonly error: RecordModifiedError }[];
}

/** The default of every option that has one. */
export const BATCH_DEFAULTS = { onConflict: 'abort' } as const satisfies BatchOptions;

/**
 * Saves entities in one transaction. Any error but a conflict rolls all of it back.
 *
 * @param store a repository; or a manager, also one of a transaction: then in a savepoint of it
 * @throws RecordModifiedError with `onConflict: 'abort'`
 */
export async function saveBatch<E extends ObjectLiteral>(
  store: EntityStore<E>,
  entities: readonly E[],
  options: BatchOptions = {},
): Promise<BatchResult<E>> {
  const given = parseRecord('saveBatch', options, ['onConflict']).onConflict ?? BATCH_DEFAULTS.onConflict;
  const skips = parseChoice('saveBatch.onConflict', given, ['abort', 'skip']) === 'skip';
  const [first] = entities;
  const saved: E[] = [];
  const conflicts: { entity: E; error: RecordModifiedError }[] = [];
  if (!first) return { saved, conflicts };
  await openStore(store, first).manager.transaction(async (manager) => {
    for (const entity of entities) {
      const { target } = openStore(store, entity).metadata;
      const save = (inner: typeof manager): Promise<unknown> => inner.save(target, entity);
      try {
        // What was saved of this one before the conflict (cascades) must go, and nothing else.
        await (skips ? manager.transaction(save) : save(manager));
        saved.push(entity);
      } catch (error) {
        if (!skips || !isConflict(error)) throw error;
        conflicts.push({ entity, error });
      }
    }
  });
  return { saved, conflicts };
}

const isConflict = (error: unknown): error is RecordModifiedError => error instanceof RecordModifiedError;
