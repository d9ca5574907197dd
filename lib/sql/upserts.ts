import { assignmentPairs } from './assignments.js';
import { isNode, nodeAt, nodesOf, pathOf, type Node } from './ast.js';
import type { Source } from './scope.js';
import type { RelationFacts, SqlDialect, Upsert, ValueClass } from './sql.types.js';

/** What an INSERT says of rows that are there already. */
export type Conflict =
  /** It leaves them alone. */
  | { readonly kind: 'none' }
  /** It deletes them, nobody said which. */
  | { readonly kind: 'replace'; readonly upsert: Upsert }
  /** It deletes none and sets some columns of theirs. */
  | { readonly kind: 'update'; readonly assignments: readonly Node[]; readonly upsert: Upsert };

/** @returns `undefined` when the statement does not tell */
export function conflictOf(node: Node, source: Source, dialect: SqlDialect): Conflict | undefined {
  const on = node['on'];
  if (replacesRows(node)) {
    // `INSERT OR REPLACE ... ON CONFLICT`: which of the two holds depends on the key.
    return on ? undefined : { kind: 'replace', upsert: { action: 'replace', computed: [] } };
  }
  if (!on) return { kind: 'none' };
  const onDuplicate = isNode(on) ? on['DuplicateKeyUpdate'] : undefined;
  if (Array.isArray(onDuplicate)) return updating(nodesOf(onDuplicate), undefined, source, dialect);
  const conflict = nodeAt(on, 'OnConflict');
  const action = conflict?.['action'];
  if (action === 'DoNothing') return { kind: 'none' };
  const update = nodeAt(action, 'DoUpdate');
  const columns = nodeAt(conflict, 'conflict_target')?.['Columns'];
  const target = Array.isArray(columns)
    ? columns.flatMap((column) => pathOf([column], dialect) ?? [])
    : undefined;
  return update && updating(nodesOf(update['assignments']), target ?? [], source, dialect);
}

/** Classes in which values that are equal are the same. */
const EXACT: ReadonlySet<ValueClass> = new Set(['integer', 'uuid', 'boolean']);

/** Without the columns of the key by which rows are met, where they are set to what they are. */
export const movedColumns = (
  columns: readonly string[],
  { target, computed }: Upsert,
  table: RelationFacts,
): readonly string[] =>
  columns.filter((name) => {
    const isOwn = target?.includes(name) === true && !computed.includes(name);
    return !isOwn || !EXACT.has(table.columns.get(name)?.valueClass ?? 'opaque');
  });

/** REPLACE deletes rows that nobody named. */
export const replacesRows = (node: Node): boolean =>
  node['replace_into'] === true || node['or'] === 'Replace' || node['overwrite'] === true;

function updating(
  assignments: readonly Node[],
  target: readonly string[] | undefined,
  source: Source,
  dialect: SqlDialect,
): Conflict {
  const known = (name: string): string => source.column(name) ?? name;
  const computed = assignments.flatMap(assignmentPairs).flatMap(({ name, value }) => {
    const column = known(pathOf(name, dialect)?.at(-1) ?? '');
    const proposed = proposedColumn(value, dialect);
    return proposed !== undefined && known(proposed) === column ? [] : [column];
  });
  const by = target && { target: target.map(known) };
  return { kind: 'update', assignments, upsert: { action: 'update', ...by, computed } };
}

/** The column in `EXCLUDED.column` and `VALUES(column)`: its value in the row that was to be inserted. */
function proposedColumn(value: unknown, dialect: SqlDialect): string | undefined {
  if (!isNode(value)) return undefined;
  const path = pathOf(value['CompoundIdentifier'], dialect);
  if (path?.length === 2 && path[0]?.toLowerCase() === 'excluded') return path[1];
  const call = nodeAt(value, 'Function');
  if (pathOf(call?.['name'], dialect)?.join('.').toLowerCase() !== 'values') return undefined;
  const [only] = nodesOf(nodeAt(call?.['args'], 'List')?.['args']);
  const name = nodeAt(nodeAt(only, 'Unnamed'), 'Expr')?.['Identifier'];
  return name === undefined ? undefined : pathOf([name], dialect)?.[0];
}
