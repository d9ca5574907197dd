import { assignedNames, insertedRows, readAssignments } from './assignments.js';
import { isNode, nodeAt, nodesOf, pathOf, variantOf, type Node } from './ast.js';
import { ConditionReader } from './conditions.js';
import { ANY_ROW } from './conjunctions.js';
import { imageOf } from './image-query.js';
import { QueryReader } from './query-reader.js';
import { Scope, Source } from './scope.js';
import type { NumberedSql } from './placeholders.js';
import type { SqlCatalog, SqlDialect, WriteEffect } from './sql.types.js';
import { conflictOf, movedColumns } from './upserts.js';
import { WriteTargets } from './write-targets.js';

/** Reads INSERT, UPDATE and DELETE into effects. */
export class WriteReader {
  private readonly dialect: SqlDialect;
  private readonly targets: WriteTargets;

  constructor(
    private readonly catalog: SqlCatalog,
    private readonly maxConjunctions: number,
    /** The statement's own text, where it is the whole text. */
    private readonly text: NumberedSql | undefined,
  ) {
    this.dialect = catalog.dialect;
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
    if (node['from']) return this.targets.updated(source.relation, columns, returning);
    const matching = this.matching(node, source);
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
    if (using.length > 0) return this.targets.deleted(source.relation, returning);
    const matching = this.matching(node, source);
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
   * What WHERE says, and the text that reads the rows it matches. A LIMIT takes some of them, which a query on its own
   * need not choose alike: no image.
   */
  private matching(node: Node, source: Source): Pick<WriteEffect, 'where' | 'image'> {
    const selection = node['selection'];
    const canImage = this.text !== undefined && !isLimited(node);
    if (!selection) return { where: ANY_ROW, ...(canImage && this.image(undefined)) };
    const scope = new Scope();
    scope.sources.push(source);
    const where = new ConditionReader(source, scope, this.dialect, this.maxConjunctions).read(selection);
    if (!canImage) return { where };
    const reader = new QueryReader(this.catalog, this.maxConjunctions);
    reader.walk(selection, scope);
    if (reader.collector.refusal !== undefined) return { where };
    const { image } = this.image(selection);
    const asksOthers = reader.collector.tables().length > 0 && ({ asksOthers: true } as const);
    return { where, ...(image && { image: { ...image, ...asksOthers } }) };
  }

  private image(selection: unknown): Pick<WriteEffect, 'image'> {
    const image = this.text && imageOf(this.text, this.dialect, selection);
    return image ? { image } : {};
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
