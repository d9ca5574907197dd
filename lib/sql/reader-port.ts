import type { Node } from './ast.js';
import type { ReadCollector } from './read-collector.js';
import type { Scope } from './scope.js';
import type { SqlCatalog, SqlDialect } from './sql.types.js';

/** Names of a query's columns; `undefined` when they are not known. */
export type OutputColumns = readonly string[] | undefined;

/** What the parts of the reader share. */
export interface ReaderPort {
  readonly catalog: SqlCatalog;
  readonly dialect: SqlDialect;
  readonly maxConjunctions: number;
  readonly collector: ReadCollector;
  /** Reads a query inside another one. */
  query(query: Node, parent: Scope | undefined): OutputColumns;
  /** Notes the columns, functions and subqueries of any part of the tree. */
  walk(tree: unknown, scope: Scope): void;
}
