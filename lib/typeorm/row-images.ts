import type { Effect, RowImage } from '../invalidation/effect.js';
import { bindOperand } from '../sql/index.js';
import type { Operand, SqlDialect } from '../sql/sql.types.js';
import {
  bindTo,
  quoteName,
  returningLabel,
  stripReturning,
  withReturning,
  type Execute,
  type Statement,
  type StructuredResult,
} from './statement.js';
import { assignedValues, effectOf, imageOfRow, type WritePlan } from './write-plan.js';

/** Rows beyond which a statement is treated as a change of the table. */
export const IMAGE_LIMIT = 1000;

type Row = Readonly<Record<string, unknown>>;

export interface Observed {
  readonly result: StructuredResult;
  readonly effect: Effect;
}

/**
 * Runs a statement inside a transaction and learns the rows that it changed, as they were and as they became.
 *
 * An image must be taken under the row's lock or come from the statement itself: between an unlocked read and the
 * write another transaction may move the row to a condition that nobody then restamps. So old values come from
 * `SELECT ... FOR UPDATE` or from RETURNING of columns that the statement does not assign.
 */
export class RowImages {
  constructor(private readonly dialect: SqlDialect) {}

  async run(plan: WritePlan, statement: Statement, execute: Execute): Promise<Observed> {
    if (plan.missing.length === 0 || plan.source.kind === 'table')
      return this.plain(plan, statement, execute);
    if (plan.source.kind === 'insert') return this.insert(plan, statement, execute);
    if (this.canReturnImages(plan)) return this.returning(plan, statement, execute);
    return this.locked(plan, statement, execute);
  }

  /** Rows that match a condition, locked for such a write; `undefined` when there are too many. */
  select(
    { source }: Pick<WritePlan, 'source'>,
    columns: readonly string[],
    from: string,
    params: readonly unknown[],
    execute: Execute,
  ): Promise<Record<string, unknown>[] | undefined> {
    return this.look(columns, from, params, execute, this.lockClause(source.kind));
  }

  /** The same without a lock: for rows that this transaction has written, or to see whether there are any. */
  async look(
    columns: readonly string[],
    from: string,
    params: readonly unknown[],
    execute: Execute,
    lock = '',
  ): Promise<Record<string, unknown>[] | undefined> {
    const list = columns.length === 0 ? '1 AS "one"' : columns.map((c) => this.quote(c)).join(', ');
    const sql = `SELECT ${list}${from} LIMIT ${IMAGE_LIMIT + 1}${lock}`;
    const { records = [] } = (await execute(sql, params, true)) as StructuredResult;
    return records.length > IMAGE_LIMIT ? undefined : records;
  }

  quote(name: string): string {
    return quoteName(name, this.dialect);
  }

  private async plain(plan: WritePlan, statement: Statement, execute: Execute): Promise<Observed> {
    const result = (await execute(statement.sql, statement.params, true)) as StructuredResult;
    return { result, effect: effectOf(plan) };
  }

  /**
   * PostgreSQL, when the WHERE names rows by their key (so that their number is bounded by the statement's text) and
   * no needed column is assigned: then what RETURNING shows after is what was there before.
   */
  private canReturnImages({ source, table, columns, needed, images }: WritePlan): boolean {
    if (this.dialect !== 'postgres' || !images) return false;
    if (columns !== '*' && needed.some((c) => columns.has(c))) return false;
    const byKey = (source.where ?? []).every((c) =>
      table.primaryColumns.every((p) => c.some((e) => e.column === p)),
    );
    return byKey && table.primaryColumns.length > 0 && source.where !== undefined;
  }

  private async returning(plan: WritePlan, statement: Statement, execute: Execute): Promise<Observed> {
    const { result, rows } = await this.executeReturning(plan, statement, execute);
    const images = rows.map((row) => imageOfRow(row, columnsOf(plan), plan.table, returningLabel));
    return { result, effect: { ...effectOf(plan), images } };
  }

  private async executeReturning(plan: WritePlan, { sql, params }: Statement, execute: Execute) {
    const had = plan.source.returning;
    const extended = withReturning(sql, columnsOf(plan), had, this.dialect);
    const result = (await execute(extended, params, true)) as StructuredResult;
    return { result, rows: stripReturning(result, had) };
  }

  private async insert(plan: WritePlan, statement: Statement, execute: Execute): Promise<Observed> {
    if (!plan.images) return this.plain(plan, statement, execute);
    const canReturn = this.dialect === 'postgres' || (this.dialect === 'mysql' && plan.source.returning);
    if (canReturn) return this.returning(plan, statement, execute);
    const { result } = await this.plain(plan, statement, execute);
    const images =
      (await this.withInsertId(plan, result, execute)) ??
      (await this.insertedRows(plan, statement.params, result, execute));
    return { result, effect: { ...effectOf(plan), images } };
  }

  /** One row of which only the generated key is missing: the database has just told it. */
  private async withInsertId(
    { table, images, missing }: WritePlan,
    result: StructuredResult,
    execute: Execute,
  ): Promise<readonly RowImage[] | undefined> {
    const column = table.incrementColumn;
    const [image] = images ?? [];
    if (!image || images?.length !== 1 || column === undefined || missing.join() !== column) return undefined;
    const id = await this.insertId(table, result, execute);
    if (id === undefined) return undefined;
    return [new Map([...image, ...imageOfRow({ [column]: id }, [column], table)])];
  }

  /**
   * The rows that were just inserted, found by their keys. To several rows of one statement SQLite gives consecutive
   * keys; what MySQL gives depends on settings of the server, so there they are not known.
   */
  private async insertedRows(
    { table, needed, source }: WritePlan,
    params: readonly unknown[],
    result: StructuredResult,
    execute: Execute,
  ): Promise<readonly RowImage[] | undefined> {
    const { rows = [] } = source;
    const given = (row: ReadonlyMap<string, Operand>): unknown => {
      const operand = table.incrementColumn === undefined ? undefined : row.get(table.incrementColumn);
      return operand && bindOperand(operand, params);
    };
    // Keys that the statement gives to some rows move those of the others.
    const consecutive = this.dialect === 'sqlite' && rows.every((row) => (given(row) ?? null) === null);
    const last = rows.length === 1 || consecutive ? await this.insertId(table, result, execute) : undefined;
    const keys: (readonly unknown[])[] = [];
    for (const [i, row] of rows.entries()) {
      const generated = rows.length === 1 ? last : last && Number(last) - rows.length + 1 + i;
      const key = table.primaryColumns.map((column) => {
        const operand = row.get(column);
        return (
          (operand && bindOperand(operand, params)) ??
          (column === table.incrementColumn ? generated : undefined)
        );
      });
      if (key.length === 0 || key.some((value) => value === undefined || value === null)) return undefined;
      keys.push(key);
    }
    const one = `(${table.primaryColumns.map((column) => `${this.quote(column)} = ?`).join(' AND ')})`;
    const from = ` FROM ${table.sqlName} WHERE ${keys.map(() => one).join(' OR ')}`;
    const found = await this.select({ source }, needed, from, keys.flat(), execute);
    return found?.length === rows.length ? found.map((row) => imageOfRow(row, needed, table)) : undefined;
  }

  private async insertId(
    { incrementColumn }: WritePlan['table'],
    { raw }: StructuredResult,
    execute: Execute,
  ): Promise<unknown> {
    if (incrementColumn === undefined) return undefined;
    if (this.dialect === 'mysql')
      return (raw as { insertId?: number | string } | undefined)?.insertId || undefined;
    const { records } = (await execute('SELECT last_insert_rowid() AS "id"', [], true)) as StructuredResult;
    return records?.[0]?.['id'];
  }

  /** Old rows by a locking read, then the statement, then the new rows. */
  private async locked(plan: WritePlan, statement: Statement, execute: Execute): Promise<Observed> {
    const { source } = plan;
    const swaps = source.image?.asksOthers === true && this.dialect !== 'sqlite';
    // Any row, then: readers who look at other columns are still left alone.
    if (!source.image) return this.plain(plan, statement, execute);
    if (swaps && this.dialect === 'mysql') return this.counted(plan, statement, execute);
    const columns = columnsOf(plan);
    const params = source.image.params.map((index) => statement.params[index]);
    const rows = await this.select(plan, columns, source.image.from, params, execute);
    if (swaps) return this.identified(plan, rows, statement, execute);
    const result = (await execute(statement.sql, statement.params, true)) as StructuredResult;
    const images =
      rows && !this.grew(rows.length, result.affected)
        ? await this.around(plan, statement, rows, execute)
        : undefined;
    return { result, effect: { ...effectOf(plan), images } };
  }

  /**
   * The rows that match may be others by the time the statement runs, though as many: their conditions ask rows that
   * are not locked. PostgreSQL tells which they were.
   */
  private async identified(
    plan: WritePlan,
    rows: readonly Row[] | undefined,
    statement: Statement,
    execute: Execute,
  ): Promise<Observed> {
    const { table } = plan;
    const keys = table.primaryColumns;
    if (!rows || keys.length === 0 || !keys.every((key) => columnsOf(plan).includes(key)))
      return this.plain(plan, statement, execute);
    const { result, rows: touched } = await this.executeReturning(plan, statement, execute);
    const textOf = (row: Row, label = (name: string) => name): string =>
      JSON.stringify(keys.map((key) => row[label(key)]));
    const seen = new Set(rows.map((row) => textOf(row)));
    if (!touched.every((row) => seen.has(textOf(row, returningLabel))))
      return { result, effect: effectOf(plan) };
    const before = rows.map((row) => imageOfRow(row, columnsOf(plan), table));
    const after = touched.map((row) => imageOfRow(row, columnsOf(plan), table, returningLabel));
    const images = plan.source.kind === 'delete' ? before : [...before, ...after];
    return { result, effect: { ...effectOf(plan), images } };
  }

  /**
   * The same for MySQL, which only counts: when as many rows were changed as those that we saw have visibly changed,
   * no other was.
   */
  private async counted(plan: WritePlan, statement: Statement, execute: Execute): Promise<Observed> {
    const { source, table, columns } = plan;
    const isShown = (name: string): boolean =>
      columns === '*' ? false : columns.has(name) && table.columns.get(name)?.valueClass !== 'opaque';
    const shown = [...table.columns.keys()].filter(isShown);
    const wide = { ...plan, needed: [...new Set([...columnsOf(plan), ...shown])] };
    const bound = source.image?.params.map((index) => statement.params[index]) ?? [];
    const rows = await this.select(plan, columnsOf(wide), source.image?.from ?? '', bound, execute);
    const { result } = await this.plain(plan, statement, execute);
    const after = rows && (await this.readBack(wide, rows, execute));
    if (!after) return { result, effect: effectOf(plan) };
    const textOf = (row: Row): string => JSON.stringify(wide.needed.map((name) => String(row[name])));
    const stayed = new Set(after.map(textOf));
    const changed = rows.filter((row) => !stayed.has(textOf(row))).length;
    const count =
      source.kind === 'delete' ? result.affected : (result.raw as { changedRows?: number }).changedRows;
    if (count !== changed) return { result, effect: effectOf(plan) };
    const images = [...rows, ...after].map((row) => imageOfRow(row, columnsOf(plan), table));
    return { result, effect: { ...effectOf(plan), images } };
  }

  /** A row that came to match between the locking read and the statement has no image (READ COMMITTED phantoms). */
  private grew(seen: number, affected: number | null | undefined): boolean {
    return typeof affected === 'number' && affected > seen;
  }

  private async around(
    plan: WritePlan,
    statement: Statement,
    rows: readonly Record<string, unknown>[],
    execute: Execute,
  ): Promise<readonly RowImage[] | undefined> {
    const { source, table, columns, needed } = plan;
    const before = rows.map((row) => imageOfRow(row, columnsOf(plan), table));
    const moved = columns === '*' ? [] : needed.filter((column) => columns.has(column));
    if (source.kind === 'delete' || moved.length === 0) return before;
    const assigned = assignedValues(source, statement.params, table);
    if (moved.every((column) => assigned.has(column))) {
      return [...before, ...before.map((image) => new Map([...image, ...assigned]))];
    }
    const after = await this.readBack(plan, rows, execute);
    return after && [...before, ...after.map((row) => imageOfRow(row, needed, table))];
  }

  /** The rows again, by their keys; not possible when the statement changed the keys themselves. */
  private async readBack(
    { table, source, columns, needed }: WritePlan,
    rows: readonly Record<string, unknown>[],
    execute: Execute,
  ): Promise<readonly Record<string, unknown>[] | undefined> {
    const keys = table.primaryColumns;
    if (rows.length === 0) return [];
    if (keys.length === 0 || (columns !== '*' && keys.some((key) => columns.has(key)))) return undefined;
    const params: unknown[] = [];
    const place = (value: unknown): string => bindTo(params, value, this.dialect);
    const where = rows
      .map((row) => `(${keys.map((key) => `${this.quote(key)} = ${place(row[key])}`).join(' AND ')})`)
      .join(' OR ');
    return this.select({ source }, needed, ` FROM ${table.sqlName} WHERE ${where}`, params, execute);
  }

  private lockClause(kind: WritePlan['source']['kind']): string {
    if (this.dialect === 'sqlite') return '';
    // NO KEY: an UPDATE of other columns does not block foreign key checks, and neither must our look at the row.
    return this.dialect === 'postgres' && kind === 'update' ? ' FOR NO KEY UPDATE' : ' FOR UPDATE';
  }
}

/**
 * What an image is made of: columns that readers compare, and the key, should more columns be wanted later. A key that
 * the statement sets would be that of one side only.
 */
const columnsOf = ({ needed, table, columns }: WritePlan): readonly string[] => [
  ...new Set([...needed, ...table.primaryColumns.filter((name) => columns === '*' || !columns.has(name))]),
];
