import { createHash } from 'node:crypto';

/**
 * Canonical text of one value: typed and length-prefixed, so that `1` and `'1'`, `['a,b']` and `['a', 'b']`, or a
 * value that contains query text can never share a key (django-cacheops hashed `sql % params`, and did).
 * @returns `undefined` for a value that has no canonical text (function, class instance, cycle)
 */
export function keyPart(value: unknown, depth = 0): string | undefined {
  switch (typeof value) {
    case 'string':
      return `s${value.length}:${value}`;
    case 'number':
      return Object.is(value, -0) ? 'n-0' : `n${value}`;
    case 'bigint':
      return `i${value}`;
    case 'boolean':
      return value ? 't' : 'f';
    case 'undefined':
      return 'u';
    case 'object':
      return value === null ? '0' : objectPart(value, depth);
    default:
      return undefined;
  }
}

const MAX_DEPTH = 16;

function objectPart(value: object, depth: number): string | undefined {
  if (value instanceof Date) return `d${value.getTime()}`;
  if (value instanceof Uint8Array) return `b${value.length}:${Buffer.from(value).toString('base64')}`;
  if (depth >= MAX_DEPTH) return undefined;
  if (Array.isArray(value)) return listPart('a', value, depth);
  if (value instanceof Set) return listPart('S', [...value], depth);
  if (value instanceof Map) return listPart('M', [...value].flat(), depth);
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== null && prototype !== Object.prototype) return undefined;
  const names = Object.keys(value).sort();
  return listPart(
    'o',
    names.flatMap((name) => [name, (value as Record<string, unknown>)[name]]),
    depth,
  );
}

function listPart(tag: string, items: readonly unknown[], depth: number): string | undefined {
  let text = `${tag}${items.length}[`;
  for (const item of items) {
    const part = keyPart(item, depth + 1);
    if (part === undefined) return undefined;
    text += part;
  }
  return `${text}]`;
}

export const hashText = (text: string): string => createHash('sha1').update(text).digest('base64url');
