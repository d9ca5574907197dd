import type { CallHandler, ExecutionContext, Type } from '@nestjs/common';
import type { Observable } from 'rxjs';

/** Where in the application a method is. */
export interface MethodSite {
  /** `ArticlesModule/ArticlesService.top`: the same in every process and after every deployment. */
  readonly label: string;
  /** Tells apart what has the same label. */
  readonly owner: object;
  /** Name of the method. */
  readonly name: string;
  readonly target: Type;
  /** Prototype on which the method is declared. */
  readonly declaredOn: object;
  /** Of a controller, whose methods may be routes. */
  readonly isController: boolean;
  /** Whether callers have instances of their own, which know more than the arguments say; known in a `check`. */
  readonly isScoped: () => boolean;
  /** What the application wrote, as it is at the moment of the call. */
  readonly original: (instance: object, args: unknown[]) => unknown;
  /** The function as it was written, which Nest's metadata stand on. */
  readonly handler: (...args: unknown[]) => unknown;
}

/** Runs around a route: inside its guards, outside all else. */
export interface RouteInterceptor {
  /** @param isFirst no interceptor of the application stands outside this one */
  intercept(
    context: ExecutionContext,
    next: CallHandler,
    isFirst: boolean,
  ): Observable<unknown> | Promise<Observable<unknown>>;
}

/** What is put in place of a method. */
export interface Binding {
  /** Called instead of the method. */
  readonly call?: ((instance: object, args: unknown[]) => unknown) | undefined;
  readonly interceptor?: RouteInterceptor | undefined;
  /** What `CacheOpsService.for` hands out. */
  readonly companion?: ((instance: object) => object) | undefined;
  /** Called once all providers are there. */
  readonly check?: (() => void) | undefined;
}

/** Acts upon what decorators say about methods. */
export interface MethodBinder {
  /**
   * Whether a method is decorated.
   * @param declaredOn prototype that has it as its own
   * @param target class whose instances have it
   */
  concerns(declaredOn: object, name: string, target: Type): boolean;
  /** @throws CacheOpsConfigError when what stands on the class of a provider may only stand on a controller */
  checkProvider?(target: Type, label: string): void;
  /**
   * @param inner what is called so far: the method, or what another binder has made of it
   * @throws CacheOpsConfigError when the decorators contradict each other or the place they stand on
   */
  bind(site: MethodSite, inner: (instance: object, args: unknown[]) => unknown): Binding;
}
