import { classRule, type MethodRules, ownRules } from '../decorators/method-rules.js';
import type { MethodSite } from '../discovery/method-binding.js';
import { isReadingRoute, isRoute } from '../discovery/routes.js';

/** Everything that is said about a method, by itself or, of a route, by its controller. */
export function rulesAt({ declaredOn, name, target, handler }: RuledSite): MethodRules {
  const own = ownRules(declaredOn, name) ?? {};
  if (own.cached ?? own.noCache ?? own.invalidates) return own;
  const cached = isReadingRoute(handler) ? classRule(target) : undefined;
  return cached ? { ...own, cached } : own;
}

export type RuledSite = Pick<MethodSite, 'declaredOn' | 'name' | 'target' | 'handler'>;

/** Whether a response is cached there, and not a result. */
export const isRouteSite = ({ isController, handler }: MethodSite): boolean =>
  isController && isRoute(handler);
