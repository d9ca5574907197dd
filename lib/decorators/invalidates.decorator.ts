import type { AnyArguments, AnyResult } from './call-context.js';
import type { DependenciesByCall } from './cached-as.decorator.js';
import { defineRule, once } from './method-rules.js';

/**
 * On a method that changes something which the cache cannot see: what that makes stale. It happens when the method has
 * succeeded, and if it was called inside a transaction, with the commit of that. May stand there several times.
 *
 * @example @Invalidates((ctx) => [dep(Order, { id: ctx.args[0] }), 'shop:1'])
 * @throws CacheOpsConfigError when it does not stand on a method
 */
export function Invalidates<A extends readonly unknown[] = AnyArguments, R = AnyResult>(
  dependencies: DependenciesByCall<A, R>,
): MethodDecorator;
export function Invalidates(dependencies: DependenciesByCall): MethodDecorator {
  return (target, name, descriptor) =>
    defineRule('Invalidates', target, name, descriptor, (rules) => ({
      ...rules,
      invalidates: [...(rules.invalidates ?? []), dependencies],
    }));
}

/**
 * The method reads from the source, whatever it calls, and stores nothing: `withoutCache` around it.
 * @throws CacheOpsConfigError when it does not stand on a method
 */
export function NoCache(): MethodDecorator {
  return (target, name, descriptor) =>
    defineRule('NoCache', target, name, descriptor, (rules) => once('NoCache', rules, 'noCache', true));
}

/**
 * What the method writes makes nothing stale: `withoutInvalidation` around it.
 * @throws CacheOpsConfigError when it does not stand on a method
 */
export function NoInvalidation(): MethodDecorator {
  return (target, name, descriptor) =>
    defineRule('NoInvalidation', target, name, descriptor, (rules) =>
      once('NoInvalidation', rules, 'noInvalidation', true),
    );
}
