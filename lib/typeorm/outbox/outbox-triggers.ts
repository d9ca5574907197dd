import type { DataSource, EntityMetadata, MigrationInterface, QueryRunner } from 'typeorm';
import type { ColumnMetadata } from 'typeorm/metadata/ColumnMetadata.js';
import { OUTBOX_TABLE } from '../../core/outbox.js';
import type { SqlDialect } from '../../sql/sql.types.js';
import { quotePath } from '../statement.js';
import { chosenTables, triggerDialect, TriggerNames, type TriggerStatements } from '../trigger-tables.js';
import { SERVER_CLOCK } from './outbox.sql.js';
import { TRIGGER_DIALECTS, type TriggerKind, type TriggerTable } from './trigger.dialects.js';
import { valueClassOf } from '../value-class.js';

export interface OutboxTriggerOptions {
  /** Entity names; all entities by default. */
  readonly entities?: readonly string[];
  /** Name of the outbox table. Default `'cacheops_outbox'`. */
  readonly table?: string;
  /**
   * Database user of the application: what it writes is announced by the application itself, so the triggers leave
   * it out. Default: none, and each write of the application is announced twice. SQLite has no users.
   */
  readonly exceptUser?: string;
}

const KINDS: readonly TriggerKind[] = ['insert', 'update', 'delete'];

/** Long texts would fill the outbox, and hardly any query asks for one by equality. */
const LONG = /text|clob|json|blob|bytea|binary|xml|geo/;

/**
 * Triggers that write a row to the outbox for each row that anybody changes: `psql`, another service, a cron job.
 *
 * They tell the columns that queries compare exactly (numbers, uuids, short texts, booleans), and which others changed.
 * MariaDB and MySQL run no triggers for rows that a foreign key changes (the relay follows the foreign keys instead)
 * nor for TRUNCATE.
 *
 * @throws CacheOpsConfigError when an entity is not known, or the database is not supported
 */
export function outboxTriggers(
  dataSource: DataSource,
  options: OutboxTriggerOptions = {},
): TriggerStatements {
  const dialect = triggerDialect(dataSource);
  const { table: outbox = OUTBOX_TABLE, exceptUser } = options;
  const { up, down } = TRIGGER_DIALECTS[dialect];
  const candidates = dataSource.entityMetadatas.filter(
    ({ tableType, tablePath }) => tableType !== 'view' && tablePath !== outbox,
  );
  const tables = chosenTables(candidates, options.entities).map((group) =>
    triggerTable(dataSource, dialect, group, outbox),
  );
  return {
    up: tables.flatMap((table) => KINDS.flatMap((kind) => up(table, kind, exceptUser))),
    down: tables.flatMap((table) => KINDS.flatMap((kind) => down(table, kind))),
  };
}

/**
 * The triggers as a migration of your own: extend it and give it a name that ends in a time.
 * @example class OutboxTriggers1795000000001 extends OutboxTriggersMigration {}
 */
export abstract class OutboxTriggersMigration implements MigrationInterface {
  protected readonly options: OutboxTriggerOptions = {};

  async up(queryRunner: QueryRunner): Promise<void> {
    const { up, down } = outboxTriggers(queryRunner.dataSource, this.options);
    for (const statement of [...down, ...up]) await queryRunner.query(statement);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    for (const statement of outboxTriggers(queryRunner.dataSource, this.options).down)
      await queryRunner.query(statement);
  }
}

function triggerTable(
  dataSource: DataSource,
  dialect: SqlDialect,
  group: readonly EntityMetadata[],
  outbox: string,
): TriggerTable {
  const { tablePath } = group[0] as EntityMetadata;
  const columns = new Map<string, ColumnMetadata>();
  for (const column of group.flatMap((metadata) => metadata.columns)) {
    if (!column.isVirtualProperty) columns.set(column.databaseName, column);
  }
  const all = [...columns.values()];
  return {
    path: tablePath,
    names: new TriggerNames(tablePath, dialect),
    outbox: quotePath(outbox, dialect),
    now: SERVER_CLOCK[dialect].now,
    columns: all.map(({ databaseName }) => databaseName),
    told: all.filter((column) => isTold(dataSource, dialect, column)).map(({ databaseName }) => databaseName),
  };
}

/** Times are left out: their text depends on settings of the session. */
function isTold(dataSource: DataSource, dialect: SqlDialect, column: ColumnMetadata): boolean {
  if (LONG.test(dataSource.driver.normalizeType(column).toLowerCase())) return false;
  return !['opaque', 'timestamp', 'date', 'time'].includes(valueClassOf(dataSource, dialect, column));
}
