import type { EntityTarget, ObjectLiteral, Repository } from 'typeorm';
import { RecordModifiedError } from '../../lib/index.js';
import { cachedSource, type CachedSource, type CachedSourceOptions } from '../support/cached-data-source.js';
import type { DatabaseKind } from '../support/databases.js';
import { VERSIONED } from './entities.js';

/** The error of a write that must be refused. */
export async function refusal(work: Promise<unknown>): Promise<RecordModifiedError> {
  const error: unknown = await work.then(
    () => new Error('the write was not refused'),
    (reason: unknown) => reason,
  );
  if (!(error instanceof RecordModifiedError)) throw error;
  return error;
}

/** A guarded database of its own. */
export const guardedSource = (
  kind: DatabaseKind,
  options: Partial<CachedSourceOptions> = {},
): Promise<CachedSource> => cachedSource(kind, { entities: VERSIONED, versioning: {}, ...options });

/** Short forms for the specs. */
export const shorthand = (source: () => CachedSource) => {
  const repo = <T extends ObjectLiteral>(entity: EntityTarget<T>): Repository<T> =>
    source().dataSource.getRepository(entity);
  return {
    repo,
    /** Two copies of one row, read one after the other: the second from the cache. */
    copies: async <T extends ObjectLiteral>(entity: EntityTarget<T>, where: object): Promise<[T, T]> => [
      await repo(entity).findOneByOrFail(where),
      await repo(entity).findOneByOrFail(where),
    ],
    /** The row, as the database has it. */
    row: <T extends ObjectLiteral>(entity: EntityTarget<T>, where: object): Promise<T> =>
      repo(entity).findOneOrFail({ where, cache: false, withDeleted: true }),
  };
};
