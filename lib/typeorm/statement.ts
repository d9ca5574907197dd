import type { SqlDialect } from '../sql/sql.types.js';

/** Runs one statement on the connection without being observed. */
export type Execute = (sql: string, params?: readonly unknown[], structured?: boolean) => Promise<unknown>;

/** A statement of the application, as it came. */
export interface Statement {
  readonly sql: string;
  readonly params: readonly unknown[];
  /** The caller wants TypeORM's `QueryResult` rather than the driver's raw result. */
  readonly structured: boolean;
}

/** TypeORM's `QueryResult`. */
export interface StructuredResult {
  raw: unknown;
  records?: Record<string, unknown>[];
  affected?: number | null;
}

/** A name as an identifier of the dialect. */
export const quoteName = (name: string, dialect: SqlDialect): string =>
  dialect === 'mysql' ? `\`${name.replaceAll('`', '``')}\`` : `"${name.replaceAll('"', '""')}"`;

/** A table's path (`schema.table`) as the dialect writes it. */
export const quotePath = (path: string, dialect: SqlDialect): string =>
  path
    .split('.')
    .map((part) => quoteName(part, dialect))
    .join('.');

/** Adds a value to the parameters and gives its placeholder. */
export function bindTo(params: unknown[], value: unknown, dialect: SqlDialect): string {
  params.push(value);
  return dialect === 'postgres' ? `$${params.length}` : '?';
}

/** Condition that a row has one of these keys; their values are added to the parameters. */
export const keyCondition = (
  columns: readonly string[],
  keys: readonly (readonly unknown[])[],
  params: unknown[],
  dialect: SqlDialect,
): string =>
  keys
    .map((key) => {
      const parts = columns.map(
        (name, i) => `${quoteName(name, dialect)} = ${bindTo(params, key[i], dialect)}`,
      );
      return `(${parts.join(' AND ')})`;
    })
    .join(' OR ');

const MARK = '__cacheops_';

/** Name under which a column that we added to a RETURNING clause comes back. */
export const returningLabel = (column: string): string => MARK + column;

/**
 * The statement with our columns added to its RETURNING clause (one is appended where there is none). RETURNING is
 * the last clause in every dialect that has it, so this is a suffix.
 * @param target name of the statement's table where it names others beside
 */
export function withReturning(
  sql: string,
  columns: readonly string[],
  has: boolean,
  dialect: SqlDialect,
  target?: string,
): string {
  const quote = (name: string): string => quoteName(name, dialect);
  const of = target === undefined ? '' : `${quote(target)}.`;
  const list = columns.map((c) => `${of}${quote(c)} AS ${quote(returningLabel(c))}`).join(', ');
  return `${sql.replace(/[\s;]+$/, '')}${has ? ',' : ' RETURNING'} ${list}`;
}

/** Takes our columns out of a result again, so that the caller sees what it would have seen. */
export function stripReturning(result: StructuredResult, had: boolean): Record<string, unknown>[] {
  const records = result.records ?? [];
  const rows = records.map((record) => ({ ...record }));
  if (had) {
    for (const record of records) {
      for (const key of Object.keys(record)) if (key.startsWith(MARK)) delete record[key];
    }
  } else {
    result.records = [];
    // PostgreSQL: UPDATE and DELETE answer [rows, count], INSERT answers rows.
    result.raw = Array.isArray(result.raw) && Array.isArray(result.raw[0]) ? [[], result.raw[1]] : [];
  }
  return rows;
}
