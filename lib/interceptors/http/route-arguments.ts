import type { ExecutionContext } from '@nestjs/common';
import type { AnyArguments } from '../../decorators/call-context.js';
import type { MethodSite } from '../../discovery/method-binding.js';
import { type RouteParameter, routeParameters } from '../../discovery/routes.js';

type Request = Readonly<Record<string, unknown>>;

/** Properties of a request by Nest's `RouteParamtypes`. */
const PROPERTIES: Readonly<Record<number, string>> = {
  3: 'body',
  4: 'query',
  5: 'params',
  6: 'headers',
  7: 'session',
  10: 'hosts',
  11: 'ip',
  14: 'cookies',
  15: 'signedCookies',
};
const REQUEST = 0;
const HEADERS = 6;

/** Takes the arguments of a handler from the request, as they are before the pipes. */
export class RouteArguments {
  private readonly parameters: readonly RouteParameter[];

  constructor({ target, name }: MethodSite) {
    this.parameters = routeParameters(target, name);
  }

  of(context: ExecutionContext): AnyArguments {
    const args: unknown[] = [];
    for (const parameter of this.parameters) args[parameter.index] = argument(parameter, context);
    return args as unknown as AnyArguments;
  }
}

function argument({ kind, data, factory }: RouteParameter, context: ExecutionContext): unknown {
  if (kind === undefined) return factory?.(data, context);
  const request = context.switchToHttp().getRequest<Request>();
  if (kind === REQUEST) return request;
  const whole = request[PROPERTIES[kind] ?? ''];
  if (typeof data !== 'string' || data === '') return whole;
  const name = kind === HEADERS ? data.toLowerCase() : data;
  return (whole as Request | null | undefined)?.[name];
}
