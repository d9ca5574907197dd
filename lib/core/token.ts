import { createHash } from 'node:crypto';

/**
 * A token names something that may change. Its text is part of keys in the backend:
 *
 * - `*`                        everything
 * - `t:{table}`                a table as a whole (rows unknown, schema, registry)
 * - `t:{table}:`               any row of the table
 * - `t:{table}:a=1&b=x`        the rows with a = 1 and b = 'x'
 * - `t:{table}:a=1|id,title`   the same, for readers that look at `id` and `title` only
 * - `g:tag`                    a tag
 * - `k:key`                    one entry that was stored under a key of the application
 * - `r:key`                    in messages only: the lease of an entry was given back
 *
 * The braces are a Redis Cluster hash tag: all keys of a table share a slot.
 */
export type Token = string;

/** The token every entry depends on. */
export const EVERYTHING: Token = '*';

/** Whether the list holds all of `least`. */
export function coversTokens(tokens: readonly Token[], least: readonly Token[]): boolean {
  if (tokens === least) return true;
  for (let i = 0; i < least.length; i++) if (!tokens.includes(least[i] as Token)) return false;
  return true;
}

export function sameTokens(one: readonly Token[], other: readonly Token[]): boolean {
  if (one === other) return true;
  if (one.length !== other.length) return false;
  for (let i = 0; i < one.length; i++) if (one[i] !== other[i]) return false;
  return true;
}

const MAX_CONDITION_LENGTH = 160;

export const tableToken = (table: string): Token => `t:{${table}}`;
export const tagToken = (tag: string): Token => `g:${tag}`;
export const leaseToken = (key: string): Token => `r:${key}`;
export const keyToken = (key: string): Token => `k:${key}`;

/**
 * What a query asks of a table: the columns it compares for equality and the columns whose values it reads.
 * `columns` and `reads` are sorted; `reads` is `'*'` when the reader may look at any column. A write that leaves
 * all of them alone cannot change the result.
 */
export interface Shape {
  readonly columns: readonly string[];
  readonly reads: '*' | readonly string[];
}

/** Text under which a shape stands in the registry of its table. Column names are escaped by `escapeName`. */
export function shapeText(shape: Shape): string {
  const columns = shape.columns.map(escapeName).join('&');
  return shape.reads === '*' ? columns : `${columns}|${shape.reads.map(escapeName).join(',')}`;
}

/** Inverse of `shapeText`. */
export function parseShape(text: string): Shape {
  const bar = text.indexOf('|');
  const columns = bar < 0 ? text : text.slice(0, bar);
  return {
    columns: columns === '' ? [] : columns.split('&').map(unescapeName),
    reads:
      bar < 0
        ? '*'
        : text.slice(bar + 1) === ''
          ? []
          : text
              .slice(bar + 1)
              .split(',')
              .map(unescapeName),
  };
}

/**
 * Token of the rows whose `shape.columns` equal `values` (canonical texts, `null` for SQL NULL, same order).
 * Long conditions are hashed; the hash covers the whole text, so distinct conditions stay distinct.
 */
export function rowsToken(table: string, shape: Shape, values: readonly (string | null)[]): Token {
  let text = '';
  for (let i = 0; i < shape.columns.length; i++) {
    const value = values[i];
    if (i > 0) text += '&';
    text +=
      escapeName(shape.columns[i] as string) +
      (value === null || value === undefined ? '~' : `=${escapeName(value)}`);
  }
  if (shape.reads !== '*') text += `|${shape.reads.map(escapeName).join(',')}`;
  if (text.length > MAX_CONDITION_LENGTH) text = `#${createHash('sha1').update(text).digest('base64url')}`;
  return `t:{${table}}:${text}`;
}

const UNSAFE = /[^A-Za-z0-9_.\- :+]/g;

/** Escapes every UTF-16 unit that has a meaning in a token, so that no value can forge another condition. */
function escapeName(text: string): string {
  return text.replace(UNSAFE, (c) => {
    const code = c.charCodeAt(0);
    return code < 256 ? `%${code.toString(16).padStart(2, '0')}` : `%u${code.toString(16).padStart(4, '0')}`;
  });
}

function unescapeName(text: string): string {
  return text.replace(/%(?:u([0-9a-f]{4})|([0-9a-f]{2}))/g, (_, wide: string | undefined, narrow: string) =>
    String.fromCharCode(parseInt(wide ?? narrow, 16)),
  );
}
