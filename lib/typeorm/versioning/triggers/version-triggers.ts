import { createHash } from 'node:crypto';
import type { DataSource, EntityMetadata } from 'typeorm';
import { CacheOpsConfigError } from '../../../cacheops.errors.js';
import type { SqlDialect } from '../../../sql/sql.types.js';
import { versionFieldsOf } from '../../../versioning/version-fields.decorator.js';
import { dialectOf } from '../../catalog.js';
import { quoteName } from '../../statement.js';
import { VERSION_TRIGGERS, type VersionTrigger } from './trigger-texts.js';

export interface VersionTriggerOptions {
  /** Names of entities with a `@VersionColumn()`. Default: all of them. */
  readonly entities?: readonly string[];
  /**
   * Hard mode: the database itself refuses an UPDATE that sets a version which is neither the row's nor the next one,
   * as a plain TypeORM does when it saves a stale entity. Default `false`.
   */
  readonly refuseStale?: boolean;
}

/** Statements that install the triggers, and those that remove them. */
export interface VersionTriggers {
  readonly up: readonly string[];
  readonly down: readonly string[];
}

/**
 * Triggers that give a row its next version when somebody changes it without doing so: `psql`, another service, a
 * script. What this package and TypeORM write increments the version itself, and is not incremented twice. Of an entity
 * with `@VersionFields`, changes of the others columns do not count.
 *
 * @throws CacheOpsConfigError when an entity is not known or has no version, or the database is not supported
 */
export function versionTriggers(
  dataSource: DataSource,
  options: VersionTriggerOptions = {},
): VersionTriggers {
  const dialect = dialectOf(dataSource);
  if (!dialect) {
    const given = dataSource.options.type;
    throw new CacheOpsConfigError('dataSource', 'PostgreSQL, MySQL, MariaDB or SQLite', given);
  }
  const { up, down } = VERSION_TRIGGERS[dialect];
  const refuses = options.refuseStale ?? false;
  const triggers = chosen(dataSource, options.entities).map((metadata) =>
    triggerOf(metadata, dialect, refuses),
  );
  return { up: triggers.flatMap(up), down: triggers.flatMap(down) };
}

/** One entity of each table; children of single table inheritance share their parent's. */
function chosen(dataSource: DataSource, names: readonly string[] | undefined): EntityMetadata[] {
  const versioned = dataSource.entityMetadatas.filter((metadata) => metadata.versionColumn);
  const unknown = names?.find((name) => versioned.every((metadata) => metadata.name !== name));
  if (unknown !== undefined) {
    const known = versioned.map(({ name }) => name).join(', ');
    throw new CacheOpsConfigError(
      'entities',
      `names of entities with a @VersionColumn() (${known})`,
      unknown,
    );
  }
  const wanted = versioned.filter(({ name }) => names?.includes(name) ?? true);
  return [...new Map(wanted.reverse().map((metadata) => [metadata.tablePath, metadata])).values()].reverse();
}

function triggerOf(metadata: EntityMetadata, dialect: SqlDialect, refusesStale: boolean): VersionTrigger {
  const quote = (name: string): string => quoteName(name, dialect);
  const quoted = (path: string): string => path.split('.').map(quote).join('.');
  const { tablePath, primaryColumns, versionColumn } = metadata;
  const schema = tablePath.includes('.') ? `${quoted(tablePath.slice(0, tablePath.lastIndexOf('.')))}.` : '';
  return {
    table: quoted(tablePath),
    schema,
    name: (purpose) => quote(nameOf(purpose, tablePath)),
    version: quote(versionColumn?.databaseName as string),
    keys: primaryColumns.map(({ databaseName }) => quote(databaseName)),
    counting: countingColumns(metadata)?.map(quote),
    refusesStale,
  };
}

/** Columns of `@VersionFields`; `undefined`: all count. */
function countingColumns(metadata: EntityMetadata): string[] | undefined {
  const fields = versionFieldsOf(metadata.target);
  if (!fields) return undefined;
  return metadata.columns
    .filter((column) =>
      [column.propertyPath, column.relationMetadata?.propertyPath].some((path) =>
        fields.some((field) => path === field || path?.startsWith(`${field}.`)),
      ),
    )
    .map(({ databaseName }) => databaseName);
}

/** PostgreSQL cuts names after 63 bytes, and two long tables would then share one. */
const LONGEST_NAME = 63;

function nameOf(purpose: string, tablePath: string): string {
  const name = `cacheops_${purpose}_${tablePath.replaceAll('.', '_')}`;
  if (Buffer.byteLength(name) <= LONGEST_NAME) return name;
  const digest = createHash('sha256').update(tablePath).digest('hex').slice(0, 16);
  return `cacheops_${purpose}_${digest}`;
}
