import type { ImageQuery, SqlDialect } from '../sql/sql.types.js';
import { keyCondition, quoteName, type Execute, type StructuredResult } from './statement.js';
import type { WritePlan } from './write-plan.js';

/** Rows beyond which a statement is treated as a change of the table. */
export const IMAGE_LIMIT = 1000;

export type Row = Readonly<Record<string, unknown>>;

/** Reads rows that a statement is about to change, under the lock that the statement will take, or has changed. */
export class RowReads {
  constructor(private readonly dialect: SqlDialect) {}

  /** Rows that match a condition, locked for such a write; `undefined` when there are too many. */
  select(
    { source }: Pick<WritePlan, 'source'>,
    columns: readonly string[],
    from: string,
    params: readonly unknown[],
    execute: Execute,
  ): Promise<readonly Row[] | undefined> {
    return this.read(`SELECT ${this.list(columns)}${from}`, params, execute, this.lockClause(source.kind));
  }

  /** The same without a lock: for rows that this transaction has written, or to see whether there are any. */
  look(
    columns: readonly string[],
    from: string,
    params: readonly unknown[],
    execute: Execute,
  ): Promise<readonly Row[] | undefined> {
    return this.read(`SELECT ${this.list(columns)}${from}`, params, execute);
  }

  /**
   * The rows that a statement is about to hit, locked for it.
   * @param image its image query
   * @param params those of the statement
   */
  matching(
    image: ImageQuery,
    { source }: Pick<WritePlan, 'source'>,
    columns: readonly string[],
    params: readonly unknown[],
    execute: Execute,
  ): Promise<readonly Row[] | undefined> {
    const { head = '', from, target } = image;
    const bound = image.params.map((index) => params[index]);
    const sql = `${head}SELECT ${this.list(columns, target)}${from}`;
    return this.read(sql, bound, execute, this.lockClause(source.kind, target));
  }

  /** The rows again, by their keys; not possible when the statement changed the keys themselves. */
  async again(
    { table, source, columns, needed }: WritePlan,
    rows: readonly Row[],
    execute: Execute,
  ): Promise<readonly Row[] | undefined> {
    const keys = table.primaryColumns;
    if (rows.length === 0) return [];
    if (keys.length === 0 || (columns !== '*' && keys.some((key) => columns.has(key)))) return undefined;
    const params: unknown[] = [];
    const tuples = rows.map((row) => keys.map((key) => row[key]));
    const where = keyCondition(keys, tuples, params, this.dialect);
    return this.select({ source }, needed, ` FROM ${table.sqlName} WHERE ${where}`, params, execute);
  }

  private async read(
    sql: string,
    params: readonly unknown[],
    execute: Execute,
    lock = '',
  ): Promise<readonly Row[] | undefined> {
    const limited = `${sql} LIMIT ${IMAGE_LIMIT + 1}${lock}`;
    const { records = [] } = (await execute(limited, params, true)) as StructuredResult;
    return records.length > IMAGE_LIMIT ? undefined : records;
  }

  private list(columns: readonly string[], target?: string): string {
    if (columns.length === 0) return '1 AS "one"';
    return columns.map((column) => this.column(column, target)).join(', ');
  }

  private column(name: string, target: string | undefined): string {
    const quoted = quoteName(name, this.dialect);
    return target === undefined ? quoted : `${quoteName(target, this.dialect)}.${quoted} AS ${quoted}`;
  }

  private lockClause(kind: WritePlan['source']['kind'], target?: string): string {
    if (this.dialect === 'sqlite') return '';
    // NO KEY: an UPDATE of other columns does not block foreign key checks, and neither must our look at the row.
    const lock = this.dialect === 'postgres' && kind === 'update' ? ' FOR NO KEY UPDATE' : ' FOR UPDATE';
    return target === undefined ? lock : `${lock} OF ${quoteName(target, this.dialect)}`;
  }
}
