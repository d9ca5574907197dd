import type { Effect, RowImage } from '../invalidation/effect.js';
import type { ImageQuery, SqlDialect } from '../sql/sql.types.js';
import { InsertedRows } from './inserted-rows.js';
import type { Row, RowReads } from './row-reads.js';
import {
  returningLabel,
  stripReturning,
  withReturning,
  type Execute,
  type Statement,
  type StructuredResult,
} from './statement.js';
import { assignedValues, effectOf, imageOfRow, type WritePlan } from './write-plan.js';

export interface Observed {
  readonly result: StructuredResult;
  readonly effect: Effect;
}

/** A statement with our columns in its RETURNING clause. */
interface Extended {
  /** As the application gave it. */
  readonly sql: string;
  readonly text: string;
  /** Under which name a column comes back. */
  readonly labelOf: (column: string) => string;
}

interface Returned extends Pick<Extended, 'labelOf'> {
  readonly result: StructuredResult;
  /** What our columns say of the rows that the statement touched. */
  readonly rows: readonly Row[];
}

/**
 * Runs a statement inside a transaction and learns the rows that it changed, as they were and as they became.
 *
 * An image must be taken under the row's lock or come from the statement itself: between an unlocked read and the
 * write another transaction may move the row to a condition that nobody then restamps. So old values come from
 * `SELECT ... FOR UPDATE` or from RETURNING of columns that the statement does not assign.
 */
export class RowImages {
  private readonly inserted: InsertedRows;
  private readonly texts = new WeakMap<WritePlan['imageColumns'], Extended>();

  constructor(
    private readonly reads: RowReads,
    private readonly dialect: SqlDialect,
  ) {
    this.inserted = new InsertedRows(reads, dialect);
  }

  run(plan: WritePlan, statement: Statement, execute: Execute): Promise<Observed> {
    if (plan.missing.length === 0 || plan.source.kind === 'table')
      return this.plain(plan, statement, execute);
    if (plan.source.kind === 'insert') return this.insert(plan, statement, execute);
    if (this.canReturnImages(plan)) return this.returning(plan, statement, execute);
    return this.locked(plan, statement, execute);
  }

  private async plain(plan: WritePlan, statement: Statement, execute: Execute): Promise<Observed> {
    const result = (await execute(statement.sql, statement.params, true)) as StructuredResult;
    return { result, effect: effectOf(plan) };
  }

  private canReturnImages({ images, showsBefore }: WritePlan): boolean {
    return this.dialect === 'postgres' && images !== undefined && showsBefore;
  }

  private returning(plan: WritePlan, statement: Statement, execute: Execute): Promise<Observed> {
    return this.executeReturning(plan, statement, execute, ({ result, rows, labelOf }) => {
      const images = rows.map((row) => imageOfRow(row, plan.imageColumns, plan.table, labelOf));
      return { result, effect: { ...effectOf(plan), images } };
    });
  }

  private executeReturning(
    plan: WritePlan,
    { sql, params }: Statement,
    execute: Execute,
    use: (returned: Returned) => Observed,
  ): Promise<Observed> {
    const { text, labelOf } = this.extended(plan, sql);
    const executed = execute(text, params, true) as Promise<StructuredResult>;
    const had = plan.source.returning;
    return executed.then((result) => use({ result, rows: stripReturning(result, had), labelOf }));
  }

  /** The statement with our columns, which stays the same as long as its text and the shapes of its readers do. */
  private extended({ source, imageColumns }: WritePlan, sql: string): Extended {
    const known = this.texts.get(imageColumns);
    if (known?.sql === sql) return known;
    const labels = new Map(imageColumns.map((column) => [column, returningLabel(column)]));
    const extended = {
      sql,
      text: withReturning(sql, imageColumns, source.returning, this.dialect, source.image?.target),
      labelOf: (column: string) => labels.get(column) ?? returningLabel(column),
    };
    this.texts.set(imageColumns, extended);
    return extended;
  }

  private async insert(plan: WritePlan, statement: Statement, execute: Execute): Promise<Observed> {
    if (!plan.images) return this.plain(plan, statement, execute);
    const canReturn = this.dialect === 'postgres' || (this.dialect === 'mysql' && plan.source.returning);
    if (canReturn) return this.returning(plan, statement, execute);
    const { result } = await this.plain(plan, statement, execute);
    const images = await this.inserted.images(plan, statement.params, result, execute);
    return { result, effect: { ...effectOf(plan), images } };
  }

  /** Old rows by a locking read, then the statement, then the new rows. */
  private async locked(plan: WritePlan, statement: Statement, execute: Execute): Promise<Observed> {
    const { image } = plan.source;
    // Any row, then: readers who look at other columns are still left alone.
    if (!image) return this.plain(plan, statement, execute);
    const swaps = image.asksOthers === true && this.dialect !== 'sqlite';
    if (swaps && this.dialect === 'mysql') return this.counted(image, plan, statement, execute);
    const rows = await this.reads.matching(image, plan, plan.imageColumns, statement.params, execute);
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
    if (!rows || keys.length === 0 || !keys.every((key) => plan.imageColumns.includes(key)))
      return this.plain(plan, statement, execute);
    return this.executeReturning(plan, statement, execute, (returned) => this.same(plan, rows, returned));
  }

  /** The effect, if the rows that were touched are among those that were seen. */
  private same(
    plan: WritePlan,
    rows: readonly Row[],
    { result, rows: touched, labelOf }: Returned,
  ): Observed {
    const { table } = plan;
    const keys = table.primaryColumns;
    const textOf = (row: Row, label = (name: string) => name): string =>
      JSON.stringify(keys.map((key) => row[label(key)]));
    const seen = new Set(rows.map((row) => textOf(row)));
    if (!touched.every((row) => seen.has(textOf(row, labelOf)))) return { result, effect: effectOf(plan) };
    const before = rows.map((row) => imageOfRow(row, plan.imageColumns, table));
    const after = touched.map((row) => imageOfRow(row, plan.imageColumns, table, labelOf));
    const images = plan.source.kind === 'delete' ? before : [...before, ...after];
    return { result, effect: { ...effectOf(plan), images } };
  }

  /**
   * The same for MySQL, which only counts: when as many rows were changed as those that we saw have visibly changed,
   * no other was.
   */
  private async counted(
    image: ImageQuery,
    plan: WritePlan,
    statement: Statement,
    execute: Execute,
  ): Promise<Observed> {
    const { source, table, columns } = plan;
    const isShown = (name: string): boolean =>
      columns === '*' ? false : columns.has(name) && table.columns.get(name)?.valueClass !== 'opaque';
    const shown = [...table.columns.keys()].filter(isShown);
    const all = [...new Set([...plan.imageColumns, ...shown])];
    const wide = { ...plan, needed: all, imageColumns: all };
    const rows = await this.reads.matching(image, plan, wide.imageColumns, statement.params, execute);
    const { result } = await this.plain(plan, statement, execute);
    const after = rows && (await this.reads.again(wide, rows, execute));
    if (!after) return { result, effect: effectOf(plan) };
    const textOf = (row: Row): string => JSON.stringify(wide.needed.map((name) => String(row[name])));
    const stayed = new Set(after.map(textOf));
    const changed = rows.filter((row) => !stayed.has(textOf(row))).length;
    const count =
      source.kind === 'delete' ? result.affected : (result.raw as { changedRows?: number }).changedRows;
    if (count !== changed) return { result, effect: effectOf(plan) };
    const images = [...rows, ...after].map((row) => imageOfRow(row, plan.imageColumns, table));
    return { result, effect: { ...effectOf(plan), images } };
  }

  /** A row that came to match between the locking read and the statement has no image (READ COMMITTED phantoms). */
  private grew(seen: number, affected: number | null | undefined): boolean {
    return typeof affected === 'number' && affected > seen;
  }

  private async around(
    plan: WritePlan,
    statement: Statement,
    rows: readonly Row[],
    execute: Execute,
  ): Promise<readonly RowImage[] | undefined> {
    const { source, table, columns, needed } = plan;
    const before = rows.map((row) => imageOfRow(row, plan.imageColumns, table));
    const moved = columns === '*' ? [] : needed.filter((column) => columns.has(column));
    if (source.kind === 'delete' || moved.length === 0) return before;
    const assigned = assignedValues(source, statement.params, table);
    if (moved.every((column) => assigned.has(column))) {
      return [...before, ...before.map((image) => new Map([...image, ...assigned]))];
    }
    const after = await this.reads.again(plan, rows, execute);
    return after && [...before, ...after.map((row) => imageOfRow(row, needed, table))];
  }
}
