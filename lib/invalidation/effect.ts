import { rowsToken, tableToken, type Shape, type Token } from '../core/token.js';

/** Column -> canonical text, `null` for SQL NULL. A column that is absent is not known. */
export type RowImage = ReadonlyMap<string, string | null>;

/** What a statement did to the rows of one table. */
export interface Effect {
  readonly table: string;
  /** Columns whose value may have changed; `'*'` when rows came or went, or when the statement does not say. */
  readonly columns: '*' | ReadonlySet<string>;
  /** The rows before and after (law 6); `undefined` when it is not known which rows changed. */
  readonly images: readonly RowImage[] | undefined;
}

/** Beyond this many tokens of one table, the table's own token is cheaper than the list. */
const MAX_TOKENS_PER_TABLE = 500;

/** Tokens that an effect restamps, given the shapes that readers of the table use. Widens to the table when in doubt. */
export function tokensOf(effect: Effect, shapes: readonly Shape[]): readonly Token[] {
  if (effect.images === undefined) return [tableToken(effect.table)];
  const tokens = new Set<Token>();
  for (const shape of shapes) {
    if (!touches(effect, shape)) continue;
    for (const image of effect.images) {
      const values = shape.columns.map((column) => image.get(column));
      if (values.includes(undefined)) return [tableToken(effect.table)];
      tokens.add(rowsToken(effect.table, shape, values as (string | null)[]));
      if (tokens.size > MAX_TOKENS_PER_TABLE) return [tableToken(effect.table)];
    }
  }
  return [...tokens];
}

/** Whether a write to these columns can change the result of a reader of this shape. */
export function touches(effect: Pick<Effect, 'columns'>, shape: Shape): boolean {
  const { columns } = effect;
  if (columns === '*' || shape.reads === '*') return columns === '*' || columns.size > 0;
  return shape.reads.some((c) => columns.has(c)) || shape.columns.some((c) => columns.has(c));
}
