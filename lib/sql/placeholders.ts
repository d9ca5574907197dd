import type { SqlDialect } from './sql.types.js';
import { tokenize, type SqlToken } from './tokenizer.js';

/** Statement text in which every placeholder bears its number (`$2`, `?2`), as its parts are read in any order. */
export interface NumberedSql {
  readonly sql: string;
  readonly tokens: readonly SqlToken[];
  /** Why the text cannot be trusted to say what will run. */
  readonly trouble?: string;
}

const NUMBERED = /^[?$]\d+$/;

/** Numbers the `?` of a text by their order, as drivers bind them. */
export function numberPlaceholders(sql: string, dialect: SqlDialect): NumberedSql {
  const { tokens, executableComment } = tokenize(sql, dialect);
  if (executableComment) return { sql, tokens, trouble: 'executable comment' };
  if (dialect === 'postgres') return { sql, tokens };
  // `??` is an identifier that only the driver knows.
  if (tokens.some((t) => t.kind === 'placeholder' && t.text.startsWith('??'))) {
    return { sql, tokens, trouble: 'identifier placeholder' };
  }
  return tokens.some(({ text, kind }) => kind === 'placeholder' && text === '?')
    ? numberByOrder(sql, tokens)
    : { sql, tokens };
}

/** SQLite's rule: `?` is one more than the largest number so far, and a name takes a number when it first occurs. */
function numberByOrder(sql: string, tokens: readonly SqlToken[]): NumberedSql {
  const names = new Set<string>();
  const numbered: SqlToken[] = [];
  let largest = 0;
  let at = 0;
  let text = '';
  for (const token of tokens) {
    const start = text.length + token.start - at;
    let place = token.text;
    if (token.kind === 'placeholder' && !isLiteralIndex(placeholderIndex(place))) {
      if (NUMBERED.test(place)) largest = Math.max(largest, Number(place.slice(1)));
      else if (place === '?' || !names.has(place)) largest++;
      names.add(place);
    }
    if (token.kind === 'placeholder' && place === '?') {
      place = `?${largest}`;
      text += sql.slice(at, token.start) + place;
      at = token.end;
      numbered.push({ kind: token.kind, start, end: text.length, text: place });
    } else numbered.push({ ...token, start, end: start + token.end - token.start });
  }
  return { sql: text + sql.slice(at), tokens: numbered };
}

/** 0-based index of a numbered placeholder; `undefined` for one that is bound by name. */
export const placeholderIndex = (text: string): number | undefined =>
  NUMBERED.test(text) ? Number(text.slice(1)) - 1 : undefined;

/** Far above the numbers of any driver's parameters. All literals' placeholders are of one length. */
const FIRST_LITERAL = 1_000_001;

/** A placeholder for the literal of this index. */
export const literalPlaceholder = (index: number, dialect: SqlDialect): string =>
  `${dialect === 'postgres' ? '$' : '?'}${FIRST_LITERAL + index}`;

/** The literal's index from that of its placeholder; negative for a parameter. */
export const literalAt = (param: number): number => param + 1 - FIRST_LITERAL;

export const isLiteralIndex = (param: number | undefined): boolean =>
  param !== undefined && literalAt(param) >= 0;
