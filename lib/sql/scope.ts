import { ANY_ROW, type Dnf } from './conjunctions.js';
import type { RelationFacts, SqlDialect } from './sql.types.js';

/** One entry of a FROM clause. */
export class Source {
  /** The rows that can matter. */
  conditions: Dnf = ANY_ROW;
  /** On the nullable side of an outer join, as seen from what is evaluated next. */
  nullable = false;
  reads: Set<string> | '*' = new Set();
  private readonly names: ReadonlyMap<string, string> | undefined;

  /**
   * @param name alias, or the last part of the table's name
   * @param table the base table; `undefined` for derived tables, CTEs and views, whose own reads are counted elsewhere
   * @param columns names of its columns; `undefined` when they are not known
   */
  constructor(
    readonly name: string,
    readonly table: RelationFacts | undefined,
    columns: Iterable<string> | undefined,
    private readonly dialect: SqlDialect,
  ) {
    this.names = columns && new Map([...columns].map((column) => [this.fold(column), column]));
  }

  get columnsKnown(): boolean {
    return this.names !== undefined;
  }

  /** The column's name in the database. */
  column(name: string): string | undefined {
    return this.names?.get(this.fold(name));
  }

  isNamed(name: string): boolean {
    return this.fold(this.name) === this.fold(name);
  }

  read(column: string | '*'): void {
    if (column === '*') this.reads = '*';
    else if (this.reads !== '*') this.reads.add(column);
  }

  /** MySQL and SQLite compare names of columns without regard to case. */
  private fold(name: string): string {
    return this.dialect === 'postgres' ? name : name.toLowerCase();
  }
}

/** What a column name means: one column of one source, or a column that may belong to any of several. */
export type Resolution =
  { readonly kind: 'column'; readonly source: Source; readonly column: string } | UnsureResolution;

interface UnsureResolution {
  readonly kind: 'unsure';
  readonly reads: readonly (readonly [Source, string | '*'])[];
}

/** Names visible in one SELECT, and through `parent` those of the queries around it. */
export class Scope {
  readonly sources: Source[] = [];
  /** Names of the select list, which ORDER BY, GROUP BY and HAVING may use. */
  readonly labels = new Set<string>();
  private readonly ctes = new Map<string, readonly string[] | undefined>();

  constructor(readonly parent?: Scope) {}

  addCte(name: string, columns: readonly string[] | undefined): void {
    this.ctes.set(name.toLowerCase(), columns);
  }

  /** Columns of a common table expression, `'unknown'` when it does not tell, `undefined` when there is none. */
  findCte(name: string): readonly string[] | 'unknown' | undefined {
    const key = name.toLowerCase();
    if (this.ctes.has(key)) return this.ctes.get(key) ?? 'unknown';
    return this.parent?.findCte(name);
  }

  resolve(path: readonly string[]): Resolution {
    const found = path.length === 1 ? this.unqualified(path[0] as string) : this.qualified(path);
    return found ?? this.everything();
  }

  private qualified(path: readonly string[]): Resolution | undefined {
    const [qualifier, name] = path.slice(-2) as [string, string];
    const named = this.sources.filter((source) => source.isNamed(qualifier));
    const [source] = named;
    if (!source) return this.parent?.qualified(path);
    const column = source.column(name);
    if (named.length === 1 && column !== undefined) return { kind: 'column', source, column };
    return { kind: 'unsure', reads: named.map((s) => [s, '*']) };
  }

  private unqualified(name: string): Resolution | undefined {
    const owners = this.sources.filter((s) => s.column(name) !== undefined);
    const unknown = this.sources.filter((s) => !s.columnsKnown);
    const [owner] = owners;
    if (owner && owners.length === 1 && unknown.length === 0) {
      return { kind: 'column', source: owner, column: owner.column(name) as string };
    }
    if (owner) return { kind: 'unsure', reads: owners.map((s) => [s, s.column(name) as string]) };
    if (this.labels.has(name.toLowerCase())) return { kind: 'unsure', reads: [] };
    if (unknown.length > 0) return undefined;
    const row = this.sources.filter((s) => s.isNamed(name));
    if (row.length > 0) return { kind: 'unsure', reads: row.map((s) => [s, '*']) };
    return this.outer(name);
  }

  /** A name from outside; should the catalogue have missed a column here, it would be ours after all. */
  private outer(name: string): Resolution | undefined {
    const found = this.parent?.unqualified(name);
    if (!found || this.sources.length === 0) return found;
    const theirs = found.kind === 'column' ? [[found.source, found.column] as const] : found.reads;
    return { kind: 'unsure', reads: [...this.sources.map((s) => [s, '*'] as const), ...theirs] };
  }

  /** A name that nobody knows may be a column of any table in sight. */
  private everything(): UnsureResolution {
    const reads = this.sources.map((s) => [s, '*'] as const);
    return { kind: 'unsure', reads: this.parent ? [...reads, ...this.parent.everything().reads] : reads };
  }
}
