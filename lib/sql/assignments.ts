import { isNode, nodeAt, nodesOf, pathOf, type Node } from './ast.js';
import { operandOf } from './operand.js';
import { Source } from './scope.js';
import type { Operand, RelationFacts, SqlDialect } from './sql.types.js';

export interface Assignments {
  /** Sorted columns that are assigned. */
  readonly columns: readonly string[];
  /** Those that are assigned a parameter or a literal. */
  readonly assigned: ReadonlyMap<string, Operand>;
}

/** Reads a SET list. */
export function readAssignments(
  assignments: readonly Node[],
  source: Source,
  dialect: SqlDialect,
): Assignments {
  const columns = new Set<string>();
  const assigned = new Map<string, Operand>();
  for (const { name, value } of assignments.flatMap(assignmentPairs)) {
    const path = pathOf(name, dialect) ?? [''];
    // PostgreSQL takes no alias here: `a.b` is a field of column `a`.
    const isField = dialect === 'postgres' && path.length > 1;
    const column = (isField ? path[0] : path.at(-1)) as string;
    const known = source.column(column) ?? column;
    columns.add(known);
    // The last assignment to a column wins, where the database allows two at all.
    assigned.delete(known);
    const operand = isField ? undefined : operandOf(value);
    if (operand) assigned.set(known, operand);
  }
  return { columns: [...columns].sort(), assigned };
}

/** Names of a SET list as written. */
export const assignedNames = (assignments: readonly Node[]): readonly unknown[] =>
  assignments.flatMap(assignmentPairs).map(({ name }) => name);

/** `(a, b) = (1, 2)` are two assignments. */
export function assignmentPairs(
  assignment: Node,
): readonly { readonly name: unknown; readonly value: unknown }[] {
  const target = nodeAt(assignment, 'target');
  const names = target?.['Tuple'];
  if (!Array.isArray(names)) return [{ name: target?.['ColumnName'], value: assignment['value'] }];
  const tuple = nodeAt(assignment, 'value')?.['Tuple'];
  const values: readonly unknown[] = Array.isArray(tuple) ? tuple : [];
  return names.map((name: unknown, i) => ({ name, value: values[i] }));
}

/** Per row of an INSERT the columns given with a known value; `undefined` when the rows come from a query. */
export function insertedRows(
  node: Node,
  relation: RelationFacts,
  dialect: SqlDialect,
): readonly ReadonlyMap<string, Operand>[] | undefined {
  const source = new Source('', relation, relation.columns.keys(), dialect);
  const isKept = ([column, operand]: readonly [string, Operand]) =>
    !isReplaced(operand, column, relation, dialect);
  const assignments = nodesOf(node['assignments']);
  if (assignments.length > 0)
    return [new Map([...readAssignments(assignments, source, dialect).assigned].filter(isKept))];
  const query = nodeAt(node, 'source');
  // DEFAULT VALUES
  if (!query) return [new Map()];
  const values = nodeAt(nodeAt(query, 'body'), 'Values');
  if (!values) return undefined;
  const columns = (Array.isArray(node['columns']) ? node['columns'] : []).map((name) =>
    source.column(pathOf(name, dialect)?.at(-1) ?? ''),
  );
  return nodesOf(values['rows']).map((row) => new Map(pairs(columns, row['content']).filter(isKept)));
}

function pairs(columns: readonly (string | undefined)[], content: unknown): (readonly [string, Operand])[] {
  const values = Array.isArray(content) ? content : [];
  return columns.flatMap((column, i) => {
    const operand = isNode(values[i]) ? operandOf(values[i]) : undefined;
    return column !== undefined && operand ? [[column, operand] as const] : [];
  });
}

/** SQLite and MySQL put a generated key where an INSERT says NULL (MySQL: or 0), MySQL the time for a timestamp. */
function isReplaced(operand: Operand, column: string, table: RelationFacts, dialect: SqlDialect): boolean {
  if (dialect === 'postgres' || !('literal' in operand)) return false;
  const { literal } = operand;
  const isEmpty = literal === null || (dialect === 'mysql' && (literal === 0 || literal === '0'));
  const valueClass = table.columns.get(column)?.valueClass;
  return isEmpty && (valueClass === 'integer' || (dialect === 'mysql' && valueClass === 'timestamp'));
}
