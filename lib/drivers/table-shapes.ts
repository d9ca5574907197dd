import { type Token, tableToken } from '../core/token.js';
import type { TableShape, TokenState } from './cache-driver.interface.js';

/** Shapes to register, by table. */
export function shapesByTable(shapes: readonly TableShape[]): Map<string, string[]> {
  const byTable = new Map<string, string[]>();
  for (const { table, shape } of shapes) {
    const texts = byTable.get(table);
    if (texts === undefined) byTable.set(table, [shape]);
    else texts.push(shape);
  }
  return byTable;
}

/** Reports every token of the given tables as pending: their new shapes were refused. */
export function withoutTables(
  tokens: readonly Token[],
  states: readonly TokenState[],
  tables: readonly string[],
): readonly TokenState[] {
  if (tables.length === 0) return states;
  const names = tables.map(tableToken);
  const refused = (token: Token): boolean =>
    names.some(
      (name) => token.startsWith(name) && (token.length === name.length || token[name.length] === ':'),
    );
  return states.map((state, i) => (refused(tokens[i] as Token) ? 'pending' : state));
}
