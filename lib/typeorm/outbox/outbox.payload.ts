import { tableToken, type Token } from '../../core/token.js';
import type { Changes } from '../../invalidation/transaction-frames.js';

/** What a transaction of ours changed: whole tables, because its rows are only looked at when something went wrong. */
interface AppPayload {
  readonly tokens: readonly Token[];
}

/** A row as a trigger tells it: texts by column. A column that it leaves out is not known. */
export type RowTexts = Readonly<Record<string, string | null>>;

/** One changed row of a table. */
export interface TriggerPayload {
  /** Path of the table, as TypeORM's metadata names it. */
  readonly table: string;
  readonly kind: 'insert' | 'update' | 'delete' | 'table';
  /** Columns that an update changed: encoded as by `encodeURIComponent`, parted by commas. */
  readonly changed?: string;
  /** The row in pieces: the functions that build JSON take a limited number of arguments. */
  readonly old?: readonly RowTexts[];
  readonly new?: readonly RowTexts[];
}

/** Tables of the changes, and the tokens that are no table's. */
export const appPayload = ({ effects, tokens }: Changes): string =>
  JSON.stringify({
    tokens: [...new Set([...tokens, ...effects.map(({ table }) => tableToken(table))])],
  } satisfies AppPayload);

/** @returns `undefined` when the text is of neither form */
export function parsePayload(text: string): AppPayload | TriggerPayload | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return undefined;
  }
  const { tokens, table } = (parsed ?? {}) as Partial<AppPayload & TriggerPayload>;
  return Array.isArray(tokens) || typeof table === 'string'
    ? (parsed as AppPayload | TriggerPayload)
    : undefined;
}
