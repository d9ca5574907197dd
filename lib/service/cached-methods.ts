import { CacheOpsConfigError } from '../cacheops.errors.js';
import { type MethodRules, ownRules } from '../decorators/method-rules.js';
import type { Binding, MethodBinder, MethodSite } from '../discovery/method-binding.js';
import { BoundMethod, type CachedMethodServices } from './bound-method.js';
import { CallPlan } from './call-plan.js';
import type { ResultNames } from './result-names.js';
import { isRouteSite, rulesAt } from './site-rules.js';

type Inner = (instance: object, args: unknown[]) => unknown;

/** Binds methods with `@CachedAs` or `@Cached`. */
export class CachedMethods implements MethodBinder {
  constructor(
    private readonly services: CachedMethodServices,
    private readonly names: ResultNames,
  ) {}

  concerns(prototype: object, name: string): boolean {
    const rules = ownRules(prototype, name);
    return (
      rules !== undefined &&
      (rules.cached ?? rules.key ?? rules.keyParameters ?? rules.invalidateOn) !== undefined
    );
  }

  bind(site: MethodSite, inner: Inner): Binding {
    if (isRouteSite(site)) return {};
    const rules = rulesAt(site);
    assertConsistent(site, rules);
    const plan = new CallPlan(site, rules, this.services);
    const keys = this.names.keysOf(plan, rules.key);
    const method = new BoundMethod(plan, rules, inner, keys, this.services);
    return {
      call: (instance, args) => method.call(instance, args),
      companion: (instance) => method.companion(instance),
      check: () => assertVaries(plan, rules),
    };
  }
}

/** What contradicts itself is refused, wherever the method stands. */
export function assertConsistent(site: MethodSite, rules: MethodRules): void {
  const { cached, key, keyParameters, invalidateOn, invalidates, noCache } = rules;
  const refuse = (option: string, expected: string): never => {
    throw new CacheOpsConfigError(`@${option} on ${site.label}`, expected, undefined);
  };
  if (!cached && (key ?? keyParameters)) refuse('CacheKey', '@CachedAs or @Cached beside it');
  if (!cached && invalidateOn) refuse('InvalidateOn', '@CachedAs or @Cached beside it');
  if (cached && noCache) refuse('NoCache', 'no caching of the same method');
  if (cached && invalidates) refuse('Invalidates', 'no caching of the same method');
  if (key !== undefined && typeof key === 'function' && keyParameters) {
    refuse('CacheKey', 'a function or parameters, not both');
  }
}

/** An instance that belongs to a request may know whose it is, and arguments do not say it. */
export function assertVaries({ site, vary, where }: CallPlan, { key }: MethodRules): void {
  if (!site.isScoped() || vary.isDeclared || typeof key === 'function') return;
  throw new CacheOpsConfigError(
    `${where}: vary`,
    'what the results vary by, because the provider is not a singleton',
    undefined,
    'Say `vary: []` if its instances give all callers the same results, or vary: (ctx) => ... from ctx.instance',
  );
}
