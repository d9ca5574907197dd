/** Dialects whose text the analyser reads. `mysql` covers MariaDB, `sqlite` all SQLite drivers. */
export type SqlDialect = 'postgres' | 'mysql' | 'sqlite';

/**
 * How the database compares two values of a column, which decides their canonical text:
 * values that are equal in the database must get equal texts, or none (`opaque`, which widens).
 */
export type ValueClass =
  | 'integer'
  | 'decimal'
  | 'boolean'
  | 'uuid'
  | 'timestamp'
  | 'date'
  | 'time'
  | 'text'
  /** Exact but for blanks at the end. */
  | 'padded-text'
  | 'folded-text'
  | 'opaque';

export interface ColumnFacts {
  /** Name in the database. */
  readonly name: string;
  readonly valueClass: ValueClass;
}

export interface RelationFacts {
  /** Name of the table in tokens. */
  readonly id: string;
  readonly kind: 'table' | 'view';
  readonly columns: ReadonlyMap<string, ColumnFacts>;
  /** For a view: ids of the tables it reads, or `undefined` when unknown (then it is not cached). */
  readonly dependsOn?: readonly string[];
}

/** What the analyser must know of the schema. */
export interface SqlCatalog {
  readonly dialect: SqlDialect;
  /** Finds a relation by its path as written, unquoted and in the case of the database (`['public', 'film']`). */
  find(path: readonly string[]): RelationFacts | undefined;
  get(id: string): RelationFacts | undefined;
  readonly relations: Iterable<RelationFacts>;
}

/** A value in a statement: a bound parameter (0-based), an array-valued parameter (`= ANY($1)`), or a literal. */
export type Operand =
  | { readonly param: number }
  | { readonly list: number }
  | { readonly literal: string | number | bigint | boolean | null };

/** `column = operand`; `IS NULL` is the literal `null`. */
export interface Equality {
  readonly column: string;
  readonly operand: Operand;
}

/** AND of equalities; empty: any row. */
export type Conjunction = readonly Equality[];

/** What a statement reads from one table, all aliases united. */
export interface TableRead {
  readonly table: string;
  /** OR of conjunctions. Empty: no row can matter (`WHERE 0=1`). */
  readonly conditions: readonly Conjunction[];
  /** Sorted columns whose values take part anywhere (select, join, where, order, group); `'*'` when not known. */
  readonly reads: '*' | readonly string[];
}

export interface ReadAnalysis {
  readonly kind: 'read';
  readonly tables: readonly TableRead[];
  /** Why the result may not be cached, in words for `explain`; `undefined` when it may. */
  readonly uncacheable?: string;
}

/** A SELECT that returns chosen columns of the rows which an UPDATE or DELETE is about to touch. */
export interface ImageQuery {
  /** Text before SELECT (`WITH ... `). */
  readonly head?: string;
  /** Text after the select list, from ` FROM ` on, with placeholders renumbered for `params`. */
  readonly from: string;
  /** Indexes into the statement's parameters, in placeholder order of `head` and `from`. */
  readonly params: readonly number[];
  /** Name of the statement's table, where `from` names others beside it; their rows may match it several times. */
  readonly target?: string;
  /** The condition asks other rows as well, which no lock on these keeps from changing. */
  readonly asksOthers?: true;
}

/** What an INSERT does to a row that stands in its way. */
export interface Upsert {
  readonly action: 'update' | 'replace';
  /** Columns of the unique key that decides, empty when it is not told; `undefined`: all unique keys do. */
  readonly target?: readonly string[];
  /** Columns that are set to another value than the one that was to be inserted. */
  readonly computed: readonly string[];
}

export interface WriteEffect {
  readonly table: string;
  /** `table`: which rows change is not known. */
  readonly kind: 'insert' | 'update' | 'delete' | 'table';
  /**
   * The statement is an upsert and this its first effect. Its effects hold for whatever rows are in the way; with
   * `rows` they can be looked up instead.
   */
  readonly upsert?: Upsert;
  /** UPDATE: columns that are assigned. Otherwise `'*'`. */
  readonly columns: '*' | readonly string[];
  /** INSERT: per row the columns given with a known value; a column that is absent has a default or an unknown value. */
  readonly rows?: readonly ReadonlyMap<string, Operand>[];
  /** UPDATE: columns assigned a known value (not an expression). */
  readonly assigned?: ReadonlyMap<string, Operand>;
  /** UPDATE, DELETE: what the WHERE says by equality, as for reads. */
  readonly where?: readonly Conjunction[];
  /** UPDATE, DELETE on one table: reads the rows that match now. */
  readonly image?: ImageQuery;
  /** The statement has a RETURNING clause of its own. */
  readonly returning: boolean;
  /** The statement is part of another one: nothing can be added to its text. */
  readonly nested?: true;
}

export interface WriteAnalysis {
  readonly kind: 'write';
  readonly effects: readonly WriteEffect[];
}

export interface TransactionAnalysis {
  readonly kind: 'transaction';
  readonly action: 'begin' | 'commit' | 'rollback' | 'savepoint' | 'release' | 'rollback-to' | 'isolation';
  /** Savepoint name. */
  readonly name?: string;
  /** `isolation` and `begin`: the level named, in lower case (`repeatable read`). */
  readonly isolation?: string;
  /** `commit` and `rollback`: a transaction with the same level begins at once. */
  readonly chain?: boolean;
}

/** SET, SHOW, EXPLAIN, PRAGMA, LOCK ...: no effect on data. */
export interface SessionAnalysis {
  readonly kind: 'session';
}

/** Not understood, and may have written anything. */
export interface OpaqueAnalysis {
  readonly kind: 'opaque';
  readonly reason: string;
}

export type StatementAnalysis =
  ReadAnalysis | WriteAnalysis | TransactionAnalysis | SessionAnalysis | OpaqueAnalysis;
