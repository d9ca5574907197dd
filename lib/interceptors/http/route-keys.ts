import type { CallRequest } from '../../core/call-request.js';
import type { MethodRules } from '../../decorators/method-rules.js';
import type { MethodSite } from '../../discovery/method-binding.js';
import { routeFacts } from '../../discovery/routes.js';
import { argumentParts, type KeyPart, parameterNames } from '../../service/call-key.js';
import { routeOf } from '../../service/request-key.js';
import type { ResultKeys } from '../../service/result-keys.js';
import type { RouteCall } from './route-call.js';

const NO_PARTS: readonly KeyPart[] = [];

/** Makes the keys of the responses of one route: of method, path and query, or of what `@CacheKey` says. */
export class RouteKeys {
  private readonly isByHost: boolean;
  private readonly names: readonly string[];

  constructor(
    { target, name, handler }: MethodSite,
    private readonly rules: MethodRules,
    private readonly keys: ResultKeys,
  ) {
    this.isByHost = routeFacts(target, name, handler).isByHost;
    this.names = parameterNames(handler);
  }

  /** @returns `undefined` when the response must not be shared */
  of(call: RouteCall): string | undefined {
    return this.keys.of(call, () => this.parts(call));
  }

  /** @throws CacheOpsConfigError when the response must not be shared */
  shared(call: RouteCall): string {
    return this.keys.shared(this.of(call));
  }

  private parts(call: RouteCall): readonly KeyPart[] {
    const { request } = call;
    const { key, keyParameters } = this.rules;
    const host = this.isByHost ? [{ path: 'host', value: request.headers['host'] }] : NO_PARTS;
    if (keyParameters) {
      const method: KeyPart = { path: 'method', value: request.method };
      return [method, ...host, ...argumentParts(call.args, this.names, keyParameters)];
    }
    if (typeof key === 'string' && request.method === 'GET' && isBare(request)) return host;
    const route: KeyPart = { path: 'route', value: `${request.method} ${routeOf(request)}` };
    return host.length === 0 ? [route] : [...host, route];
  }
}

/** Neither route parameters nor a query. */
function isBare({ originalUrl, url, params }: CallRequest): boolean {
  return !(originalUrl ?? url).includes('?') && Object.keys(params ?? {}).length === 0;
}
