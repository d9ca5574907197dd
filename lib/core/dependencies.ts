import { EVERYTHING, rowsToken, shapeText, tableToken, tagToken, type Shape, type Token } from './token.js';

/** One condition shape that a set of dependencies uses, with the position of its table's token. */
export interface ShapeUse {
  readonly table: string;
  readonly shape: string;
  /** Index of `t:{table}` in the tokens. */
  readonly tableAt: number;
}

/** What an entry depends on, in canonical order: two processes must list the same tokens in the same order. */
export interface Dependencies {
  readonly tokens: readonly Token[];
  readonly shapes: readonly ShapeUse[];
}

/** The rows of one table that matter to a reader. */
export interface TableDependency {
  readonly table: string;
  readonly reads: '*' | readonly string[];
  /** OR of column = canonical value (`null`: SQL NULL); an empty map is any row; no map at all: no row. */
  readonly conditions: readonly ReadonlyMap<string, string | null>[];
}

/** Every set of dependencies holds `*`, and `t:{table}` of every table it names. */
export function dependenciesOf(
  tables: readonly TableDependency[],
  tags: readonly string[] = [],
): Dependencies {
  // The most usual, and in order already.
  if (tables.length === 0 && tags.length <= 1) {
    return { tokens: [EVERYTHING, ...tags.map(tagToken)], shapes: [] };
  }
  const tokens = new Set<Token>([EVERYTHING]);
  for (const tag of tags) tokens.add(tagToken(tag));
  const shapes = new Map<string, { table: string; shape: string }>();
  for (const dependency of tables) addTable(dependency, tokens, shapes);
  const sorted = [...tokens].sort();
  return {
    tokens: sorted,
    shapes: [...shapes.values()].map((use) => ({ ...use, tableAt: sorted.indexOf(tableToken(use.table)) })),
  };
}

function addTable(
  { table, reads, conditions }: TableDependency,
  tokens: Set<Token>,
  shapes: Map<string, { table: string; shape: string }>,
): void {
  tokens.add(tableToken(table));
  for (const condition of conditions) {
    const columns = [...condition.keys()].sort();
    const shape: Shape = { columns, reads };
    const text = shapeText(shape);
    shapes.set(`${table}\n${text}`, { table, shape: text });
    tokens.add(
      rowsToken(
        table,
        shape,
        columns.map((column) => condition.get(column) ?? null),
      ),
    );
  }
}

/** Union, for values that depend on several things. */
export function mergeDependencies(all: readonly Dependencies[]): Dependencies {
  if (all.length === 1) return all[0] as Dependencies;
  const tokens = [...new Set([EVERYTHING, ...all.flatMap((d) => d.tokens)])].sort();
  const shapes = new Map(all.flatMap((d) => d.shapes).map((use) => [`${use.table}\n${use.shape}`, use]));
  return {
    tokens,
    shapes: [...shapes.values()].map((use) => ({ ...use, tableAt: tokens.indexOf(tableToken(use.table)) })),
  };
}

/** The same with one token more, which is no table's. */
export function withToken({ tokens, shapes }: Dependencies, token: Token): Dependencies {
  let at = tokens.length;
  while (at > 0 && (tokens[at - 1] as Token) > token) at--;
  if (tokens[at - 1] === token) return { tokens, shapes };
  const moved = (use: ShapeUse): ShapeUse => (use.tableAt < at ? use : { ...use, tableAt: use.tableAt + 1 });
  return {
    tokens: [...tokens.slice(0, at), token, ...tokens.slice(at)],
    shapes: shapes.length === 0 ? shapes : shapes.map(moved),
  };
}

/** What does not depend on anything but everything. */
export const NO_DEPENDENCIES: Dependencies = dependenciesOf([]);
