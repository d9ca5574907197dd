import type { DataSource, MigrationInterface, QueryRunner } from 'typeorm';
import { CacheOpsConfigError } from '../../cacheops.errors.js';
import { onOwnConnection } from './own-connection.js';

export type LockDialect = 'postgres' | 'mysql' | 'sqlite';
export type LockTable = 'cacheops_lock' | 'cacheops_fence';

const DIALECTS: Readonly<Record<string, LockDialect>> = {
  postgres: 'postgres',
  mysql: 'mysql',
  mariadb: 'mysql',
  'better-sqlite3': 'sqlite',
  sqljs: 'sqlite',
};

/** @throws CacheOpsConfigError when the database is none of those that locks know */
export function lockDialectOf(dataSource: DataSource): LockDialect {
  const type = (dataSource as Partial<DataSource> | undefined)?.options?.type;
  const dialect = type && DIALECTS[type];
  if (dialect) return dialect;
  const expected = `a DataSource of type ${Object.keys(DIALECTS).join(', ')}`;
  throw new CacheOpsConfigError('dataSource', expected, type ?? dataSource);
}

/** `holders` is JSON; MySQL's TEXT would end a semaphore of many holders in its middle. */
const LONG_TEXT: Readonly<Record<LockDialect, string>> = {
  postgres: 'text',
  mysql: 'mediumtext',
  sqlite: 'text',
};

const COLUMNS: Readonly<Record<LockTable, (dialect: LockDialect) => string>> = {
  cacheops_lock: (dialect) =>
    `id char(64) NOT NULL PRIMARY KEY, name text NOT NULL, revision char(36) NOT NULL, ` +
    `token bigint NOT NULL, holders ${LONG_TEXT[dialect]} NOT NULL`,
  cacheops_fence: () => `id char(64) NOT NULL PRIMARY KEY, name text NOT NULL, token bigint NOT NULL`,
};

export async function createLockTable(
  runner: QueryRunner,
  table: LockTable,
  dialect: LockDialect,
): Promise<void> {
  await runner.query(`CREATE TABLE IF NOT EXISTS ${table} (${COLUMNS[table](dialect)})`);
}

const PRESENT: Readonly<Record<LockDialect, (table: LockTable) => string>> = {
  postgres: (table) => `SELECT to_regclass('${table}') IS NOT NULL AS present`,
  mysql: (table) =>
    `SELECT COUNT(*) AS present FROM information_schema.tables ` +
    `WHERE table_schema = DATABASE() AND table_name = '${table}'`,
  sqlite: (table) =>
    `SELECT COUNT(*) AS present FROM sqlite_master WHERE type = 'table' AND name = '${table}'`,
};

export async function hasLockTable(
  runner: QueryRunner,
  table: LockTable,
  dialect: LockDialect,
): Promise<boolean> {
  const [row] = (await runner.query(PRESENT[dialect](table))) as [{ present: unknown }];
  return Number(row.present) > 0;
}

/**
 * Makes a table that is not there yet, on a connection of its own: MySQL would commit the transaction of another one.
 * Where the application may not make tables, `CacheOpsLockTables` does so as a migration.
 */
export async function ensureLockTable(dataSource: DataSource, table: LockTable): Promise<void> {
  const dialect = lockDialectOf(dataSource);
  await onOwnConnection(dataSource, async (runner) => {
    if (await hasLockTable(runner, table, dialect)) return;
    try {
      await createLockTable(runner, table, dialect);
    } catch (error) {
      // PostgreSQL: of two that create it at the same time one fails in spite of IF NOT EXISTS.
      if (!(await hasLockTable(runner, table, dialect))) throw error;
    }
  });
}

/**
 * The tables of the SQL lock driver and of `fence()`, as a migration for `migrations: [...]` of a DataSource. Without it
 * they are made when they are first needed.
 */
export class CacheOpsLockTables implements MigrationInterface {
  readonly name = 'CacheOpsLockTables1790000000000';

  async up(queryRunner: QueryRunner): Promise<void> {
    const dialect = lockDialectOf(queryRunner.dataSource);
    for (const table of TABLES) await createLockTable(queryRunner, table, dialect);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    for (const table of TABLES) await queryRunner.query(`DROP TABLE IF EXISTS ${table}`);
  }
}

const TABLES: readonly LockTable[] = ['cacheops_lock', 'cacheops_fence'];
