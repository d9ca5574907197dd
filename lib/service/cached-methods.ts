import { CacheOpsConfigError } from '../cacheops.errors.js';
import { type MethodRules, ownRules } from '../decorators/method-rules.js';
import type { Binding, MethodBinder, MethodSite } from '../discovery/method-binding.js';
import { BoundMethod, type CachedMethodServices } from './bound-method.js';
import { CallKeys } from './call-key.js';
import { CallPlan } from './call-plan.js';

type Inner = (instance: object, args: unknown[]) => unknown;

/** Binds methods with `@CachedAs` or `@Cached`. */
export class CachedMethods implements MethodBinder {
  private readonly keys: CallKeys;
  private readonly owners = new Map<string, object>();

  constructor(private readonly services: CachedMethodServices) {
    this.keys = new CallKeys(services.model);
  }

  concerns(prototype: object, name: string): boolean {
    const rules = ownRules(prototype, name);
    return (
      rules !== undefined &&
      (rules.cached ?? rules.key ?? rules.keyParameters ?? rules.invalidateOn) !== undefined
    );
  }

  bind(site: MethodSite, inner: Inner): Binding {
    const rules = ownRules(site.declaredOn, site.name) as MethodRules;
    assertConsistent(site, rules);
    refuseRoute(site);
    const plan = new CallPlan(site, rules, this.services);
    this.claim(site, rules.key);
    const method = new BoundMethod(plan, rules, inner, this.keys, this.services);
    return {
      call: (instance, args) => method.call(instance, args),
      companion: (instance) => method.companion(instance),
      check: () => assertVaries(plan, rules),
    };
  }

  /** Results of different methods must be told apart. */
  private claim(site: MethodSite, key: MethodRules['key']): void {
    if (typeof key === 'function') return;
    const name = key ?? site.label;
    const owner = this.owners.get(name);
    if (owner === undefined || owner === site.owner) return void this.owners.set(name, site.owner);
    throw new CacheOpsConfigError(
      `@CachedAs on ${site.label}`,
      'a key of its own',
      name,
      'Another method has it. Give them names with @CacheKey("..."), or their providers different tokens',
    );
  }
}

/** What a response may be shared for is not known of a handler's result, so one that is cached would leak. */
function refuseRoute({ label, isController, handler }: MethodSite): void {
  if (!isController || !Reflect.hasMetadata('path', handler)) return;
  throw new CacheOpsConfigError(
    `@CachedAs on ${label}`,
    'a method of a provider',
    'the route of a controller',
    'Put it on the method of the provider that the route calls',
  );
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
function assertVaries({ site, vary, where }: CallPlan, { key }: MethodRules): void {
  if (!site.isScoped() || vary.isDeclared || typeof key === 'function') return;
  throw new CacheOpsConfigError(
    `${where}: vary`,
    'what the results vary by, because the provider is not a singleton',
    undefined,
    'Say `vary: []` if its instances give all callers the same results, or vary: (ctx) => ... from ctx.instance',
  );
}
