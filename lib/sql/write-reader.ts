import { assignedNames, insertedRows, readAssignments } from './assignments.js';
import { identText, isNode, nodeAt, nodesOf, pathOf, variantOf, type Node } from './ast.js';
import { ConditionReader } from './conditions.js';
import { ANY_ROW } from './conjunctions.js';
import { imageOf, type CutImage } from './image-query.js';
import { QueryReader } from './query-reader.js';
import { Scope, Source } from './scope.js';
import type { NumberedSql } from './placeholders.js';
import type { Conjunction, SqlCatalog, SqlDialect, WriteEffect } from './sql.types.js';
import { conflictOf, movedColumns } from './upserts.js';
import { WriteTargets, type SingleTarget } from './write-targets.js';

/** Reads INSERT, UPDATE and DELETE into effects. */
export class WriteReader {
  private readonly dialect: SqlDialect;
  private readonly targets: WriteTargets;
  private readonly ctes: readonly Node[];

  constructor(
    private readonly catalog: SqlCatalog,
    private readonly maxConjunctions: number,
    /** The text of the statement, where it is not a part of another. */
    private readonly text: NumberedSql | undefined,
    private readonly withClause: Node | undefined,
  ) {
    this.dialect = catalog.dialect;
    this.ctes = nodesOf(withClause?.['cte_tables']);
    this.targets = new WriteTargets(catalog);
  }

  insert(node: Node): readonly WriteEffect[] {
    const relation = this.targets.find(pathOf(nodeAt(node, 'table')?.['TableName'], this.dialect));
    const returning = hasReturning(node);
    if (!relation) return [];
    if (relation.kind === 'view') return this.targets.whole(relation, returning);
    const rows = node['ignore'] === true ? undefined : insertedRows(node, relation, this.dialect);
    const effect = { table: relation.id, columns: '*', ...(rows && { rows }), returning } as const;
    const source = new Source('', relation, relation.columns.keys(), this.dialect);
    const conflict = conflictOf(node, source, this.dialect);
    if (!conflict) return this.targets.whole(relation, returning);
    if (conflict.kind === 'replace') return [{ ...effect, kind: 'table', upsert: conflict.upsert }];
    if (conflict.kind === 'none') return [{ ...effect, kind: 'insert' }];
    const { assignments, upsert } = conflict;
    const { columns } = readAssignments(assignments, source, this.dialect);
    const moved = movedColumns(columns, upsert, relation);
    return [{ ...effect, kind: 'insert', upsert }, ...this.targets.updated(relation, moved, returning)];
  }

  update(node: Node): readonly WriteEffect[] {
    const returning = hasReturning(node);
    const target = nodeAt(node, 'table') ?? {};
    const assignments = nodesOf(node['assignments']);
    // UPDATE OR REPLACE deletes rows that nobody named.
    if (node['or']) return this.targets.wholeFrom([target], returning);
    if (nodesOf(target['joins']).length > 0)
      return this.targets.updatedInJoin(target, assignedNames(assignments), returning);
    const source = this.targets.single(target);
    if (!source) return this.targets.wholeFrom([target], returning);
    const { columns, assigned } = readAssignments(assignments, source, this.dialect);
    const others = nodesOf(nodeAt(node, 'from')?.['AfterSet']);
    if (node['from'] && others.length === 0) return this.targets.updated(source.relation, columns, returning);
    const matching = this.matching(node, source, [target, ...others]);
    return [{ table: source.relation.id, kind: 'update', columns, assigned, ...matching, returning }];
  }

  delete(node: Node): readonly WriteEffect[] {
    const returning = hasReturning(node);
    const from = nodesOf(Object.values(nodeAt(node, 'from') ?? {})[0]);
    const using = nodesOf(node['using']);
    const listed = Array.isArray(node['tables']) ? node['tables'] : [];
    if (listed.length > 0) return this.targets.deletedFromJoin(listed, from, returning);
    if (using.length > 0 && this.dialect === 'mysql') {
      const names = from.map(({ relation }) => nodeAt(relation, 'Table')?.['name']);
      return this.targets.deletedFromJoin(names, using, returning);
    }
    const [item] = from;
    const isSingle = item !== undefined && from.length === 1 && nodesOf(item['joins']).length === 0;
    const source = isSingle ? this.targets.single(item) : undefined;
    if (!source) return this.targets.wholeFrom(from, returning);
    const matching = this.matching(node, source, [item as Node, ...using]);
    return [{ table: source.relation.id, kind: 'delete', columns: '*', ...matching, returning }];
  }

  /** MERGE may do anything to its target. */
  merge(node: Node): readonly WriteEffect[] {
    return this.targets.wholeFrom([{ relation: node['table'] }], false);
  }

  copy(node: Node): readonly WriteEffect[] {
    if (node['to'] === true) return [];
    const name = nodeAt(nodeAt(node, 'source'), 'Table')?.['table_name'];
    return this.targets.wholeNamed(pathOf(name, this.dialect));
  }

  /**
   * What the condition says, and the text that reads the rows it matches. A LIMIT takes some of them, which a query on
   * its own need not choose alike: no image.
   * @param tables the statement's own and those that it names beside
   */
  private matching(
    node: Node,
    source: SingleTarget,
    tables: readonly Node[],
  ): Pick<WriteEffect, 'where' | 'image'> {
    const selection = node['selection'];
    const isAlone = tables.length === 1;
    const where = isAlone ? this.conditions(selection, source) : ANY_ROW;
    const found = isLimited(node) ? undefined : this.cutImage(tables, selection, source);
    if (!found) return { where };
    const { collector } = new QueryReader(this.catalog, this.maxConjunctions).read(found.query);
    if (collector.refusal !== undefined) return { where };
    const read = collector.tables().find(({ table }) => table === source.relation.id);
    return {
      where: isAlone ? where : (read?.conditions ?? ANY_ROW),
      image: {
        ...found.image,
        ...(!isAlone && { target: source.name }),
        ...(collector.readsSeveral && { asksOthers: true }),
      },
    };
  }

  private conditions(selection: unknown, source: Source): readonly Conjunction[] {
    if (!selection) return ANY_ROW;
    const scope = new Scope();
    scope.sources.push(source);
    return new ConditionReader(source, scope, this.dialect, this.maxConjunctions).read(selection);
  }

  private cutImage(
    tables: readonly Node[],
    selection: unknown,
    { relation }: SingleTarget,
  ): CutImage | undefined {
    if (!this.text) return undefined;
    // A CTE of the table's name would be read in its place.
    const name = relation.id.split(/[./]/).at(-1)?.toLowerCase();
    const nameOf = (cte: Node): unknown => identText(nodeAt(cte, 'alias')?.['name'], this.dialect);
    if (this.ctes.some((cte) => String(nameOf(cte)).toLowerCase() === name)) return undefined;
    // SQLite does not tell which rows it hit, and need not choose the same ones again.
    if (this.dialect === 'sqlite' && this.text.tokens.some(({ text }) => text === 'LIMIT')) return undefined;
    return imageOf(this.text, this.dialect, { tables, selection, ctes: this.withClause });
  }
}

const WRITE_VERBS = /\b(?:INSERT|UPDATE|DELETE|MERGE)\b/gi;
const WRITES = new Set(['Insert', 'Update', 'Delete', 'Merge']);

/** Whether more verbs occur in a text than its own, be it only as parts of names and strings. */
export const mayNestWrites = (sql: string, kind: string): boolean =>
  (sql.match(WRITE_VERBS) ?? []).length > (WRITES.has(kind) ? 1 : 0);

/** A target behind CTEs and in nested statements: `INSERT`, `UPDATE`, `DELETE`, `MERGE` anywhere in the tree. */
export function nestedWrites(tree: unknown): readonly Node[] {
  if (Array.isArray(tree)) return tree.flatMap((item) => nestedWrites(item));
  if (!isNode(tree)) return [];
  return Object.entries(tree).flatMap(([key, value]) => {
    const inner = isNode(value) && WRITES.has(key) ? value : undefined;
    const statement = inner && variantOf(inner) === key && isNode(inner[key]) ? inner : undefined;
    return statement ? [statement, ...nestedWrites(statement)] : nestedWrites(value);
  });
}

const hasReturning = (node: Node): boolean =>
  Array.isArray(node['returning']) && node['returning'].length > 0;

const isLimited = (node: Node): boolean =>
  Boolean(node['limit']) || (Array.isArray(node['order_by']) && node['order_by'].length > 0);
