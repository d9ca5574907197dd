import { nodeAt, nodesOf, sameTree } from './ast.js';
import { parseStatements } from './parser.js';
import { isLiteralIndex, placeholderIndex, type NumberedSql } from './placeholders.js';
import type { ImageQuery, SqlDialect } from './sql.types.js';
import type { SqlToken } from './tokenizer.js';

interface Span {
  readonly start: number;
  readonly end: number;
}

/**
 * Cuts the FROM and WHERE of a single-table UPDATE or DELETE out of its own text, so that whatever the condition says
 * is said again word for word. `undefined` when the cut does not parse back to the same condition.
 */
export function imageOf(text: NumberedSql, dialect: SqlDialect, selection: unknown): ImageQuery | undefined {
  const spans = cut(text.tokens);
  if (!spans) return undefined;
  const pieces = [spans.relation, ...(spans.where ? [spans.where] : [])].map((span) =>
    tokensIn(text.tokens, span),
  );
  const numbered = join(pieces.map((tokens) => textOf(text.sql, tokens, (token) => token.text)));
  if (!saysTheSame(numbered, dialect, selection)) return undefined;
  const params: number[] = [];
  let known = true;
  const place = (token: SqlToken): string => {
    const index = placeholderIndex(token.text);
    if (isLiteralIndex(index)) return token.text;
    if (index === undefined) known = false;
    return renumber(index ?? 0, params, dialect);
  };
  const from = join(pieces.map((tokens) => textOf(text.sql, tokens, place)));
  return known ? { from, params } : undefined;
}

const join = ([relation, where]: readonly string[]): string =>
  ` FROM ${relation}${where === undefined ? '' : ` WHERE ${where}`}`;

function renumber(index: number, params: number[], dialect: SqlDialect): string {
  if (dialect !== 'postgres') {
    params.push(index);
    return '?';
  }
  if (!params.includes(index)) params.push(index);
  return `$${params.indexOf(index) + 1}`;
}

function saysTheSame(from: string, dialect: SqlDialect, selection: unknown): boolean {
  const statements = parseStatements(`SELECT 1${from}`, dialect);
  const select = nodeAt(nodeAt(nodeAt(statements?.[0], 'Query'), 'body'), 'Select');
  if (statements?.length !== 1 || !select) return false;
  const tables = nodesOf(select['from']);
  const single = tables.length === 1 && nodesOf(tables[0]?.['joins']).length === 0;
  return single && sameTree(select['selection'] ?? null, selection ?? null);
}

/** Where the target and the condition stand: `UPDATE <relation> SET ... WHERE <where> RETURNING ...`. */
function cut(tokens: readonly SqlToken[]): { relation: Span; where?: Span } | undefined {
  const top = topLevel(tokens);
  const verb = top[0];
  const find = (word: string, after: number) =>
    top.find((t) => t.kind === 'word' && t.text === word && t.start >= after);
  if (!verb) return undefined;
  const isUpdate = verb.text === 'UPDATE';
  const set = isUpdate ? find('SET', verb.end) : undefined;
  const from = isUpdate ? undefined : find('FROM', verb.end);
  const head = isUpdate ? set?.end : from?.end;
  if (head === undefined) return undefined;
  const where = find('WHERE', head);
  const returning = find('RETURNING', where?.end ?? head);
  const end = returning?.start ?? (tokens.at(-1) as SqlToken).end;
  const relation = set ? { start: verb.end, end: set.start } : { start: head, end: where?.start ?? end };
  return where ? { relation, where: { start: where.end, end } } : { relation };
}

function topLevel(tokens: readonly SqlToken[]): readonly SqlToken[] {
  let depth = 0;
  return tokens.filter((token) => {
    if (token.kind !== 'punctuation') return depth === 0;
    if (token.text === '(') depth++;
    else if (token.text === ')') depth--;
    return false;
  });
}

const tokensIn = (tokens: readonly SqlToken[], { start, end }: Span): readonly SqlToken[] =>
  tokens.filter((token) => token.start >= start && token.end <= end);

/** The text between, with a blank for each comment: a line comment would swallow what is put behind it. */
function textOf(sql: string, tokens: readonly SqlToken[], place: (token: SqlToken) => string): string {
  let text = '';
  tokens.forEach((token, i) => {
    const before = tokens[i - 1];
    if (before && before.end < token.start) text += ' ';
    text += token.kind === 'placeholder' ? place(token) : sql.slice(token.start, token.end);
  });
  return text;
}
