import { isNode, nodeAt, nodesOf, pathOf, tableNameOf, variantOf, type Node } from './ast.js';
import { ConditionReader } from './conditions.js';
import { ANY_ROW } from './conjunctions.js';
import { imageOf } from './image-query.js';
import { operandOf } from './operand.js';
import { QueryReader } from './query-reader.js';
import { baseTables } from './read-collector.js';
import { Scope, Source } from './scope.js';
import type { NumberedSql } from './placeholders.js';
import type { Operand, RelationFacts, SqlCatalog, SqlDialect, WriteEffect } from './sql.types.js';

/** A target that cannot be followed to tables. */
export class UnfollowedWrite extends Error {}

/** Reads INSERT, UPDATE and DELETE into effects. */
export class WriteReader {
  private readonly dialect: SqlDialect;

  constructor(
    private readonly catalog: SqlCatalog,
    private readonly maxConjunctions: number,
    /** The statement's own text, where it is the whole text. */
    private readonly text: NumberedSql | undefined,
  ) {
    this.dialect = catalog.dialect;
  }

  insert(node: Node): readonly WriteEffect[] {
    const relation = this.target(pathOf(nodeAt(node, 'table')?.['TableName'], this.dialect));
    const returning = hasReturning(node);
    if (!relation) return [];
    if (relation.kind === 'view' || replacesRows(node)) return this.whole(relation, returning);
    const rows = node['ignore'] === true ? undefined : this.rows(node, relation);
    return [{ table: relation.id, kind: 'insert', columns: '*', ...(rows && { rows }), returning }];
  }

  update(node: Node): readonly WriteEffect[] {
    const returning = hasReturning(node);
    const target = nodeAt(node, 'table') ?? {};
    const single = nodesOf(target['joins']).length === 0 && !node['from'] && !isLimited(node) && !node['or'];
    const source = single ? this.single(target) : undefined;
    if (!source) return this.wholeFrom([target], returning);
    const columns = new Set<string>();
    const assigned = new Map<string, Operand>();
    for (const assignment of nodesOf(node['assignments'])) this.assign(assignment, source, columns, assigned);
    return [
      {
        table: source.relation.id,
        kind: 'update',
        columns: [...columns].sort(),
        assigned,
        ...this.matching(node, source),
        returning,
      },
    ];
  }

  delete(node: Node): readonly WriteEffect[] {
    const returning = hasReturning(node);
    const from = nodesOf(Object.values(nodeAt(node, 'from') ?? {})[0]);
    const listed = Array.isArray(node['tables']) ? node['tables'] : [];
    if (listed.length > 0) return this.wholeListed(listed, [...from, ...nodesOf(node['using'])], returning);
    const single =
      from.length === 1 && !node['using'] && !isLimited(node) && nodesOf(from[0]?.['joins']).length === 0;
    const source = single ? this.single(from[0] as Node) : undefined;
    if (!source) return this.wholeFrom(from, returning);
    return [
      { table: source.relation.id, kind: 'delete', columns: '*', ...this.matching(node, source), returning },
    ];
  }

  /** Table-level effects on the named relations. */
  wholeNamed(names: readonly (readonly string[] | undefined)[], returning = false): readonly WriteEffect[] {
    return names.flatMap((name) => {
      const relation = this.target(name);
      return relation ? this.whole(relation, returning) : [];
    });
  }

  whole(relation: RelationFacts, returning = false): readonly WriteEffect[] {
    const bases = baseTables(relation, this.catalog);
    if (!bases)
      throw new UnfollowedWrite(`write through view ${relation.id}, which does not say what it depends on`);
    return bases.map(({ id }) => ({ table: id, kind: 'table', columns: '*', returning }));
  }

  /** Table-level effects on every table of FROM items. */
  wholeFrom(items: readonly Node[], returning: boolean): readonly WriteEffect[] {
    return this.wholeNamed(
      items.flatMap((item) => factorsOf(item)).map((factor) => this.nameOf(factor)),
      returning,
    );
  }

  /** MySQL names the targets of a multi-table DELETE by their aliases. */
  private wholeListed(
    listed: readonly unknown[],
    from: readonly Node[],
    returning: boolean,
  ): readonly WriteEffect[] {
    const factors = from.flatMap((item) => factorsOf(item));
    const names = listed.map((name) => {
      const alias = pathOf(name, this.dialect)?.at(-1)?.toLowerCase();
      const named = factors.find(
        (factor) => tableNameOf(factor, this.dialect).alias?.toLowerCase() === alias,
      );
      return named ? this.nameOf(named) : pathOf(name, this.dialect);
    });
    return this.wholeNamed(names, returning);
  }

  private nameOf = (factor: Node): readonly string[] | undefined => tableNameOf(factor, this.dialect).path;

  private target(path: readonly string[] | undefined): RelationFacts | undefined {
    if (!path) throw new UnfollowedWrite('target is not a plain table name');
    return this.catalog.find(path);
  }

  private single({ relation }: Node): (Source & { relation: RelationFacts }) | undefined {
    const body = nodeAt(relation, 'Table');
    if (!body || body['args']) return undefined;
    const { path, alias } = tableNameOf(body, this.dialect);
    const found = this.target(path);
    if (found?.kind !== 'table') return undefined;
    const name = alias ?? path?.at(-1) ?? '';
    return Object.assign(new Source(name, found, found.columns.keys(), this.dialect), { relation: found });
  }

  private rows(node: Node, relation: RelationFacts): ReadonlyMap<string, Operand>[] | undefined {
    const source = new Source('', relation, relation.columns.keys(), this.dialect);
    const assignments = nodesOf(node['assignments']);
    if (assignments.length > 0) {
      const row = new Map<string, Operand>();
      for (const assignment of assignments) this.assign(assignment, source, new Set(), row);
      return [new Map([...row].filter(([column, operand]) => !this.isReplaced(operand, column, source)))];
    }
    const query = nodeAt(node, 'source');
    // DEFAULT VALUES
    if (!query) return [new Map()];
    const values = nodeAt(nodeAt(query, 'body'), 'Values');
    if (!values) return undefined;
    const names = (Array.isArray(node['columns']) ? node['columns'] : []).map((name) =>
      pathOf(name, this.dialect)?.at(-1),
    );
    return nodesOf(values['rows']).map((row) => this.row(row['content'], names, source));
  }

  private row(
    content: unknown,
    names: readonly (string | undefined)[],
    source: Source,
  ): ReadonlyMap<string, Operand> {
    const row = new Map<string, Operand>();
    const values = Array.isArray(content) ? content : [];
    names.forEach((name, i) => {
      const column = name === undefined ? undefined : source.column(name);
      const operand = operandOf(values[i]);
      if (column !== undefined && operand && !this.isReplaced(operand, column, source))
        row.set(column, operand);
    });
    return row;
  }

  /** SQLite and MySQL put a generated key where an INSERT says NULL (MySQL: or 0), MySQL the time for a timestamp. */
  private isReplaced(operand: Operand, column: string, { table }: Source): boolean {
    if (this.dialect === 'postgres' || !('literal' in operand)) return false;
    const { literal } = operand;
    const isEmpty = literal === null || (this.dialect === 'mysql' && (literal === 0 || literal === '0'));
    const valueClass = table?.columns.get(column)?.valueClass;
    return isEmpty && (valueClass === 'integer' || (this.dialect === 'mysql' && valueClass === 'timestamp'));
  }

  private assign(
    assignment: Node,
    source: Source,
    columns: Set<string>,
    assigned: Map<string, Operand>,
  ): void {
    const target = assignment['target'];
    const tuple = isNode(target) && Array.isArray(target['Tuple']) ? target['Tuple'] : undefined;
    const values = nodeAt(assignment, 'value')?.['Tuple'];
    const names = tuple ?? [isNode(target) ? target['ColumnName'] : undefined];
    names.forEach((name, i) => {
      const path = pathOf(name, this.dialect) ?? [''];
      // PostgreSQL takes no alias here: `a.b` is a field of column `a`.
      const isField = this.dialect === 'postgres' && path.length > 1;
      const column = (isField ? path[0] : path.at(-1)) as string;
      const known = source.column(column) ?? column;
      columns.add(known);
      const value = tuple
        ? Array.isArray(values)
          ? operandOf(values[i])
          : undefined
        : operandOf(assignment['value']);
      // The last assignment to a column wins, where the database allows two at all.
      assigned.delete(known);
      if (value && !isField) assigned.set(known, value);
    });
  }

  /** What WHERE says, and the text that reads the rows it matches. */
  private matching(node: Node, source: Source): Pick<WriteEffect, 'where' | 'image'> {
    const selection = node['selection'];
    const scope = new Scope();
    scope.sources.push(source);
    if (!selection) return { where: ANY_ROW, ...this.image(undefined) };
    const where = new ConditionReader(source, scope, this.dialect, this.maxConjunctions).read(selection);
    const reader = new QueryReader(this.catalog, this.maxConjunctions);
    reader.walk(selection, scope);
    return { where, ...(reader.collector.refusal === undefined && this.image(selection)) };
  }

  private image(selection: unknown): Pick<WriteEffect, 'image'> {
    const image = this.text && imageOf(this.text, this.dialect, selection);
    return image ? { image } : {};
  }
}

/** A target behind CTEs and in nested statements: `INSERT`, `UPDATE`, `DELETE`, `MERGE` anywhere in the tree. */
export function nestedWrites(tree: unknown): readonly Node[] {
  if (Array.isArray(tree)) return tree.flatMap((item) => nestedWrites(item));
  if (!isNode(tree)) return [];
  return Object.entries(tree).flatMap(([key, value]) => {
    const inner = isNode(value) && ['Insert', 'Update', 'Delete', 'Merge'].includes(key) ? value : undefined;
    const statement = inner && variantOf(inner) === key && isNode(inner[key]) ? inner : undefined;
    return statement ? [statement, ...nestedWrites(statement)] : nestedWrites(value);
  });
}

const hasReturning = (node: Node): boolean =>
  Array.isArray(node['returning']) && node['returning'].length > 0;

const isLimited = (node: Node): boolean =>
  Boolean(node['limit']) || (Array.isArray(node['order_by']) && node['order_by'].length > 0);

/** REPLACE and upserts change rows that nobody named. */
function replacesRows(node: Node): boolean {
  if (node['replace_into'] === true || node['or'] === 'Replace' || node['overwrite'] === true) return true;
  const on = node['on'];
  if (!on) return false;
  return nodeAt(on, 'OnConflict')?.['action'] !== 'DoNothing';
}

function factorsOf(item: Node): readonly Node[] {
  const relations = [item['relation'], ...nodesOf(item['joins']).map((join) => join['relation'])];
  return relations.flatMap((relation) => {
    const table = nodeAt(relation, 'Table');
    if (table) return [table];
    const nested = nodeAt(nodeAt(relation, 'NestedJoin'), 'table_with_joins');
    return nested ? factorsOf(nested) : [];
  });
}
