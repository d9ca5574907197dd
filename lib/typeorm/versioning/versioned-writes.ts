import type { EntityManager, ObjectLiteral, QueryDeepPartialEntity, QueryRunner, Repository } from 'typeorm';
import { CacheOpsConfigError, CacheOpsDependencyError } from '../../cacheops.errors.js';
import type { RecordVersion } from '../../versioning/record-version.js';
import { dialectOf } from '../catalog.js';
import { connectionOf } from '../observe-runner.js';
import { type Attempt, Conflicts } from './conflicts.js';
import { guardOf } from './version-guard.js';
import { without } from './version-texts.js';
import { unguardedEntity } from './versioned-entities.js';
import type { VersionedEntity } from './versioned-entity.js';

/**
 * One UPDATE of one row, if it still has this version; the version is incremented. It works whether or not writes of
 * the entity are guarded.
 *
 * @param id value of the primary key; of a composite one, an object by property
 * @throws RecordModifiedError when the row has another version, or is gone
 */
export async function updateVersioned<E extends ObjectLiteral>(
  repository: Repository<E>,
  id: unknown,
  version: RecordVersion,
  values: QueryDeepPartialEntity<E>,
): Promise<void> {
  const { target } = repository;
  await writeVersioned(
    repository,
    { operation: 'update', id, version, mine: values },
    (manager, where, { column }) =>
      manager.createQueryBuilder().update(target).set(without(column, values)).where(where).execute(),
  );
}

/**
 * One DELETE of one row, if it still has this version.
 *
 * @param id value of the primary key; of a composite one, an object by property
 * @throws RecordModifiedError when the row has another version, or is gone
 */
export async function deleteVersioned<E extends ObjectLiteral>(
  repository: Repository<E>,
  id: unknown,
  version: RecordVersion,
): Promise<void> {
  const { target } = repository;
  await writeVersioned(repository, { operation: 'delete', id, version, mine: undefined }, (manager, where) =>
    manager.createQueryBuilder().delete().from(target).where(where).execute(),
  );
}

/**
 * The transaction commits only if these entities, which it has read and may not write itself, still have the versions
 * that they carry. Their rows are compared, and locked against changes, right before the COMMIT.
 *
 * @param manager of an open transaction on an observed DataSource
 * @throws CacheOpsConfigError at once, when there is no such transaction
 * @throws RecordModifiedError from the commit, which is then a rollback
 */
export function verifyAtCommit(manager: EntityManager, entities: object | readonly object[]): void {
  const runner = manager.queryRunner;
  const connection = runner && connectionOf(runner);
  if (!runner || !connection?.frames.active) {
    throw new CacheOpsConfigError(
      'verifyAtCommit',
      'the manager of a transaction of an observed DataSource',
      manager,
    );
  }
  for (const entity of Array.isArray(entities) ? (entities as object[]) : [entities]) {
    const metadata = manager.dataSource.getMetadata(entity.constructor);
    const parts = partsOf(manager, metadata.target);
    connection.transaction.beforeCommit.push(() => verify(entity, parts, runner));
  }
}

interface Parts {
  readonly versioned: VersionedEntity;
  readonly conflicts: Conflicts;
}

async function verify(entity: object, { versioned, conflicts }: Parts, runner: QueryRunner): Promise<void> {
  const identifier = versioned.metadata.getEntityIdMap(entity);
  // Removed by this very transaction.
  if (!identifier) return;
  const seen = versioned.read(entity);
  const attempt: Attempt = { versioned, operation: 'verify', identifier, seen, mine: entity };
  if (!seen || Number.isNaN(seen.token)) throw conflicts.error(attempt, 'missing-version', undefined);
  const query = runner.manager
    .createQueryBuilder<object>(versioned.metadata.target, 'cacheops_row')
    .where(versioned.where(identifier, seen))
    .withDeleted()
    .cache(false);
  if (versioned.dialect !== 'sqlite') query.setLock('pessimistic_read');
  let cause: unknown;
  const found = await query.getOne().catch((error: unknown) => {
    cause = error;
    return null;
  });
  if (found) return;
  throw (await conflicts.explain(attempt, runner, cause)) ?? cause;
}

async function writeVersioned<E extends ObjectLiteral>(
  { manager, target, metadata }: Repository<E>,
  given: Pick<Attempt, 'operation' | 'mine'> & { readonly id: unknown; readonly version: RecordVersion },
  write: (
    manager: EntityManager,
    where: ObjectLiteral,
    versioned: VersionedEntity,
  ) => Promise<{ affected?: number | null }>,
): Promise<void> {
  const { versioned, conflicts } = partsOf(manager, target);
  const identifier = metadata.ensureEntityIdMap(given.id);
  const seen = versioned.read(versioned.column.createValueMap(given.version));
  const attempt: Attempt = { ...given, versioned, identifier, seen };
  if (!seen || Number.isNaN(seen.token))
    throw conflicts.error({ ...attempt, seen: undefined }, 'missing-version', undefined);
  const runner = manager.queryRunner ?? manager.dataSource.createQueryRunner('master');
  try {
    const { affected } = await write(runner.manager, versioned.where(identifier, seen), versioned);
    const error = affected === 0 ? await conflicts.explain(attempt, runner) : undefined;
    if (error) throw error;
  } finally {
    if (runner !== manager.queryRunner) await runner.release();
  }
}

/** @throws CacheOpsDependencyError when the entity has no version */
function partsOf(manager: EntityManager, target: Repository<ObjectLiteral>['target']): Parts {
  const { dataSource } = manager;
  const metadata = dataSource.getMetadata(target);
  const guard = guardOf(dataSource);
  const dialect = dialectOf(dataSource);
  const versioned = guard?.entities.of(metadata) ?? (dialect && unguardedEntity(metadata, dialect));
  if (!versioned) {
    throw new CacheOpsDependencyError('UNKNOWN_ENTITY', 'an entity with a @VersionColumn()', target);
  }
  return { versioned, conflicts: guard?.conflicts ?? new Conflicts() };
}
