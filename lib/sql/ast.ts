import type { SqlDialect } from './sql.types.js';

/**
 * The parser's tree is the JSON form of Rust enums: a variant is a one-key object (`{ Identifier: … }`) or a bare
 * string, so it is read as data rather than through the published types, which lag behind the serialised form.
 */
export interface Node {
  readonly [key: string]: unknown;
}

export const isNode = (value: unknown): value is Node =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The objects of a list, nothing else. */
export const nodesOf = (value: unknown): readonly Node[] =>
  Array.isArray(value) ? value.filter(isNode) : [];

/** `value[key]` when it is an object. */
export function nodeAt(value: unknown, key: string): Node | undefined {
  const found = isNode(value) ? value[key] : undefined;
  return isNode(found) ? found : undefined;
}

/** Name of an enum variant. */
export function variantOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  return isNode(value) ? Object.keys(value)[0] : undefined;
}

/** A query expression (SELECT, set operation, VALUES with its WITH, ORDER BY ...). */
export const isQuery = (value: unknown): value is Node =>
  isNode(value) && 'body' in value && 'locks' in value;

/** Text of an identifier as the database knows it: PostgreSQL folds what is not quoted. */
export function identText(ident: unknown, dialect: SqlDialect): string | undefined {
  if (!isNode(ident) || typeof ident['value'] !== 'string') return undefined;
  return dialect === 'postgres' && !ident['quote_style'] ? ident['value'].toLowerCase() : ident['value'];
}

/** Parts of a possibly qualified name; `undefined` when a part is not a plain identifier. */
export function pathOf(name: unknown, dialect: SqlDialect): string[] | undefined {
  if (!Array.isArray(name)) return undefined;
  const path = name.map((part) =>
    identText(isNode(part) && 'Identifier' in part ? part['Identifier'] : part, dialect),
  );
  return path.every((part) => part !== undefined) && path.length > 0 ? path : undefined;
}

/** Name and alias of a table factor. PostgreSQL's `ONLY film` is parsed as a table `only` with an alias. */
export function tableNameOf(
  factor: Node,
  dialect: SqlDialect,
): { readonly path: readonly string[] | undefined; readonly alias: string | undefined } {
  const path = pathOf(factor['name'], dialect);
  const alias = identText(nodeAt(factor, 'alias')?.['name'], dialect);
  const isOnly = dialect === 'postgres' && path?.length === 1 && path[0] === 'only' && alias !== undefined;
  return isOnly ? { path: [alias], alias: undefined } : { path, alias };
}

/** Without the parentheses around it. */
export function unwrap(expr: unknown): unknown {
  let inner = expr;
  while (isNode(inner) && 'Nested' in inner) inner = inner['Nested'];
  return inner;
}

/** Same tree, wherever it stood in the text. */
export function sameTree(a: unknown, b: unknown): boolean {
  const text = (tree: unknown) =>
    JSON.stringify(tree, (key, value: unknown) => (key === 'span' ? undefined : value));
  return text(a) === text(b);
}
