import { isNode, nodeAt, pathOf, unwrap } from './ast.js';
import type { Scope, Source } from './scope.js';
import type { SqlDialect, ValueClass } from './sql.types.js';

/** A column of one source. */
export interface ColumnRef {
  readonly source: Source;
  readonly column: string;
}

/** Two columns of different sources that are equal. */
export type ColumnLink = readonly [ColumnRef, ColumnRef];

/** A timestamp with a zone and one without are compared by the zone of the session. */
const UNLINKED: ReadonlySet<ValueClass> = new Set(['opaque', 'timestamp']);

export const isSameColumn = (a: ColumnRef, b: ColumnRef): boolean =>
  a.source === b.source && a.column === b.column;

/** The column that an expression plainly names. */
export function columnOf(expr: unknown, scope: Scope, dialect: SqlDialect): ColumnRef | undefined {
  const inner = unwrap(expr);
  if (!isNode(inner)) return undefined;
  const path = pathOf('Identifier' in inner ? [inner['Identifier']] : inner['CompoundIdentifier'], dialect);
  const found = path && scope.resolve(path);
  return found?.kind === 'column' ? found : undefined;
}

/**
 * The equalities between columns that stand at the top of a condition, joined by AND. Only columns that the database
 * compares in the same way: a value that equals one then equals the other, and has one canonical text for both.
 */
export function linksOf(expr: unknown, scope: Scope, dialect: SqlDialect): readonly ColumnLink[] {
  const binary = nodeAt(unwrap(expr), 'BinaryOp');
  if (!binary) return [];
  const { left, right, op } = binary;
  if (op === 'And') return [...linksOf(left, scope, dialect), ...linksOf(right, scope, dialect)];
  if (op !== 'Eq') return [];
  const [a, b] = [columnOf(left, scope, dialect), columnOf(right, scope, dialect)];
  if (!a || !b || a.source === b.source) return [];
  const [classA, classB] = [a, b].map(({ source, column }) => source.table?.columns.get(column)?.valueClass);
  return classA !== undefined && classA === classB && !UNLINKED.has(classA) ? [[a, b]] : [];
}
