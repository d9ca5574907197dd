import { identText, isNode, isQuery, nodeAt, nodesOf, pathOf, variantOf, type Node } from './ast.js';
import { constrain, readFrom } from './from-clause.js';
import { impurityOf, isClockLiteral } from './functions.js';
import { ReadCollector } from './read-collector.js';
import type { OutputColumns, ReaderPort } from './reader-port.js';
import { Scope } from './scope.js';
import type { SqlCatalog, SqlDialect } from './sql.types.js';

/** Parts of the tree that name no column. */
const SKIPPED = new Set([
  'span',
  'data_type',
  'collation',
  'charset',
  'alias',
  'index_hints',
  'optimizer_hints',
]);

/** Reads queries of a statement into a collector. */
export class QueryReader implements ReaderPort {
  readonly collector: ReadCollector;
  readonly dialect: SqlDialect;

  constructor(
    readonly catalog: SqlCatalog,
    readonly maxConjunctions: number,
  ) {
    this.dialect = catalog.dialect;
    this.collector = new ReadCollector(catalog, maxConjunctions);
  }

  /** Reads a query that stands alone. */
  read(query: Node): this {
    this.query(query, undefined);
    return this;
  }

  query(query: Node, parent: Scope | undefined): OutputColumns {
    const scope = new Scope(parent);
    const { with: ctes, body, locks, ...rest } = query;
    this.ctes(ctes, scope);
    if (Array.isArray(locks) && locks.length > 0) this.collector.refuse('locking clause');
    const inner = new Scope(scope);
    const columns = this.body(body, inner);
    for (const column of columns ?? []) inner.labels.add(column.toLowerCase());
    this.walk(rest, inner);
    return columns;
  }

  walk(tree: unknown, scope: Scope): void {
    if (Array.isArray(tree)) for (const item of tree) this.walk(item, scope);
    if (!isNode(tree)) return;
    if (isQuery(tree)) {
      this.query(tree, scope);
      return;
    }
    for (const [key, value] of Object.entries(tree))
      if (!this.special(key, value, scope)) this.walk(value, scope);
  }

  /** Notes a node of its own kind; `false` when it is to be walked like any other. */
  private special(key: string, value: unknown, scope: Scope): boolean {
    if (SKIPPED.has(key)) return true;
    if (key === 'Identifier') this.column([value], scope);
    else if (key === 'CompoundIdentifier') this.column(value, scope);
    else if (key === 'QualifiedWildcard') this.qualifiedWildcard(value, scope);
    else if (key === 'Function' && isNode(value)) this.call(value, scope);
    else if (
      key === 'SingleQuotedString' &&
      typeof value === 'string' &&
      isClockLiteral(value, this.dialect)
    ) {
      this.collector.refuse(`the literal '${value}'`);
    } else return false;
    return true;
  }

  private column(name: unknown, scope: Scope): void {
    const path = pathOf(name, this.dialect);
    if (path?.[0]?.startsWith('@')) return this.collector.refuse('session variable');
    const found = scope.resolve(path ?? ['']);
    const reads = found.kind === 'column' ? [[found.source, found.column] as const] : found.reads;
    for (const [source, column] of reads) source.read(column);
  }

  private qualifiedWildcard(value: unknown, scope: Scope): void {
    const first: unknown = Array.isArray(value) ? value[0] : undefined;
    const name = pathOf(
      isNode(first) && 'ObjectName' in first ? first['ObjectName'] : value,
      this.dialect,
    )?.at(-1);
    for (let at: Scope | undefined = scope; at; at = at.parent) {
      for (const source of at.sources) if (name === undefined || source.isNamed(name)) source.read('*');
    }
  }

  private call(call: Node, scope: Scope): void {
    const { name: _name, ...rest } = call;
    const impurity = impurityOf(call, this.dialect);
    if (impurity) this.collector.refuse(impurity);
    this.walk(rest, scope);
  }

  private ctes(node: unknown, scope: Scope): void {
    if (!isNode(node)) return;
    for (const cte of nodesOf(node['cte_tables'])) {
      const alias = nodeAt(cte, 'alias');
      const name = identText(alias?.['name'], this.dialect) ?? '';
      const listed = nodesOf(alias?.['columns']).map((c) => identText(c['name'], this.dialect) ?? '');
      const given = listed.length > 0 ? listed : undefined;
      if (node['recursive'] === true) scope.addCte(name, given);
      const columns = this.query(nodeAt(cte, 'query') ?? {}, scope);
      scope.addCte(name, given ?? columns);
    }
  }

  private body(body: unknown, scope: Scope): OutputColumns {
    const kind = variantOf(body) ?? '';
    const node = nodeAt(body, kind) ?? {};
    if (kind === 'Select') return this.select(node, scope);
    if (kind === 'Query') return this.query(node, scope);
    if (kind === 'SetOperation') {
      const columns = this.body(node['left'], new Scope(scope));
      this.body(node['right'], new Scope(scope));
      return columns;
    }
    if (kind !== 'Values') this.collector.refuse(`query of kind ${kind}`);
    this.walk(node, scope);
    return undefined;
  }

  private select(node: Node, scope: Scope): OutputColumns {
    const { from, selection, projection, ...rest } = node;
    if (node['into']) this.collector.refuse('SELECT INTO');
    // The statement after it asks for FOUND_ROWS().
    if (nodeAt(node, 'select_modifiers')?.['sql_calc_found_rows'])
      this.collector.refuse('SQL_CALC_FOUND_ROWS');
    const links = readFrom(from, scope, this);
    const columns = this.projection(projection, scope);
    constrain(scope.sources, selection, scope, this, links);
    this.walk(selection, scope);
    this.walk(rest, scope);
    return columns;
  }

  private projection(items: unknown, scope: Scope): OutputColumns {
    const columns: (string | undefined)[] = [];
    for (const item of nodesOf(items)) {
      if ('Wildcard' in item) for (const source of scope.sources) source.read('*');
      const alias = identText(nodeAt(item, 'ExprWithAlias')?.['alias'], this.dialect);
      if (alias !== undefined) scope.labels.add(alias.toLowerCase());
      columns.push(alias ?? this.plainName(item['UnnamedExpr']));
      this.walk(item, scope);
    }
    return columns.every((column) => column !== undefined) ? columns : undefined;
  }

  /** Name that a column keeps when it has no alias. */
  private plainName(expr: unknown): string | undefined {
    if (!isNode(expr)) return undefined;
    return pathOf('Identifier' in expr ? [expr['Identifier']] : expr['CompoundIdentifier'], this.dialect)?.at(
      -1,
    );
  }
}
