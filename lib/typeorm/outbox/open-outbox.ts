import type { DataSource, QueryRunner } from 'typeorm';
import type { Instrumentation } from '../../core/instrumentation.js';
import type { OutboxSettings } from '../../core/outbox.js';
import type { Invalidator } from '../../invalidation/invalidator.js';
import type { TypeOrmCatalog } from '../catalog.js';
import { connectionOf } from '../observe-runner.js';
import type { Execute, StructuredResult } from '../statement.js';
import type { WriteObserver } from '../write-observer.js';
import { OutboxChanges } from './outbox-changes.js';
import { Outbox, type RunInTransaction } from './outbox.js';
import { OutboxSql } from './outbox.sql.js';

export interface OutboxServices {
  /** Before its doors are in: the runners for the outbox itself are not to be observed. */
  readonly dataSource: DataSource;
  readonly catalog: TypeOrmCatalog;
  readonly writes: WriteObserver;
  readonly invalidator: Invalidator;
  readonly instrumentation: Instrumentation;
}

/** The outbox of a DataSource, neither checked nor started yet. */
export async function openOutbox(settings: OutboxSettings, services: OutboxServices): Promise<Outbox> {
  const { dataSource, catalog, writes, invalidator, instrumentation } = services;
  const { dialect } = catalog;
  const run = dialect === 'sqlite' ? onOnlyConnection(dataSource) : onOwnConnection(dataSource);
  const skipsLocked = dialect === 'postgres' || (dialect === 'mysql' && (await run(hasSkipLocked)) === true);
  const sql = new OutboxSql(settings.table, dialect, skipsLocked);
  const changes = new OutboxChanges(catalog, writes);
  return new Outbox({ ...settings, name: catalog.name, sql, run, changes, invalidator, instrumentation });
}

function onOwnConnection(dataSource: DataSource): RunInTransaction {
  const createQueryRunner = dataSource.createQueryRunner.bind(dataSource, 'master');
  return async (work) => {
    const runner: QueryRunner = createQueryRunner();
    const execute: Execute = (sql, params, structured) =>
      (runner.query as Execute).call(runner, sql, params, structured);
    try {
      return await inTransaction(execute, 'START TRANSACTION', work);
    } finally {
      await runner.release();
    }
  };
}

/** SQLite hands out one runner, which is observed by the time that it is needed here. */
const onOnlyConnection =
  (dataSource: DataSource): RunInTransaction =>
  async (work) =>
    connectionOf(dataSource.createQueryRunner())?.whenIdle((execute) =>
      inTransaction(execute, 'BEGIN IMMEDIATE', work),
    );

async function inTransaction<T>(
  execute: Execute,
  begin: string,
  work: (execute: Execute) => Promise<T>,
): Promise<T> {
  await execute(begin);
  try {
    const result = await work(execute);
    await execute('COMMIT');
    return result;
  } catch (error) {
    // The first error is the one to report.
    await execute('ROLLBACK').catch(() => undefined);
    throw error;
  }
}

/** MariaDB has it since 10.6, MySQL since 8.0.1. */
async function hasSkipLocked(execute: Execute): Promise<boolean> {
  const { records } = (await execute('SELECT VERSION() AS version', [], true)) as StructuredResult;
  const { version: text } = records?.[0] as { version: string };
  const [major = 0, minor = 0] = text.split('.').map(Number.parseFloat);
  return /mariadb/i.test(text) ? major > 10 || (major === 10 && minor >= 6) : major >= 8;
}
