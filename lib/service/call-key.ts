import { CacheOpsConfigError, CacheOpsSerializationError } from '../cacheops.errors.js';
import { hashText, keyPart, type KeyRules } from '../core/cache-key.js';
import type { EntityModel } from '../core/entity-model.js';
import { isRequest } from './method-call.js';
import { routeOf } from './request-key.js';

const LONGEST = 200;

/** A part of a key. */
export interface KeyPart {
  /** Names it where it cannot be one. */
  readonly path: string;
  /** As it is named in the source. */
  readonly name?: string | undefined;
  readonly value: unknown;
}

/**
 * Makes keys. Values are typed and length-prefixed; an entity counts by its primary key, a request by its method and
 * route, an object with `toJSON` by what that returns.
 */
export class CallKeys {
  private readonly rules: KeyRules;

  constructor(model: Pick<EntityModel, 'identity'>) {
    this.rules = {
      instance: (value, part) => {
        const identity = model.identity(value);
        if (identity !== undefined) return `e${identity}`;
        if (isRequest(value)) return `r${part(`${value.method} ${routeOf(value)}`)}`;
        const { toJSON } = value as { toJSON?: unknown };
        if (typeof toJSON !== 'function') return undefined;
        const text = part(toJSON.call(value));
        return text && `j${value.constructor.name.length}:${value.constructor.name}${text}`;
      },
    };
  }

  /**
   * @throws CacheOpsSerializationError that names the part which has no canonical text
   */
  of(name: string, parts: readonly KeyPart[]): string {
    let text = '';
    for (const part of parts) text += this.text(name, part);
    return `${name}(${text.length > LONGEST ? `#${hashText(text)}` : text})`;
  }

  private text(key: string, { path, name, value }: KeyPart): string {
    const text = keyPart(value, this.rules);
    if (text !== undefined) return text;
    throw new CacheOpsSerializationError(
      path,
      `${key}: ${name ? `${path} (${name})` : path} cannot be part of a key. Pass plain values, an entity that has its primary key or an object ` +
        `with toJSON; or mark the parameters that matter with @CacheKey(), or give @CacheKey a function`,
    );
  }
}

/** The arguments of a call, or those of them that matter. */
export function argumentParts(
  args: readonly unknown[],
  names: readonly string[],
  indexes: Iterable<number> = args.keys(),
): readonly KeyPart[] {
  return [...indexes].map((i) => ({ path: `args[${i}]`, name: names[i], value: args[i] }));
}

/** @throws CacheOpsConfigError when a function that makes a key did not make one */
export function checkedKey(where: string, key: unknown): string {
  if (typeof key === 'string' && key !== '') return key;
  throw new CacheOpsConfigError(where, 'a text that is not empty', key);
}

/** Names of the parameters as they stand in the source; fewer where they cannot be told. */
export function parameterNames(fn: (...args: never[]) => unknown): readonly string[] {
  const source = Function.prototype.toString.call(fn);
  const list = source.slice(source.indexOf('(') + 1);
  const names: string[] = [];
  let depth = 0;
  let name = '';
  for (const char of list) {
    if (depth === 0 && (char === ',' || char === ')')) {
      if (char === ',' || name.trim() !== '') names.push(/^\s*([\w$]+)/.exec(name)?.[1] ?? '');
      name = '';
      if (char === ')') break;
    } else {
      if ('([{'.includes(char)) depth++;
      if (')]}'.includes(char)) depth--;
      name += char;
    }
  }
  return names;
}
