import { randomUUID } from 'node:crypto';
import type { DataSource, QueryRunner } from 'typeorm';
import { CacheOpsError } from '../../cacheops.errors.js';
import { type Holder, HolderSet } from './holder-set.js';
import type { LockRecord, LockRecords, LockRecordsRead } from './record-lock-driver.js';
import { NOTICES, waitersKeyOf } from './postgres.notices.js';
import { ensureLockTable, type LockDialect, lockDialectOf } from '../typeorm/lock-tables.js';
import { onOwnConnection } from '../typeorm/own-connection.js';
import { idOf, toPlainJson } from '../typeorm/plain-text.js';

interface Row {
  readonly db_now: string | number;
  readonly commits: string | number;
  readonly id: string | null;
  readonly revision: string | null;
  readonly token: string | number | null;
  readonly holders: string | null;
}

type StoredHolder = Holder & { readonly owner: string };

export interface SqlRecord extends LockRecord {
  /** A word that is another one after each change; `undefined` if there is no row yet. */
  readonly revision: string | undefined;
  /** Deadlines by owner, as they were read. */
  readonly ends: ReadonlyMap<string, number>;
}

/**
 * Milliseconds since the epoch, now: PostgreSQL's `now()` would be the time at which a transaction began, and MySQL's
 * `UNIX_TIMESTAMP(NOW())` is an hour off once a year where the session's time zone has a summer time.
 */
const NOW: Readonly<Record<LockDialect, string>> = {
  postgres: 'CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint)',
  mysql: "TIMESTAMPDIFF(MICROSECOND, '1970-01-01 00:00:00', UTC_TIMESTAMP(3)) DIV 1000",
  sqlite: "CAST((julianday('now') - 2440587.5) * 86400000 AS integer)",
};

/** Whether a statement outside of a transaction is one of its own: MySQL can be told otherwise. */
const COMMITS: Readonly<Record<LockDialect, string>> = { postgres: '1', mysql: '@@autocommit', sqlite: '1' };

const INSERT: Readonly<Record<LockDialect, string>> = {
  postgres:
    'INSERT INTO cacheops_lock (id, name, revision, token, holders) VALUES ($1, $2, $3, $4, $5) ' +
    'ON CONFLICT (id) DO NOTHING',
  mysql: 'INSERT IGNORE INTO cacheops_lock (id, name, revision, token, holders) VALUES (?, ?, ?, ?, ?)',
  sqlite:
    'INSERT INTO cacheops_lock (id, name, revision, token, holders) VALUES (?, ?, ?, ?, ?) ' +
    'ON CONFLICT (id) DO NOTHING',
};

const UPDATE = 'UPDATE cacheops_lock SET revision = ?, token = ?, holders = ? WHERE id = ? AND revision = ?';
const UPDATE_POSTGRES =
  'UPDATE cacheops_lock SET revision = $1, token = $2, holders = $3 WHERE id = $4 AND revision = $5';

/**
 * Tells those who wait that the lock may be free, if there are any: each of them shares an advisory lock of its name
 * (see PostgresNotices). Not always, because all who send a notice commit one after the other.
 */
const UPDATE_AND_TELL =
  `WITH changed AS (${UPDATE_POSTGRES} RETURNING id) ` +
  'SELECT CASE WHEN pg_try_advisory_xact_lock($6) THEN NULL ELSE CAST(pg_notify($7, id) AS text) END FROM changed';

/** PostgreSQL under a stricter isolation level, or a deadlock of MySQL: somebody was faster. */
const OVERTAKEN = new Set(['40001', '40P01', 'ER_LOCK_DEADLOCK', 'ER_CHECKREAD']);

/** One row a name. Each statement is a transaction of its own, so nothing stays locked between two of them. */
export class SqlRecords implements LockRecords<SqlRecord> {
  private readonly dialect: LockDialect;
  private ready: Promise<void> | undefined;

  constructor(private readonly dataSource: DataSource) {
    this.dialect = lockDialectOf(dataSource);
  }

  async read(names: readonly string[]): Promise<LockRecordsRead<SqlRecord>> {
    const ids = names.map(idOf);
    const rows = await this.run(
      async (runner) => (await runner.query(this.select(ids.length), ids)) as Row[],
    );
    const [first] = rows as [Row];
    if (Number(first.commits) !== 1) {
      throw new CacheOpsError('DRIVER', 'locks need connections that commit each statement (autocommit = 1)');
    }
    const now = Math.min(...rows.map((row) => Number(row.db_now)));
    const byId = new Map(rows.map((row) => [row.id, row]));
    const records = names.map((name, i) => recordOf(name, byId.get(ids[i] as string)));
    return { now, wallTime: now * 1000, records };
  }

  async replace(record: SqlRecord, lastToken: number): Promise<boolean> {
    const [sql, params] = this.replacement(record, lastToken);
    try {
      const { affected } = await this.run((runner) => runner.query(sql, params, true));
      return affected === 1;
    } catch (error) {
      if (OVERTAKEN.has(codeOf(error))) return false;
      throw error;
    }
  }

  /** The DataSource belongs to the application. */
  async close(): Promise<void> {}

  private replacement({ name, revision, lock, ends }: SqlRecord, lastToken: number): [string, unknown[]] {
    const { dialect } = this;
    const id = idOf(name);
    const holders = [...lock.holders].map(([owner, holder]): StoredHolder => ({ ...holder, owner }));
    const values = [randomUUID(), lastToken, toPlainJson(holders)];
    if (revision === undefined) return [INSERT[dialect], [id, toPlainJson(name), ...values]];
    values.push(id, revision);
    if (dialect !== 'postgres') return [UPDATE, values];
    const isFreer = [...ends].some(([owner, end]) => (lock.holders.get(owner)?.deadline ?? 0) < end);
    return isFreer ? [UPDATE_AND_TELL, [...values, waitersKeyOf(id), NOTICES]] : [UPDATE_POSTGRES, values];
  }

  /** One row at least, for the time. */
  private select(count: number): string {
    const marks = Array.from({ length: count }, (_, i) => (this.dialect === 'postgres' ? `$${i + 1}` : '?'));
    return (
      `SELECT ${NOW[this.dialect]} AS db_now, ${COMMITS[this.dialect]} AS commits, l.id, l.revision, l.token, l.holders ` +
      `FROM (SELECT 1 AS one) AS base LEFT JOIN cacheops_lock AS l ON l.id IN (${marks.join(', ')})`
    );
  }

  private async run<T>(work: (runner: QueryRunner) => Promise<T>): Promise<T> {
    this.ready ??= ensureLockTable(this.dataSource, 'cacheops_lock');
    try {
      await this.ready;
      return await onOwnConnection(this.dataSource, work);
    } catch (error) {
      // The table may be missing again, as after `dropSchema`.
      this.ready = undefined;
      throw error;
    }
  }
}

function recordOf(name: string, row: Row | undefined): SqlRecord {
  const lock = new HolderSet();
  const ends = new Map<string, number>();
  for (const { owner, ...holder } of JSON.parse(row?.holders ?? '[]') as StoredHolder[]) {
    lock.holders.set(owner, holder);
    ends.set(owner, holder.deadline);
  }
  return { name, lock, ends, lastToken: Number(row?.token ?? 0), revision: row?.revision ?? undefined };
}

const codeOf = (error: unknown): string =>
  (error as { driverError?: { code?: string } }).driverError?.code ?? '';
