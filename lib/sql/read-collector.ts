import { anyOf, isAnyRow, ANY_ROW, type Dnf } from './conjunctions.js';
import type { Source } from './scope.js';
import type { RelationFacts, SqlCatalog, TableRead } from './sql.types.js';

/** Gathers what a statement reads, over all its queries. */
export class ReadCollector {
  /** Why the result may not be cached; the first reason found. */
  refusal: string | undefined;
  private readonly sources: Source[] = [];
  private readonly wholes = new Set<string>();

  constructor(
    private readonly catalog: SqlCatalog,
    private readonly max: number,
  ) {}

  refuse(reason: string): void {
    this.refusal ??= reason;
  }

  /** A source whose conditions and columns are still to be filled in. */
  add(source: Source): void {
    this.sources.push(source);
  }

  /** Any row and any column of a table, or of all tables under a view. */
  addWhole(relation: RelationFacts): void {
    const bases = baseTables(relation, this.catalog);
    if (!bases) return this.refuse(`view ${relation.id} does not say what it depends on`);
    for (const { id } of bases) this.wholes.add(id);
  }

  /** Whether a table, be it the same, is named more than once. */
  get readsSeveral(): boolean {
    return this.sources.length + this.wholes.size > 1;
  }

  tables(): readonly TableRead[] {
    const ids = new Set([...this.sources.flatMap(({ table }) => (table ? [table.id] : [])), ...this.wholes]);
    return [...ids].map((id) => this.tableRead(id));
  }

  private tableRead(table: string): TableRead {
    if (this.wholes.has(table)) return { table, conditions: ANY_ROW, reads: '*' };
    const sources = this.sources.filter((source) => source.table?.id === table);
    const conditions: Dnf = anyOf(
      sources.map((source) => source.conditions),
      this.max,
    );
    return { table, conditions: isAnyRow(conditions) ? ANY_ROW : conditions, reads: this.reads(sources) };
  }

  private reads(sources: readonly Source[]): '*' | readonly string[] {
    const columns = new Set<string>();
    for (const { reads } of sources) {
      if (reads === '*') return '*';
      for (const column of reads) columns.add(column);
    }
    const known = sources[0]?.table?.columns.size ?? 0;
    return columns.size > 0 && columns.size >= known ? '*' : [...columns].sort();
  }
}

/** The tables that a relation's rows come from; `undefined` when a view does not tell. */
export function baseTables(
  relation: RelationFacts,
  catalog: SqlCatalog,
  seen: ReadonlySet<string> = new Set(),
): readonly RelationFacts[] | undefined {
  if (relation.kind === 'table') return [relation];
  if (!relation.dependsOn || seen.has(relation.id)) return undefined;
  const bases: RelationFacts[] = [];
  for (const id of relation.dependsOn) {
    const found = catalog.get(id);
    const below = found && baseTables(found, catalog, new Set([...seen, relation.id]));
    if (!below) return undefined;
    bases.push(...below);
  }
  return bases;
}
