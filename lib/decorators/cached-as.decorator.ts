import { CacheOpsConfigError } from '../cacheops.errors.js';
import type { Dependency } from '../core/entity-dependency.js';
import type { AnyArguments, AnyResult, CallContext } from './call-context.js';
import type { CachedAsOptions, CachedOptions } from './cached-as.options.js';
import { type CachedRule, defineClassRule, defineRule, once } from './method-rules.js';

/** Dependencies, as a function of the call: entities that import each other may not be there yet. */
export type DependenciesByCall<A extends readonly unknown[] = AnyArguments, R = AnyResult> = (
  context: CallContext<A, R>,
) => Dependency | readonly Dependency[] | undefined;

/**
 * Caches the results of a method by its arguments, until one of their dependencies changes: those that are named, and
 * those of the queries that run inside (unless `track: false`). Without names it is exact by those queries alone.
 *
 * On providers, resolvers and handlers of messages the result is cached and calls return a Promise (or an Observable,
 * where the method does). On a GET or HEAD route the response is cached: guards run, and what else belongs to the route
 * runs when there is none. On a controller it means all its GET and HEAD routes that say nothing themselves. It only
 * leaves a note: `CacheOpsModule` acts upon it, and without the module the method just runs.
 *
 * @example @CachedAs(() => [Article, Tag], { ttl: '2m' })
 * @example @CachedAs((ctx) => dep(Article, { categoryId: ctx.args[0] }))
 * @throws CacheOpsConfigError when it does not stand on a method; when the application starts, if an option is bad
 */
export function CachedAs<A extends readonly unknown[] = AnyArguments, R = AnyResult>(
  dependencies?: DependenciesByCall<A, R>,
  options?: CachedAsOptions<A, R>,
): ClassDecorator & MethodDecorator;
export function CachedAs<A extends readonly unknown[] = AnyArguments, R = AnyResult>(
  options: CachedAsOptions<A, R>,
): ClassDecorator & MethodDecorator;
export function CachedAs(
  first?: DependenciesByCall | CachedAsOptions,
  second?: CachedAsOptions,
): ClassDecorator & MethodDecorator {
  const isFunction = typeof first === 'function';
  if (isFunction && /^class\b/.test(Function.prototype.toString.call(first))) {
    throw new CacheOpsConfigError('@CachedAs', `a function that returns it: () => ${first.name}`, first);
  }
  const options = (isFunction ? second : (second ?? first)) ?? {};
  return cached({ decorator: 'CachedAs', deps: isFunction ? first : undefined, options });
}

/**
 * Caches the results of a method by its arguments, for a time. Nothing but time and `invalidate` by tag ends them.
 * @example @Cached({ ttl: '10m' })
 * @throws as `CachedAs`
 */
export function Cached<A extends readonly unknown[] = AnyArguments, R = AnyResult>(
  options?: CachedOptions<A, R>,
): ClassDecorator & MethodDecorator;
export function Cached(options: CachedOptions = {}): ClassDecorator & MethodDecorator {
  return cached({ decorator: 'Cached', deps: undefined, options: { ...options, track: false } });
}

function cached(rule: CachedRule): ClassDecorator & MethodDecorator {
  return (target: object, name?: string | symbol, descriptor?: PropertyDescriptor) => {
    if (name === undefined && descriptor === undefined) return defineClassRule(target, rule);
    defineRule(rule.decorator, target, name, descriptor, (rules) =>
      once(rule.decorator, rules, 'cached', rule),
    );
  };
}
