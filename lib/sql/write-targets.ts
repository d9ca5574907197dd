import { nodeAt, nodesOf, pathOf, tableNameOf, type Node } from './ast.js';
import { ANY_ROW } from './conjunctions.js';
import { baseTables } from './read-collector.js';
import { Source } from './scope.js';
import type { RelationFacts, SqlCatalog, WriteEffect } from './sql.types.js';

/** A target that cannot be followed to tables. */
export class UnfollowedWrite extends Error {}

/** The source of a statement on one table. */
export type SingleTarget = Source & { readonly relation: RelationFacts };

/** Finds the tables that a write is about, and the effects on them that need no look at rows. */
export class WriteTargets {
  constructor(private readonly catalog: SqlCatalog) {}

  /** @throws UnfollowedWrite when the target has no plain name */
  find(path: readonly string[] | undefined): RelationFacts | undefined {
    if (!path) throw new UnfollowedWrite('target is not a plain table name');
    return this.catalog.find(path);
  }

  /** A FROM item that is one known table and nothing else. */
  single({ relation }: Node): SingleTarget | undefined {
    const body = nodeAt(relation, 'Table');
    if (!body || body['args']) return undefined;
    const { path, alias } = tableNameOf(body, this.catalog.dialect);
    const found = this.find(path);
    if (found?.kind !== 'table') return undefined;
    const name = alias ?? path?.at(-1) ?? '';
    const source = new Source(name, found, found.columns.keys(), this.catalog.dialect);
    return Object.assign(source, { relation: found });
  }

  /** Table-level effects on the tables under a relation. */
  whole(relation: RelationFacts, returning = false): readonly WriteEffect[] {
    const bases = baseTables(relation, this.catalog);
    if (!bases)
      throw new UnfollowedWrite(`write through view ${relation.id}, which does not say what it depends on`);
    return bases.map(({ id }) => ({ table: id, kind: 'table', columns: '*', returning }));
  }

  /** Table-level effects on every table of FROM items. */
  wholeFrom(items: readonly Node[], returning: boolean): readonly WriteEffect[] {
    return items
      .flatMap((item) => factorsOf(item))
      .flatMap((factor) => this.wholeNamed(this.nameOf(factor), returning));
  }

  wholeNamed(path: readonly string[] | undefined, returning = false): readonly WriteEffect[] {
    const relation = this.find(path);
    return relation ? this.whole(relation, returning) : [];
  }

  /** Rows of a table that the text does not tell change in these columns. */
  updated(relation: RelationFacts, columns: readonly string[], returning: boolean): readonly WriteEffect[] {
    if (relation.kind === 'view') return this.whole(relation, returning);
    return [{ table: relation.id, kind: 'update', columns, where: ANY_ROW, returning }];
  }

  /** Rows of a table that the text does not tell go. */
  deleted(relation: RelationFacts | undefined, returning: boolean): readonly WriteEffect[] {
    if (!relation) return [];
    if (relation.kind === 'view') return this.whole(relation, returning);
    return [{ table: relation.id, kind: 'delete', columns: '*', where: ANY_ROW, returning }];
  }

  /** `UPDATE a JOIN b SET ...`: a column belongs to the table that qualifies it, else to the only one that has it. */
  updatedInJoin(item: Node, names: readonly unknown[], returning: boolean): readonly WriteEffect[] {
    const factors = factorsOf(item);
    const columns = new Map<RelationFacts, Set<string>>();
    for (const name of names) {
      const path = pathOf(name, this.catalog.dialect) ?? [''];
      for (const relation of this.ownersOf(path, factors)) {
        const known = columnOf(relation, path.at(-1) as string);
        columns.set(relation, (columns.get(relation) ?? new Set()).add(known ?? (path.at(-1) as string)));
      }
    }
    return [...columns].flatMap(([relation, set]) => this.updated(relation, [...set].sort(), returning));
  }

  /** MySQL names the targets of a DELETE over several tables by their aliases. */
  deletedFromJoin(
    names: readonly unknown[],
    from: readonly Node[],
    returning: boolean,
  ): readonly WriteEffect[] {
    const factors = from.flatMap((item) => factorsOf(item));
    return names.flatMap((name) => {
      const alias = pathOf(name, this.catalog.dialect)?.at(-1) ?? '';
      const factor = this.named(alias, factors);
      if (!factor) throw new UnfollowedWrite(`DELETE of ${alias}, which is not among its tables`);
      return this.deleted(this.find(this.nameOf(factor)), returning);
    });
  }

  private ownersOf(path: readonly string[], factors: readonly Node[]): readonly RelationFacts[] {
    const qualifier = path.at(-2);
    const named = qualifier === undefined ? undefined : this.named(qualifier, factors);
    if (named) return [this.find(this.nameOf(named)) ?? []].flat();
    const relations = factors.flatMap((factor) => this.find(this.nameOf(factor)) ?? []);
    const owners = relations.filter((relation) => columnOf(relation, path.at(-1) as string) !== undefined);
    return qualifier === undefined && owners.length === 1 ? owners : relations;
  }

  private named(name: string, factors: readonly Node[]): Node | undefined {
    return factors.find((factor) => {
      const { alias, path } = tableNameOf(factor, this.catalog.dialect);
      return (alias ?? path?.at(-1))?.toLowerCase() === name.toLowerCase();
    });
  }

  private nameOf(factor: Node): readonly string[] | undefined {
    return tableNameOf(factor, this.catalog.dialect).path;
  }
}

/** Joined updates are MySQL's, where names of columns have no case. */
const columnOf = ({ columns }: RelationFacts, name: string): string | undefined =>
  [...columns.keys()].find((column) => column.toLowerCase() === name.toLowerCase());

/** The tables of a FROM item. */
function factorsOf(item: Node): readonly Node[] {
  const relations = [item['relation'], ...nodesOf(item['joins']).map((join) => join['relation'])];
  return relations.flatMap((relation) => {
    const table = nodeAt(relation, 'Table');
    if (table) return [table];
    const nested = nodeAt(nodeAt(relation, 'NestedJoin'), 'table_with_joins');
    return nested ? factorsOf(nested) : [];
  });
}
