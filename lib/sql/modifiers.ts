import type { NumberedSql } from './placeholders.js';
import type { SqlDialect } from './sql.types.js';

const MODIFIERS: Readonly<Record<string, ReadonlySet<string>>> = {
  UPDATE: new Set(['LOW_PRIORITY', 'IGNORE']),
  DELETE: new Set(['LOW_PRIORITY', 'QUICK', 'IGNORE']),
};

/**
 * The statement without the words that MySQL takes between a verb and its table (`UPDATE IGNORE film`), which the
 * parser would read as the table's name. Blanks stand in their place.
 */
export function withoutModifiers(
  text: NumberedSql,
  dialect: SqlDialect,
): { readonly text: NumberedSql; readonly ignores: boolean } {
  if (dialect !== 'mysql') return { text, ignores: false };
  let verb: ReadonlySet<string> | undefined;
  const modifiers = text.tokens.filter((token) => {
    const isModifier = token.kind === 'word' && verb?.has(token.text) === true;
    if (!isModifier) verb = token.kind === 'word' ? MODIFIERS[token.text] : undefined;
    return isModifier;
  });
  if (modifiers.length === 0) return { text, ignores: false };
  const sql = modifiers.reduce(
    (rest, { start, end }) => rest.slice(0, start) + ' '.repeat(end - start) + rest.slice(end),
    text.sql,
  );
  const tokens = text.tokens.filter((token) => !modifiers.includes(token));
  return { text: { ...text, sql, tokens }, ignores: modifiers.some((token) => token.text === 'IGNORE') };
}
