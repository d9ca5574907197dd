import type { Dependency } from '../core/entity-dependency.js';
import type { AnyArguments, AnyResult, CallContext } from './call-context.js';
import type { DependenciesByCall } from './cached-as.decorator.js';
import { defineRule } from './method-rules.js';

/**
 * On a cached method: what else makes its results stale. The second function may look at the result; it returns rows
 * of the entities that the first one names. May stand there several times.
 *
 * A result is stored only if no row of these entities was written while it was made: which of them matter is not known
 * before. So name entities that are seldom written, or dependencies by argument in `@CachedAs`.
 *
 * @example @InvalidateOn(() => User, (ctx) => dep(User, { id: ctx.result.ownerId }))
 * @throws CacheOpsConfigError when it does not stand on a method
 */
export function InvalidateOn<A extends readonly unknown[] = AnyArguments, R = AnyResult>(
  entities: (context: CallContext<A, R>) => Dependency | readonly Dependency[],
  rows?: DependenciesByCall<A, R>,
): MethodDecorator;
export function InvalidateOn(
  entities: (context: CallContext) => Dependency | readonly Dependency[],
  rows?: DependenciesByCall,
): MethodDecorator {
  return (target, name, descriptor) =>
    defineRule('InvalidateOn', target, name, descriptor, (rules) => ({
      ...rules,
      invalidateOn: [...(rules.invalidateOn ?? []), { entities, rows }],
    }));
}
