import { CacheOpsDependencyError } from '../cacheops.errors.js';
import type { TableDependency } from './dependencies.js';
import type { OutboxStats } from './outbox.js';
import type { CacheOp } from './profile.js';

/** A class whose instances are rows. */
export type EntityClass<T = unknown> = (abstract new (...args: never[]) => T) & { readonly name: string };

/** What this package looks at in TypeORM's `EntitySchema`. */
export interface EntitySchemaLike {
  readonly options: { readonly name: string; readonly target?: unknown };
}

/** How an entity may be named: its class, its schema, or its name. */
export type EntityLike<T = unknown> = EntityClass<T> | EntitySchemaLike | string;

/** What is said about a query by `explain`. */
export interface QueryExplanation {
  readonly cacheable: boolean;
  /** Why it is not cacheable. */
  readonly reason?: string;
  readonly sql: string;
  /** The methods that are cached by themselves; any other only with `cache: true`. */
  readonly automatic: readonly CacheOp[];
  readonly key?: string;
  readonly tokens?: readonly string[];
  /** Milliseconds. */
  readonly ttl?: number;
  /** The writes that make the result stale, in words. */
  readonly invalidatedBy?: readonly string[];
}

/** Entities as the service sees them; a row is a table and canonical column values. */
export interface EntityModel {
  /** Whether the value is an entity's class or schema. */
  isEntity(value: unknown): boolean;
  /** Whether an entity has this name. */
  hasName(name: string): boolean;
  /**
   * The rows that a condition by property means; without a condition, any row.
   * @throws CacheOpsDependencyError `UNKNOWN_ENTITY`, or `UNKNOWN_DEPENDENCY` when the condition cannot be read
   */
  rows(entity: EntityLike, where?: object): readonly TableDependency[];
  /** The row of an entity object by its primary key; throws as `rows` does. */
  row(entity: object): readonly TableDependency[];
  /** The row of an entity object with every column that is known; throws as `rows` does. */
  image(entity: object): readonly TableDependency[];
  /**
   * Reads the row of an entity object again, past the cache, and puts its columns into the object.
   * @throws CacheOpsDependencyError as `row` does, and when there is no such row
   */
  reload(entity: object): Promise<void>;
  /**
   * Text that tells the row of an entity object from all others, for keys.
   * @returns `undefined` when the value is not an object of an entity, or has no primary key yet
   */
  identity(value: object): string | undefined;
  /** @returns `undefined` when the value is not a query builder of an observed DataSource */
  explain(builder: object): QueryExplanation | undefined;
}

const noEntities = (given: unknown): never => {
  throw new CacheOpsDependencyError(
    'UNKNOWN_ENTITY',
    'a tag',
    given,
    'No DataSource is observed, so there are no entities',
  );
};

/** The model of an application without a DataSource. */
export const NO_ENTITIES: EntityModel = {
  isEntity: () => false,
  hasName: () => false,
  rows: noEntities,
  row: noEntities,
  image: noEntities,
  reload: async (entity) => noEntities(entity),
  identity: () => undefined,
  explain: () => undefined,
};

/** A DataSource as it was found, under its name in Nest (`'default'` for the unnamed one). */
export interface FoundDataSource {
  readonly name: string;
  readonly dataSource: object;
}

/** What is observed, and how it is stopped. */
export interface EntitySources {
  readonly model: EntityModel;
  /**
   * Observes a DataSource, once. One that is not initialised yet is observed as soon as it is.
   * @param unseen it may have been written to already: then all its tables are restamped
   */
  attach(found: FoundDataSource, unseen: boolean): Promise<void>;
  /** @throws CacheOpsConfigError when a profile names an entity that is in no DataSource */
  assertProfiles(): void;
  /** One line for each DataSource, for the log. */
  describe(): readonly string[];
  /** One for each DataSource, where the option `outbox` is set. */
  outboxes(): readonly OutboxStats[];
  /** Finishes what is under way, while the DataSources are still open. */
  drain(): Promise<void>;
  /**
   * Runs a task when the transaction of an `EntityManager` or `QueryRunner` has ended.
   * @returns false when none is open there, or its DataSource is not observed; the task was not run
   */
  afterEnd(transaction: object, task: () => void): boolean;
  detach(): void;
}
