import { isNode, nodeAt, nodesOf, pathOf, identText, tableNameOf, variantOf, type Node } from './ast.js';
import { linksOf, type ColumnLink } from './column-links.js';
import { ConditionReader, isMisread } from './conditions.js';
import { both } from './conjunctions.js';
import type { OutputColumns, ReaderPort } from './reader-port.js';
import { Source, type Scope } from './scope.js';
import { isSystemRelation } from './system-relations.js';

type JoinTree =
  | { readonly source: Source | undefined }
  | { readonly left: JoinTree; readonly right: JoinTree; readonly operator: unknown };

const INNER = new Set(['Join', 'Inner', 'CrossJoin', 'StraightJoin']);
const LEFT = new Set(['Left', 'LeftOuter']);
const RIGHT = new Set(['Right', 'RightOuter']);

/**
 * Brings the sources of a FROM clause into scope, narrowed by their ON conditions.
 *
 * @returns the equalities between columns that the ON conditions establish
 */
export function readFrom(from: unknown, scope: Scope, port: ReaderPort): readonly ColumnLink[] {
  const trees = nodesOf(from).map((item) => tableWithJoins(item, scope, port));
  // Only now are all names known that a condition may use.
  const links: ColumnLink[] = [];
  for (const tree of trees) evaluate(tree, scope, port, links);
  return links;
}

/**
 * Narrows sources by a condition that every row of the result fulfils. A link of an ON condition counts in WHERE too:
 * where it does not hold, one side is null (or, for a row that would only fill the nullable side, WHERE fails with or
 * without it).
 */
export function constrain(
  sources: readonly Source[],
  expr: unknown,
  scope: Scope,
  port: ReaderPort,
  links: readonly ColumnLink[] = [],
): void {
  if (expr === null || expr === undefined) return;
  const all = isMisread(expr, port.dialect) ? [] : [...links, ...linksOf(expr, scope, port.dialect)];
  for (const source of sources) {
    if (!source.table) continue;
    const reader = new ConditionReader(source, scope, port.dialect, port.maxConjunctions, all);
    source.conditions = both(source.conditions, reader.read(expr), port.maxConjunctions);
  }
}

function tableWithJoins(node: Node, scope: Scope, port: ReaderPort): JoinTree {
  let tree = factor(node['relation'], scope, port);
  for (const join of nodesOf(node['joins'])) {
    tree = { left: tree, right: factor(join['relation'], scope, port), operator: join['join_operator'] };
  }
  return tree;
}

function factor(relation: unknown, scope: Scope, port: ReaderPort): JoinTree {
  const kind = variantOf(relation) ?? '';
  const body = nodeAt(relation, kind) ?? {};
  if (kind === 'NestedJoin' && !body['alias'])
    return tableWithJoins(nodeAt(body, 'table_with_joins') ?? {}, scope, port);
  if (kind === 'Table' && !body['args']) return { source: table(body, scope, port) };
  if (kind === 'Derived') {
    const columns = port.query(
      nodeAt(body, 'subquery') ?? {},
      body['lateral'] === true ? scope : scope.parent,
    );
    return {
      source: add(
        new Source(aliasOf(body, port) ?? '', undefined, aliasColumns(body, port) ?? columns, port.dialect),
        scope,
        port,
      ),
    };
  }
  port.collector.refuse('table function');
  port.walk(relation, scope);
  return {
    source: add(new Source(aliasOf(body, port) ?? '', undefined, undefined, port.dialect), scope, port),
  };
}

function table(body: Node, scope: Scope, port: ReaderPort): Source {
  const { path = [], alias } = tableNameOf(body, port.dialect);
  if (body['sample'] || body['version']) port.collector.refuse('sample or version of a table');
  const cte = path.length === 1 ? scope.findCte(path[0] as string) : undefined;
  const name = alias ?? path.at(-1) ?? '';
  const renamed = aliasColumns(body, port);
  if (cte !== undefined) {
    return add(
      new Source(name, undefined, renamed ?? (cte === 'unknown' ? undefined : cte), port.dialect),
      scope,
      port,
    );
  }
  const relation = port.catalog.find(path);
  if (!relation) {
    port.collector.refuse(
      isSystemRelation(path, port.dialect) ? 'system catalogue' : `unknown relation ${path.join('.')}`,
    );
    return add(new Source(name, undefined, renamed, port.dialect), scope, port);
  }
  if (relation.kind === 'view' || renamed) {
    port.collector.addWhole(relation);
    return add(new Source(name, undefined, renamed ?? relation.columns.keys(), port.dialect), scope, port);
  }
  return add(new Source(name, relation, relation.columns.keys(), port.dialect), scope, port);
}

const aliasOf = (body: Node, port: ReaderPort): string | undefined =>
  identText(nodeAt(body, 'alias')?.['name'], port.dialect);

function aliasColumns(body: Node, port: ReaderPort): OutputColumns {
  const columns = nodesOf(nodeAt(body, 'alias')?.['columns']);
  return columns.length === 0 ? undefined : columns.map((c) => identText(c['name'], port.dialect) ?? '');
}

function add(source: Source, scope: Scope, port: ReaderPort): Source {
  scope.sources.push(source);
  port.collector.add(source);
  return source;
}

/** Applies the ON conditions from the inside out; gives the sources of the tree. */
function evaluate(tree: JoinTree, scope: Scope, port: ReaderPort, links: ColumnLink[]): readonly Source[] {
  if ('source' in tree) return tree.source ? [tree.source] : [];
  const left = evaluate(tree.left, scope, port, links);
  const right = evaluate(tree.right, scope, port, links);
  const kind = variantOf(tree.operator) ?? '';
  const constraint = isNode(tree.operator) ? tree.operator[kind] : undefined;
  const on = isNode(constraint) ? constraint['On'] : undefined;
  noteJoinColumns(constraint, [...left, ...right], scope, port);
  links.push(...joinLinks(on, kind, left, right, scope, port));
  if (INNER.has(kind)) {
    constrain([...left, ...right], on, scope, port);
  } else if (LEFT.has(kind)) {
    constrain(right, on, scope, port);
    markNullable(right);
  } else if (RIGHT.has(kind)) {
    constrain(left, on, scope, port);
    markNullable(left);
  } else {
    markNullable([...left, ...right]);
    if (kind !== 'FullOuter') port.collector.refuse(`join ${kind}`);
  }
  return [...left, ...right];
}

/** An outer join keeps rows of its preserved side that fail ON, so a link within that side says nothing. */
function joinLinks(
  on: unknown,
  kind: string,
  left: readonly Source[],
  right: readonly Source[],
  scope: Scope,
  port: ReaderPort,
): readonly ColumnLink[] {
  const known = INNER.has(kind) || LEFT.has(kind) || RIGHT.has(kind);
  if (!known || isMisread(on, port.dialect)) return [];
  const preserved = LEFT.has(kind) ? left : RIGHT.has(kind) ? right : [];
  const joined = [...left, ...right];
  return linksOf(on, scope, port.dialect).filter(
    (ends) =>
      ends.every(({ source }) => joined.includes(source)) &&
      !ends.every(({ source }) => preserved.includes(source)),
  );
}

function markNullable(sources: readonly Source[]): void {
  for (const source of sources) source.nullable = true;
}

function noteJoinColumns(
  constraint: unknown,
  sources: readonly Source[],
  scope: Scope,
  port: ReaderPort,
): void {
  if (constraint === 'Natural') for (const source of sources) source.read('*');
  if (!isNode(constraint)) return;
  port.walk(constraint['On'], scope);
  const using = constraint['Using'];
  if (!Array.isArray(using)) return;
  for (const name of using) {
    const column = pathOf(name, port.dialect)?.at(-1) ?? '';
    for (const source of sources) source.read(source.column(column) ?? '*');
  }
}
