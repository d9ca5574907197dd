import type { SqlDialect } from '../../sql/sql.types.js';
import { bindTo, quotePath } from '../statement.js';

/** Text and parameters of a statement. */
export type BoundStatement = readonly [sql: string, params: readonly unknown[]];

interface Clock {
  /** The time of the server, in UTC: what sessions take for local time differs. */
  readonly now: string;
  /** Seconds since a time in a column. */
  readonly age: (column: string) => string;
}

/** For what the databases say differently. */
export const SERVER_CLOCK: Readonly<Record<SqlDialect, Clock>> = {
  postgres: {
    now: `(clock_timestamp() AT TIME ZONE 'utc')`,
    age: (column) => `EXTRACT(EPOCH FROM (clock_timestamp() AT TIME ZONE 'utc') - ${column})`,
  },
  mysql: {
    now: 'UTC_TIMESTAMP()',
    age: (column) => `TIMESTAMPDIFF(SECOND, ${column}, UTC_TIMESTAMP())`,
  },
  sqlite: {
    now: `datetime('now')`,
    age: (column) => `((julianday('now') - julianday(${column})) * 86400)`,
  },
};

/** The statements of one outbox. */
export class OutboxSql {
  private readonly table: string;
  private readonly age: string;

  /** @param skipsLocked whether the server has SKIP LOCKED: several relays then share the rows */
  constructor(
    table: string,
    private readonly dialect: SqlDialect,
    private readonly skipsLocked: boolean,
  ) {
    this.table = quotePath(table, dialect);
    this.age = SERVER_CLOCK[dialect].age('created_at');
  }

  insert(id: string, payload: string): BoundStatement {
    const params: unknown[] = [];
    const values = [id, 'app', payload].map((value) => bindTo(params, value, this.dialect)).join(', ');
    const { now } = SERVER_CLOCK[this.dialect];
    return [`INSERT INTO ${this.table} (id, origin, payload, created_at) VALUES (${values}, ${now})`, params];
  }

  delete(ids: readonly string[]): BoundStatement {
    const params: unknown[] = [];
    const list = ids.map((id) => bindTo(params, id, this.dialect)).join(', ');
    return [`DELETE FROM ${this.table} WHERE id IN (${list})`, params];
  }

  /** How many rows there are, and the age of the oldest in seconds. */
  pending(): BoundStatement {
    return [`SELECT COUNT(*) AS pending, MAX(${this.age}) AS oldest FROM ${this.table}`, []];
  }

  /** Rows to deliver, locked: those of triggers, and those of applications that nobody delivered for `seconds`. */
  take(seconds: number, limit: number): BoundStatement {
    const params: unknown[] = [];
    const age = bindTo(params, seconds, this.dialect);
    const lock = this.dialect === 'sqlite' ? '' : ` FOR UPDATE${this.skipsLocked ? ' SKIP LOCKED' : ''}`;
    const due = `origin = 'trigger' OR ${this.age} >= ${age}`;
    return [
      `SELECT id, payload FROM ${this.table} WHERE ${due} ORDER BY created_at LIMIT ${limit}${lock}`,
      params,
    ];
  }
}
