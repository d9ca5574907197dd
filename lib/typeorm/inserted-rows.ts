import type { RowImage } from '../invalidation/effect.js';
import { bindOperand } from '../sql/index.js';
import type { Operand, SqlDialect } from '../sql/sql.types.js';
import type { RowReads } from './row-reads.js';
import { keyCondition, type Execute, type StructuredResult } from './statement.js';
import { imageOfRow, type WritePlan } from './write-plan.js';

/** Learns the rows of an INSERT that cannot return them. */
export class InsertedRows {
  constructor(
    private readonly reads: RowReads,
    private readonly dialect: SqlDialect,
  ) {}

  /** @returns `undefined` when they cannot be told from others */
  async images(
    plan: WritePlan,
    params: readonly unknown[],
    result: StructuredResult,
    execute: Execute,
  ): Promise<readonly RowImage[] | undefined> {
    return (
      (await this.withInsertId(plan, result, execute)) ?? (await this.byKeys(plan, params, result, execute))
    );
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
  private async byKeys(
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
    const bound: unknown[] = [];
    const where = keyCondition(table.primaryColumns, keys, bound, this.dialect);
    const from = ` FROM ${table.sqlName} WHERE ${where}`;
    const found = await this.reads.select({ source }, needed, from, bound, execute);
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
}
