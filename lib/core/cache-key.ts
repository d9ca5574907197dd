import { createHash } from 'node:crypto';

/** How `keyPart` treats what has more than one reading. */
export interface KeyRules {
  /** Property order is part of the key (`order: { a, b }` is not `order: { b, a }`); otherwise names are sorted. */
  readonly ordered?: boolean;
  /** Text of an instance that is not plain data; `undefined` makes the whole value unfit for a key. */
  readonly instance?: (value: object, part: (value: unknown) => string | undefined) => string | undefined;
}

const CANONICAL: KeyRules = {};
const MAX_DEPTH = 16;

/**
 * Canonical text of one value: typed and length-prefixed, so that `1` and `'1'`, `['a,b']` and `['a', 'b']`, or a
 * value that contains query text can never share a key (django-cacheops hashed `sql % params`, and did).
 * @returns `undefined` for a value that has no canonical text (function, class instance, cycle)
 */
export function keyPart(value: unknown, rules: KeyRules = CANONICAL, depth = 0): string | undefined {
  switch (typeof value) {
    case 'string':
      return `s${value.length}:${value}`;
    case 'number':
      return Object.is(value, -0) ? 'n-0;' : `n${value};`;
    case 'bigint':
      return `i${value};`;
    case 'boolean':
      return value ? 't' : 'f';
    case 'undefined':
      return 'u';
    case 'object':
      return value === null ? '0' : objectPart(value, rules, depth);
    default:
      return undefined;
  }
}

function objectPart(value: object, rules: KeyRules, depth: number): string | undefined {
  if (value instanceof Date) return `d${value.getTime()};`;
  if (value instanceof Uint8Array) return `b${value.length}:${Buffer.from(value).toString('base64')}`;
  if (depth >= MAX_DEPTH) return undefined;
  if (Array.isArray(value)) return listPart('a', value, rules, depth);
  if (value instanceof Set) return listPart('S', [...value], rules, depth);
  if (value instanceof Map) return listPart('M', [...value].flat(), rules, depth);
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== null && prototype !== Object.prototype) {
    return rules.instance?.(value, (inner) => keyPart(inner, rules, depth + 1));
  }
  const names = Object.keys(value);
  if (!rules.ordered) names.sort();
  let text = `o${names.length}[`;
  for (const name of names) {
    const part = keyPart((value as Record<string, unknown>)[name], rules, depth + 1);
    if (part === undefined) return undefined;
    text += `${name.length}:${name}${part}`;
  }
  return `${text}]`;
}

function listPart(
  tag: string,
  items: readonly unknown[],
  rules: KeyRules,
  depth: number,
): string | undefined {
  let text = `${tag}${items.length}[`;
  for (const item of items) {
    const part = keyPart(item, rules, depth + 1);
    if (part === undefined) return undefined;
    text += part;
  }
  return `${text}]`;
}

export const hashText = (text: string): string => createHash('sha1').update(text).digest('base64url');
