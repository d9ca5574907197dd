import type { ContextType, ExecutionContext, Type } from '@nestjs/common';
import type { CallRequest } from '../../core/call-request.js';
import type { AnyArguments, AnyResult, CallContext } from '../../decorators/call-context.js';
import type { MethodSite } from '../../discovery/method-binding.js';
import type { RouteArguments } from './route-arguments.js';

/** A request to a cached route. */
export class RouteCall implements CallContext {
  readonly result: AnyResult;
  private taken: AnyArguments | undefined;

  constructor(
    private readonly context: ExecutionContext,
    readonly request: CallRequest,
    private readonly site: MethodSite,
    private readonly routeArguments: RouteArguments,
    result?: unknown,
  ) {
    this.result = result as AnyResult;
  }

  get args(): AnyArguments {
    return (this.taken ??= this.routeArguments.of(this.context));
  }

  get instance(): object {
    return (this.site.owner as { instance: object }).instance;
  }

  /** The same request when it has been answered. */
  over(result: unknown): RouteCall {
    return new RouteCall(this.context, this.request, this.site, this.routeArguments, result);
  }

  getClass<T = unknown>(): Type<T> {
    return this.site.target as Type<T>;
  }

  getHandler(): (...args: unknown[]) => unknown {
    return this.site.handler;
  }

  getArgs<T extends unknown[]>(): T {
    return this.context.getArgs<T>();
  }

  getArgByIndex<T>(index: number): T {
    return this.context.getArgByIndex<T>(index);
  }

  getType<T extends string>(): T {
    return this.context.getType<T & ContextType>();
  }

  switchToHttp() {
    return this.context.switchToHttp();
  }

  switchToRpc() {
    return this.context.switchToRpc();
  }

  switchToWs() {
    return this.context.switchToWs();
  }
}
