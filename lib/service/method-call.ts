import type { Type } from '@nestjs/common';
import type { CallRequest } from '../core/call-request.js';
import type { AnyArguments, AnyResult, CallContext } from '../decorators/call-context.js';
import type { MethodSite } from '../discovery/method-binding.js';

/** A call of a method, outside the request of a route. Its `ExecutionContext` is made of the arguments. */
export class MethodCall implements CallContext {
  readonly args: AnyArguments;
  readonly result: AnyResult;

  constructor(
    private readonly site: MethodSite,
    readonly instance: object,
    args: readonly unknown[],
    result?: unknown,
  ) {
    this.args = args as AnyArguments;
    this.result = result as AnyResult;
  }

  get request(): CallRequest | undefined {
    for (const each of this.args as readonly unknown[]) {
      const found = requestIn(each);
      if (found) return found;
    }
    return undefined;
  }

  /** The same call when it is over. */
  over(result: unknown): MethodCall {
    return new MethodCall(this.site, this.instance, this.args, result);
  }

  getClass<T = unknown>(): Type<T> {
    return this.site.target as Type<T>;
  }

  getHandler(): (...args: unknown[]) => unknown {
    return this.site.handler;
  }

  getArgs<T extends unknown[]>(): T {
    return [...this.args] as unknown[] as T;
  }

  getArgByIndex<T>(index: number): T {
    return this.args[index] as T;
  }

  getType<T extends string>(): T {
    return 'method' as T;
  }

  switchToHttp() {
    return {
      getRequest: <T>() => this.request as T,
      getResponse: <T>() => this.at<T>(1),
      getNext: <T>() => this.at<T>(2),
    };
  }

  switchToRpc() {
    return { getData: <T>() => this.at<T>(0), getContext: <T>() => this.at<T>(1) };
  }

  switchToWs() {
    return {
      getClient: <T>() => this.at<T>(0),
      getData: <T>() => this.at<T>(1),
      getPattern: () => String(this.args.at(-1)),
    };
  }

  private at<T>(index: number): T {
    return this.args[index] as T;
  }
}

/** A value that is a request, or that carries one as the contexts of GraphQL do. */
function requestIn(value: unknown): CallRequest | undefined {
  if (isRequest(value)) return value;
  if (typeof value !== 'object' || value === null) return undefined;
  const { req, request } = value as Partial<Record<'req' | 'request', unknown>>;
  return [req, request].find(isRequest);
}

/** A request of Express, Fastify or Node itself. */
export function isRequest(value: unknown): value is CallRequest {
  const { method, url, headers } = (typeof value === 'object' && value !== null ? value : {}) as Partial<
    Record<keyof CallRequest, unknown>
  >;
  return (
    typeof method === 'string' && typeof url === 'string' && typeof headers === 'object' && headers !== null
  );
}
