/** Column -> canonical value; `undefined` where a value has no canonical text. */
export type Row = ReadonlyMap<string, string | null | undefined>;
export type Condition = ReadonlyMap<string, string | null>;

/** What a stored result depends on, table by table. */
export interface SeedDependency {
  readonly table: string;
  readonly conditions: readonly Condition[];
}

/**
 * The invalidation rules of django-cacheops, to measure ours by: a result depends on conjunctions of equalities per
 * table; a saved row invalidates every conjunction that it matches, as it was or as it is, whichever columns
 * changed. Where cacheops would be stale (bulk updates, upserts, raw SQL, keys set to NULL, tables of subqueries and of
 * `select_related`) it is taken to have invalidated the very rows, so that only its precision counts.
 */
export class SeedRules {
  private readonly valid = new Map<string, readonly SeedDependency[]>();
  private readonly byTable = new Map<string, Set<string>>();

  /** Whether the result stored under the key would be served. */
  has(key: string): boolean {
    return this.valid.has(key);
  }

  store(key: string, dependencies: readonly SeedDependency[]): void {
    this.valid.set(key, dependencies);
    for (const { table } of dependencies) {
      let keys = this.byTable.get(table);
      if (!keys) this.byTable.set(table, (keys = new Set()));
      keys.add(key);
    }
  }

  /** Rows of a table that a write touched, as they were and as they are. */
  written(table: string, rows: readonly Row[], dropped: (key: string) => void): void {
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
      if (dependencies) dropped(key);
      this.valid.delete(key);
    }
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
