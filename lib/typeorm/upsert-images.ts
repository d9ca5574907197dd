import type { Effect } from '../invalidation/effect.js';
import { canonicalValue } from '../sql/index.js';
import type { SqlDialect } from '../sql/sql.types.js';
import type { ForeignKeys } from './foreign-keys.js';
import type { Row, RowReads } from './row-reads.js';
import {
  keyCondition,
  quoteName,
  returningLabel,
  stripReturning,
  withReturning,
  type Execute,
  type Statement,
  type StructuredResult,
} from './statement.js';
import { UniqueKeys } from './unique-keys.js';
import { upsertLookup, type UpsertLookup } from './upsert-lookup.js';
import { imageOfRow, MAX_INSERT_ROWS, type WritePlan } from './write-plan.js';

export interface ObservedUpsert {
  readonly result: StructuredResult;
  /** `undefined`: any row of the table may have been changed. */
  readonly effects: readonly Effect[] | undefined;
}

type Label = (column: string) => string;

/** An upsert as it will be run. */
interface Task {
  readonly plan: WritePlan;
  /** What happens to the rows in the way, unless they are replaced. */
  readonly update: WritePlan | undefined;
  readonly lookup: UpsertLookup;
  /** Columns that an image holds. */
  readonly columns: readonly string[];
  readonly statement: Statement;
  readonly execute: Execute;
}

/** PostgreSQL: the transaction that locked or replaced the row's version; 0 for one that was inserted just now. */
const XMAX = 'xmax';

/** Rows that the session has changed or deleted so far. */
const HANDLED = `SELECT SUM(variable_value) AS n FROM information_schema.session_status
WHERE variable_name IN ('HANDLER_UPDATE', 'HANDLER_DELETE')`;

const asIs: Label = (column) => column;

/**
 * Runs INSERTs that change or replace the rows in their way, and learns which rows those were.
 *
 * Between the look at the rows and the statement another transaction may insert a row, which the statement then
 * changes and of which nobody saw what it was. So each dialect has its own proof that this did not happen:
 *
 * - PostgreSQL tells for each row whether it was inserted; one that was not must be among those that we locked.
 * - SQLite: a transaction that has read is not overtaken by a writer.
 * - MySQL counts 1 for an inserted row and 2 for one that was changed, in sum: enough where all rows of the statement
 *   met one that we locked, or none did, or where all that were met have visibly changed. A lock on rows that are not there would keep others from inserting theirs,
 *   and two that hold it would wait for each other, so rows are looked for without a lock first.
 */
export class UpsertImages {
  private readonly keys: UniqueKeys;

  constructor(
    private readonly reads: RowReads,
    private readonly foreignKeys: ForeignKeys,
    private readonly dialect: SqlDialect,
  ) {
    this.keys = new UniqueKeys(dialect);
  }

  /** Whether the rows in the way of the plans' statement must be looked up, and can be. */
  needed(plans: readonly WritePlan[]): boolean {
    const { upsert, rows } = plans[0]?.source ?? {};
    if (!upsert || !rows || rows.length > MAX_INSERT_ROWS) return false;
    return plans.some((plan) => plan.missing.length > 0 || this.foreignKeys.concerns(plan));
  }

  /** @param plans those of an upsert; the caller holds a transaction open */
  async run(plans: readonly WritePlan[], statement: Statement, execute: Execute): Promise<ObservedUpsert> {
    const task = await this.task(plans, statement, execute);
    if (!task) return { result: await execution(statement, execute), effects: undefined };
    return this.dialect === 'postgres' ? this.returned(task) : this.looked(task);
  }

  private async task(
    [plan, update]: readonly WritePlan[],
    statement: Statement,
    execute: Execute,
  ): Promise<Task | undefined> {
    const { source, table, needed } = plan as WritePlan;
    if (table.primaryColumns.length === 0) return undefined;
    const keys = await this.keys.of(table, execute);
    const lookup = upsertLookup(source, update?.columns ?? '*', statement.params, table, keys, this.dialect);
    if (!lookup) return undefined;
    const decisive = this.foreignKeys.keysOf(update ?? (plan as WritePlan));
    const columns = new Set([...needed, ...lookup.keyColumns, ...decisive]);
    // To see which of several rows were changed, what is set must be seen.
    if (this.dialect === 'mysql' && update && lookup.rows > 1) {
      for (const { name, valueClass } of table.columns.values())
        if (valueClass !== 'opaque' && (update.columns === '*' || update.columns.has(name)))
          columns.add(name);
    }
    return { plan: plan as WritePlan, update, lookup, columns: [...columns], statement, execute };
  }

  private async returned(task: Task): Promise<ObservedUpsert> {
    const { plan, columns, statement, execute } = task;
    const met = await this.met(task);
    const { returning } = plan.source;
    const sql = withReturning(statement.sql, [...columns, XMAX], returning, this.dialect);
    const result = await execution({ ...statement, sql }, execute);
    const rows = stripReturning(result, returning);
    const isInserted = (row: Row): boolean => String(row[returningLabel(XMAX)]) === '0';
    const changed = rows.filter((row) => !isInserted(row));
    const before = met && this.matching(task, met, changed);
    if (!before) return { result, effects: undefined };
    const inserted = rows.filter(isInserted);
    return { result, effects: this.effects(task, before, changed, inserted, returningLabel) };
  }

  private async looked(task: Task): Promise<ObservedUpsert> {
    const { plan, update, lookup, columns, statement, execute } = task;
    const met = await this.met(task);
    const closure = update || !met ? [] : await this.foreignKeys.deleted(plan.table, met, execute);
    const before = await this.changes(task);
    const result = await execution(statement, execute);
    const after = await this.changes(task);
    const affected = before === undefined ? result.affected : lookup.rows + Number(after) - before;
    const { from, params } = lookup;
    const left = met && (await this.reads.look(columns, from, params, execute));
    if (!left || !this.areAll(left, lookup) || !this.isProven(task, met ?? [], left, affected))
      return { result, effects: undefined };
    return { result, effects: [...this.sorted(task, met ?? [], left), ...closure] };
  }

  /** Two rows of one statement may have the same key: SQLite, where nobody comes between, then leaves one of them. */
  private areAll(left: readonly Row[], { rows, allKeyed }: UpsertLookup): boolean {
    return left.length === rows || (this.dialect === 'sqlite' && allKeyed);
  }

  /** MariaDB does not count for the client what a statement with RETURNING did; the session's counters do. */
  private async changes({ plan, execute }: Task): Promise<number | undefined> {
    if (this.dialect !== 'mysql' || !plan.source.returning) return undefined;
    const { records } = await execution({ sql: HANDLED, params: [], structured: true }, execute);
    return Number(records?.[0]?.['n']);
  }

  private sorted(task: Task, met: readonly Row[], left: readonly Row[]): readonly Effect[] {
    if (!task.update) return this.effects(task, met, [], left);
    // A row that is told to be new though it was there is not missed: a new row concerns every reader.
    const wasThere = among(met, task.lookup.keyColumns);
    const inserted = left.filter((row) => !wasThere(row));
    return this.effects(
      task,
      met,
      left.filter((row) => wasThere(row)),
      inserted,
    );
  }

  /** The rows in the way as they are, under lock; `undefined` when there are too many. */
  private async met({ plan, update, lookup, columns, execute }: Task): Promise<readonly Row[] | undefined> {
    const { table } = plan;
    const { from, params } = lookup;
    const target = update ?? plan;
    if (this.dialect !== 'mysql') {
      // In one order, so that two statements that meet the same rows do not wait for each other.
      const order = lookup.keys[0]?.map(({ name }) => quoteName(name, this.dialect)).join(', ');
      return this.reads.select(target, columns, `${from} ORDER BY ${order}`, params, execute);
    }
    const there = await this.reads.look(table.primaryColumns, from, params, execute);
    if (!there || there.length === 0) return there;
    const bound = [...params];
    const tuples = there.map((row) => table.primaryColumns.map((name) => row[name]));
    const again = keyCondition(table.primaryColumns, tuples, bound, this.dialect);
    // `from` ends with the condition on the keys that the statement gives.
    return this.reads.select(target, columns, `${from} AND (${again})`, bound, execute);
  }

  /** MySQL: whether the count says that no row was changed that was not met. */
  private isProven(
    { update, lookup, columns }: Task,
    met: readonly Row[],
    left: readonly Row[],
    affected: number | null | undefined,
  ): boolean {
    if (this.dialect !== 'mysql') return true;
    const { rows, oneKeyEach, ownKeys } = lookup;
    if (met.length === 0) return affected === rows;
    if (!update) return rows === 1 && affected === rows + met.length;
    if (!oneKeyEach && !ownKeys) return false;
    const now = new Set(left.map((row) => textOf(row, columns)));
    const changed = met.filter((row) => !now.has(textOf(row, columns))).length;
    return met.length === rows || affected === rows + changed;
  }

  /** The rows that were met in place of those that were changed; `undefined` when one was not met. */
  private matching(task: Task, met: readonly Row[], changed: readonly Row[]): readonly Row[] | undefined {
    const byKey = new Map<string, Row[]>();
    for (const row of met) {
      const key = this.keyText(task, row);
      if (key !== undefined) byKey.set(key, [...(byKey.get(key) ?? []), row]);
    }
    const keys = changed.map((row) => this.keyText(task, row, returningLabel));
    if (keys.some((key) => key === undefined || !byKey.has(key))) return undefined;
    return [...new Set(keys)].flatMap((key) => byKey.get(key as string) ?? []);
  }

  private effects(
    task: Task,
    before: readonly Row[],
    changed: readonly Row[],
    inserted: readonly Row[],
    label = asIs,
  ): readonly Effect[] {
    const { plan, update } = task;
    const images = [...this.imagesOf(task, before), ...this.imagesOf(task, changed, label)];
    return [
      { table: plan.table.id, columns: '*', images: this.imagesOf(task, inserted, label) },
      { table: plan.table.id, columns: this.changedColumns(task, before, changed, label), images },
      ...(update && this.movesKeys(update, before, changed, label) ? this.foreignKeys.closureOf(update) : []),
    ];
  }

  /** The columns that are set; a key by which all rows were met and that they kept is not changed. */
  private changedColumns(
    task: Task,
    before: readonly Row[],
    changed: readonly Row[],
    label: Label,
  ): Effect['columns'] {
    const { update, lookup } = task;
    if (!update || update.columns === '*') return '*';
    const wasThere = among(before, lookup.keyColumns);
    const kept = before.length === changed.length && changed.every((row) => wasThere(row, label));
    return kept
      ? new Set([...update.columns].filter((name) => !lookup.keyColumns.includes(name)))
      : update.columns;
  }

  /** Whether rows got another key on which rows of other tables hang. */
  private movesKeys(update: WritePlan, before: readonly Row[], after: readonly Row[], label: Label): boolean {
    const keys = this.foreignKeys.keysOf(update);
    const had = new Set(before.map((row) => textOf(row, keys)));
    const isSame = before.length === after.length && after.every((row) => had.has(textOf(row, keys, label)));
    return keys.length > 0 && !isSame;
  }

  private imagesOf({ plan, columns }: Task, rows: readonly Row[], label = asIs) {
    return rows.map((row) => imageOfRow(row, columns, plan.table, label));
  }

  /** The key by which a row was met, as one text; `undefined` when its values have no canonical text. */
  private keyText({ plan, lookup }: Task, row: Row, label = asIs): string | undefined {
    const texts = lookup.keys[0]?.map(({ name }) => {
      const facts = plan.table.columns.get(name);
      return facts && canonicalValue(facts, row[label(name)] ?? null);
    });
    return texts?.every((text) => typeof text === 'string') ? JSON.stringify(texts) : undefined;
  }
}

/** Values as the driver gave them. */
const textOf = (row: Row, columns: readonly string[], label = asIs): string =>
  JSON.stringify(
    columns.map((name) => [typeof row[label(name)], row[label(name)]]),
    (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value),
  );

/** Whether a driver gives different values of the column for rows that differ in it: no fractions of a millisecond. */
const isExact = (value: unknown): boolean =>
  value === null || typeof value === 'string' || typeof value === 'bigint' || Number.isSafeInteger(value);

/** Tells rows that are certainly the same in these columns as one of the given. */
function among(rows: readonly Row[], columns: readonly string[]) {
  const known = new Set(rows.map((row) => textOf(row, columns)));
  return (row: Row, label = asIs): boolean =>
    columns.every((name) => isExact(row[label(name)])) && known.has(textOf(row, columns, label));
}

const execution = async ({ sql, params }: Statement, execute: Execute): Promise<StructuredResult> =>
  (await execute(sql, params, true)) as StructuredResult;
