import type { DataSource, EntityMetadata } from 'typeorm';
import type { SqlDialect } from '../../../sql/sql.types.js';
import { versionFieldsOf } from '../../../versioning/version-fields.decorator.js';
import { quoteName } from '../../statement.js';
import { chosenTables, triggerDialect, TriggerNames, type TriggerStatements } from '../../trigger-tables.js';
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
): TriggerStatements {
  const dialect = triggerDialect(dataSource);
  const { up, down } = VERSION_TRIGGERS[dialect];
  const refuses = options.refuseStale ?? false;
  const versioned = dataSource.entityMetadatas.filter((metadata) => metadata.versionColumn);
  const expected = 'names of entities with a @VersionColumn()';
  const triggers = chosenTables(versioned, options.entities, expected).map(([metadata]) =>
    triggerOf(metadata as EntityMetadata, dialect, refuses),
  );
  return { up: triggers.flatMap(up), down: triggers.flatMap(down) };
}

function triggerOf(metadata: EntityMetadata, dialect: SqlDialect, refusesStale: boolean): VersionTrigger {
  const quote = (name: string): string => quoteName(name, dialect);
  const { tablePath, primaryColumns, versionColumn } = metadata;
  return {
    names: new TriggerNames(tablePath, dialect),
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
