import { nodeAt, sameTree, type Node } from './ast.js';
import { parseStatements } from './parser.js';
import { isLiteralIndex, placeholderIndex, type NumberedSql } from './placeholders.js';
import type { ImageQuery, SqlDialect } from './sql.types.js';
import type { SqlToken } from './tokenizer.js';

interface Span {
  readonly start: number;
  readonly end: number;
}

/** What the rows of an UPDATE or DELETE depend on, as the parser understood it. */
export interface ImageSubject {
  /** The statement's table, and those that it names beside. */
  readonly tables: readonly Node[];
  readonly selection: unknown;
  /** The CTEs before it. */
  readonly ctes?: unknown;
}

export interface CutImage {
  readonly image: ImageQuery;
  /** `SELECT 1` of the same rows. */
  readonly query: Node;
}

/**
 * Cuts WITH, FROM and WHERE of an UPDATE or DELETE out of its own text, so that whatever they say is said again word for
 * word. `undefined` when the cut does not parse back to the same.
 */
export function imageOf(text: NumberedSql, dialect: SqlDialect, subject: ImageSubject): CutImage | undefined {
  const spans = cut(text.tokens);
  if (!spans) return undefined;
  const { ctes, tables, where } = spans;
  const say = (place: (token: SqlToken) => string): Required<Pick<ImageQuery, 'head' | 'from'>> => {
    const said = (list: readonly Span[]): readonly string[] =>
      list.map((span) => textOf(text.sql, tokensIn(text.tokens, span), place));
    // In the order of the text, which is that in which placeholders are numbered.
    const [head, from, condition] = [said(ctes), said(tables).join(', '), said(where)];
    return {
      head: head.map((each) => `${each} `).join(''),
      from: ` FROM ${from}${condition.map((each) => ` WHERE ${each}`).join('')}`,
    };
  };
  const numbered = say((token) => token.text);
  const query = queryOf(`${numbered.head}SELECT 1${numbered.from}`, dialect);
  if (!query || !isAbout(query, subject)) return undefined;
  const params: number[] = [];
  let known = true;
  const { head, from } = say((token) => {
    const index = placeholderIndex(token.text);
    if (isLiteralIndex(index)) return token.text;
    if (index === undefined) known = false;
    return renumber(index ?? 0, params, dialect);
  });
  return known ? { image: { ...(head !== '' && { head }), from, params }, query } : undefined;
}

function renumber(index: number, params: number[], dialect: SqlDialect): string {
  if (dialect !== 'postgres') {
    params.push(index);
    return '?';
  }
  if (!params.includes(index)) params.push(index);
  return `$${params.indexOf(index) + 1}`;
}

function queryOf(sql: string, dialect: SqlDialect): Node | undefined {
  const statements = parseStatements(sql, dialect);
  return statements?.length === 1 ? nodeAt(statements[0], 'Query') : undefined;
}

function isAbout(query: Node, { tables, selection, ctes }: ImageSubject): boolean {
  const select = nodeAt(nodeAt(query, 'body'), 'Select');
  return (
    select !== undefined &&
    sameTree(query['with'] ?? null, ctes ?? null) &&
    sameTree(select['from'], tables) &&
    sameTree(select['selection'] ?? null, selection ?? null)
  );
}

interface Cut {
  readonly ctes: readonly Span[];
  readonly tables: readonly Span[];
  readonly where: readonly Span[];
}

/**
 * Where tables and condition stand:
 * `[WITH ctes] UPDATE <table> SET ... [FROM <tables>] [WHERE <where>] [RETURNING ...]`,
 * `[WITH ctes] DELETE FROM <table> [USING <tables>] [WHERE <where>] [RETURNING ...]`.
 */
function cut(tokens: readonly SqlToken[]): Cut | undefined {
  const top = topLevel(tokens);
  const [first] = top;
  const find = (words: readonly string[], after: number): SqlToken | undefined =>
    top.find((t) => t.kind === 'word' && words.includes(t.text) && t.start >= after);
  const verb = first?.text === 'WITH' ? find(['UPDATE', 'DELETE'], first.end) : first;
  if (!first || !verb) return undefined;
  const isUpdate = verb.text === 'UPDATE';
  const head = find([isUpdate ? 'SET' : 'FROM'], verb.end);
  if (!head) return undefined;
  const where = find(['WHERE'], head.end);
  const returning = find(['RETURNING'], where?.end ?? head.end);
  const end = returning?.start ?? (tokens.at(-1) as SqlToken).end;
  const rest = where?.start ?? end;
  const others = find([isUpdate ? 'FROM' : 'USING'], head.end);
  const own = isUpdate
    ? { start: verb.end, end: head.start }
    : { start: head.end, end: Math.min(rest, others?.start ?? rest) };
  return {
    ctes: verb === first ? [] : [{ start: first.start, end: verb.start }],
    tables: [own, ...(others && others.start < rest ? [{ start: others.end, end: rest }] : [])],
    where: where ? [{ start: where.end, end }] : [],
  };
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
