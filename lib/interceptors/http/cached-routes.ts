import type { Type } from '@nestjs/common';
import { CacheOpsConfigError } from '../../cacheops.errors.js';
import { classRule } from '../../decorators/method-rules.js';
import type { Binding, MethodBinder, MethodSite } from '../../discovery/method-binding.js';
import { isReadingRoute, isRoute } from '../../discovery/routes.js';
import { assertConsistent, assertVaries } from '../../service/cached-methods.js';
import { CallPlan } from '../../service/call-plan.js';
import type { ResultNames } from '../../service/result-names.js';
import { isRouteSite, rulesAt, type RuledSite } from '../../service/site-rules.js';
import { CachedRoute } from './cached-route.js';
import type { CachedRouteServices } from './cached-route.services.js';
import { RouteCompanion } from './route-companion.js';
import { RouteKeys } from './route-keys.js';
import { ResponseCodec } from './stored-response.js';

/** Binds routes with `@CachedAs` or `@Cached`. */
export class CachedRoutes implements MethodBinder {
  /** Whether there are any. */
  found = false;
  private readonly codec: ResponseCodec;

  constructor(
    private readonly services: CachedRouteServices,
    private readonly names: ResultNames,
  ) {
    this.codec = new ResponseCodec(services.serializer);
  }

  concerns(declaredOn: object, name: string, target: Type): boolean {
    const handler = (declaredOn as Record<string, RuledSite['handler']>)[name] as RuledSite['handler'];
    return isRoute(handler) && rulesAt({ declaredOn, name, target, handler }).cached !== undefined;
  }

  checkProvider(target: Type, label: string): void {
    const rule = classRule(target);
    if (!rule) return;
    throw new CacheOpsConfigError(
      `@${rule.decorator} on ${label}`,
      'a controller, or a method',
      target,
      'Put it on the methods of the provider whose results are to be kept',
    );
  }

  bind(site: MethodSite): Binding {
    if (!isRouteSite(site)) return {};
    const rules = rulesAt(site);
    assertConsistent(site, rules);
    const plan = new CallPlan(site, rules, this.services);
    assertReads(site, plan.where);
    const keys = this.names.keysOf(plan, rules.key);
    const check = (): void => assertVaries(plan, rules);
    if (!this.services.enabled) return { check };
    this.found = true;
    const routeKeys = new RouteKeys(site, rules, keys);
    const companion = new RouteCompanion(plan, rules, routeKeys, this.services.values);
    const interceptor = new CachedRoute(plan, routeKeys, this.codec, this.services);
    return { interceptor, companion: () => companion, check };
  }
}

function assertReads({ handler }: MethodSite, where: string): void {
  if (isReadingRoute(handler)) return;
  throw new CacheOpsConfigError(
    where,
    'a route that answers GET or HEAD with one response',
    undefined,
    'What changes something may say @Invalidates(...) instead',
  );
}
