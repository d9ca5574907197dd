import { CacheOpsConfigError } from '../cacheops.errors.js';
import type { AnyArguments, AnyResult, CallContext } from './call-context.js';
import { defineRule, once, type CallFunction } from './method-rules.js';

/**
 * The key of a cached method. On the method, a text takes the place of its name: the arguments stay part of the key,
 * and where there are none (on a route: neither parameters nor query) the text is the whole key. A function makes the
 * whole key. On parameters: the key is made of these, and no others.
 *
 * @example @CacheKey('top') @CachedAs(...) top() {}
 * @example @CacheKey((ctx) => `user:${ctx.args[0]}`) @CachedAs(...) user(id: number) {}
 * @example @CachedAs(...) orders(@CacheKey() shopId: string, log: Logger) {}
 * @throws CacheOpsConfigError when it stands on anything else
 */
export function CacheKey<A extends readonly unknown[] = AnyArguments, R = AnyResult>(
  key: string | ((context: CallContext<A, R>) => string),
): MethodDecorator;
export function CacheKey(): ParameterDecorator;
export function CacheKey(key?: string | CallFunction<string>): MethodDecorator & ParameterDecorator {
  if (key !== undefined && key !== '' && typeof key !== 'string' && typeof key !== 'function')
    throw new CacheOpsConfigError('@CacheKey', 'a text or a function that returns one', key);
  if (key === '') throw new CacheOpsConfigError('@CacheKey', 'a text that is not empty', key);
  return (target: object, name: string | symbol | undefined, third?: unknown) => {
    if (typeof third === 'number') return addParameter(target, name, third);
    defineRule('CacheKey', target, name, third as PropertyDescriptor, (rules) => {
      if (key !== undefined) return once('CacheKey', rules, 'key', key);
      throw new CacheOpsConfigError('@CacheKey', 'a text or a function on a method', key);
    });
  };
}

function addParameter(target: object, name: string | symbol | undefined, index: number): void {
  const descriptor = name === undefined ? undefined : Object.getOwnPropertyDescriptor(target, name);
  defineRule('CacheKey', target, name, descriptor, (rules) => ({
    ...rules,
    keyParameters: [...(rules.keyParameters ?? []), index].sort((a, b) => a - b),
  }));
}
