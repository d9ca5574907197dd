import type { ValueClass } from '../../lib/sql/index.js';

/** Column -> canonical value; `undefined` where a value has no canonical text. */
export type Row = ReadonlyMap<string, string | null | undefined>;
type Condition = ReadonlyMap<string, string | null>;

/** What a stored result depends on, table by table. */
export interface SeedDependency {
  readonly table: string;
  readonly conditions: readonly Condition[];
}

/** `CACHEOPS_LONG_DISJUNCTION`: from so many values on, a column is not followed. */
const LONG_DISJUNCTION = 8;

/**
 * The invalidation rules of django-cacheops, to measure ours by: a result depends on conjunctions of equalities per
 * table; a saved row invalidates every conjunction that it matches, as it was or as it is, whichever columns
 * changed. Text, JSON, arrays and bytes never take part in a condition (`skipped`). Where cacheops would be stale
 * (updates past `save()`, tables of subqueries) it is taken to have invalidated, so that only its precision counts.
 */
export class SeedRules {
  private readonly valid = new Map<string, readonly SeedDependency[]>();
  private readonly byTable = new Map<string, Set<string>>();

  constructor(private readonly skipped: (table: string, column: string) => boolean) {}

  /** Whether the result stored under the key would be served. */
  has(key: string): boolean {
    return this.valid.has(key);
  }

  store(key: string, dependencies: readonly SeedDependency[]): void {
    this.valid.set(
      key,
      dependencies.map(({ table, conditions }) => ({ table, conditions: this.followed(table, conditions) })),
    );
    for (const { table } of dependencies) {
      let keys = this.byTable.get(table);
      if (!keys) this.byTable.set(table, (keys = new Set()));
      keys.add(key);
    }
  }

  /** Rows of a table that a write touched, as they were and as they are. */
  written(table: string, rows: readonly Row[]): void {
    const keys = this.byTable.get(table);
    if (!keys || rows.length === 0) return;
    for (const key of keys) {
      const dependencies = this.valid.get(key)?.filter((dependency) => dependency.table === table);
      if (
        dependencies &&
        !dependencies.some(({ conditions }) => conditions.some((c) => rows.some((row) => matches(row, c))))
      )
        continue;
      keys.delete(key);
      this.valid.delete(key);
    }
  }

  private followed(table: string, conditions: readonly Condition[]): readonly Condition[] {
    const values = new Map<string, Set<string | null>>();
    for (const condition of conditions) {
      for (const [column, value] of condition)
        values.set(column, (values.get(column) ?? new Set()).add(value));
    }
    const follows = (column: string): boolean =>
      !this.skipped(table, column) && (values.get(column)?.size ?? 0) < LONG_DISJUNCTION;
    return conditions.map((condition) => new Map([...condition].filter(([column]) => follows(column))));
  }
}

/** Whether a row meets all equalities of a condition. */
export function matches(row: Row, condition: Condition): boolean {
  for (const [column, value] of condition) {
    const actual = row.get(column);
    // A value without canonical text may equal anything.
    if (actual !== undefined && actual !== value) return false;
  }
  return true;
}

/** Classes of columns that cacheops leaves out by default. */
export const isSkippedClass = (valueClass: ValueClass): boolean => valueClass === 'opaque';
