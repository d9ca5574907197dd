import { CacheOpsDependencyError } from '../cacheops.errors.js';
import type { EntityLike, EntitySources } from '../core/entity-model.js';
import type { RecordVersion } from './record-version.js';

/** Where a row is read: inside the transaction of a TypeORM `EntityManager`, or on a connection of its own. */
export interface ReadRecord {
  /** A TypeORM `EntityManager`; its transaction sees its own writes. */
  readonly manager?: object | undefined;
}

/**
 * Versions of the rows of all observed DataSources. Methods that take an entity object find its entity by its class; a
 * plain object needs `entity`.
 *
 * All throw `CacheOpsDependencyError` (`UNKNOWN_ENTITY`) for what is no entity.
 */
export interface RecordVersions {
  /** Whether writes of the entity are guarded. */
  isGuarded(entity: EntityLike): boolean;
  /** Path of the property that holds the version (`'version'`, `'meta.version'`); `undefined`: it has none. */
  versionProperty(entity: EntityLike): string | undefined;
  /** Value of the primary key; of a composite one, an object by property. `undefined` when it is not complete. */
  idOf(object: object, entity?: EntityLike): unknown;
  /** The version that an entity object carries. */
  versionOf(object: object, entity?: EntityLike): RecordVersion | undefined;
  /** The object as it was loaded or last saved, where that is kept. */
  baseOf<E extends object>(object: E): E | undefined;
  /** The row as it is in the database, past the cache, deleted softly or not; `null` when there is none. */
  current<E extends object = object>(
    entity: EntityLike<E>,
    id: unknown,
    options?: ReadRecord,
  ): Promise<E | null>;
}

/** What is observed, with the versions of its rows. */
export interface VersionedSources extends EntitySources {
  readonly versions: RecordVersions;
}

const unknown = (given: unknown): never => {
  throw new CacheOpsDependencyError('UNKNOWN_ENTITY', 'an entity of an observed DataSource', given);
};

/** The versions of an application without a DataSource. */
export const NO_RECORD_VERSIONS: RecordVersions = {
  isGuarded: unknown,
  versionProperty: unknown,
  idOf: unknown,
  versionOf: unknown,
  baseOf: unknown,
  current: unknown,
};
