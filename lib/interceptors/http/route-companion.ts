import { CacheOpsConfigError } from '../../cacheops.errors.js';
import type { CallRequest } from '../../core/call-request.js';
import type { MethodRules } from '../../decorators/method-rules.js';
import { MethodCall } from '../../service/method-call.js';
import type { CallPlan } from '../../service/call-plan.js';
import type { CachedResponses } from '../../service/cached-responses.js';
import type { Values } from '../../service/values.js';
import { RouteArguments } from './route-arguments.js';
import { RouteCall } from './route-call.js';
import type { RouteKeys } from './route-keys.js';

/** The stored responses of one route, for `CacheOpsService.forRoute`. */
export class RouteCompanion implements CachedResponses {
  readonly route: string;
  private readonly arguments: RouteArguments;

  constructor(
    private readonly plan: CallPlan,
    private readonly rules: MethodRules,
    private readonly keys: RouteKeys,
    private readonly values: Values,
  ) {
    this.route = plan.site.label;
    this.arguments = new RouteArguments(plan.site);
  }

  key(target: string | CallRequest): string {
    const request = typeof target === 'string' ? this.requestOf(target) : target;
    const { site } = this.plan;
    const context = new MethodCall(site, (site.owner as { instance: object }).instance, [request]);
    return this.keys.shared(new RouteCall(context, context.request as CallRequest, site, this.arguments));
  }

  invalidate(target: string | CallRequest): Promise<void> {
    return this.values.delete(this.key(target));
  }

  /** An address tells the route, and nothing of what decides beside it. */
  private requestOf(address: string): CallRequest {
    const { key, keyParameters } = this.rules;
    const { where, vary, options } = this.plan;
    if (typeof key === 'function' || keyParameters || vary.isByRequest || vary.isPersonal || options.extra) {
      throw new CacheOpsConfigError(
        where,
        'a request, because the key is made of more than the address',
        address,
      );
    }
    const { pathname, search, host } = new URL(address, 'http://localhost');
    return { method: 'GET', url: `${pathname}${search}`, headers: { host } };
  }
}
