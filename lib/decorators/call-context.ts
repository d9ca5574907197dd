import type { ExecutionContext } from '@nestjs/common';
import type { CallRequest } from '../core/call-request.js';

/**
 * The arguments of a method that TypeScript does not know where its decorator is written: usable as anything. A tuple,
 * because an element of a list may be `undefined` under `noUncheckedIndexedAccess`.
 */
export type AnyArguments = readonly [never, never, never, never, never, never, ...never[]];

/** The result of such a method: its properties are usable as anything. */
export type AnyResult = Readonly<Record<string, never>>;

/**
 * One call of a decorated method, as the functions given to decorators see it. For a controller's route it is also
 * Nest's `ExecutionContext` of the request; elsewhere that part is made of the method and its arguments.
 *
 * TypeScript cannot know the decorated method, so `args` and `result` are loosely typed unless you say more:
 * `@CachedAs((ctx: CallContext<[id: number]>) => dep(Article, { id: ctx.args[0] }))`.
 */
export interface CallContext<
  A extends readonly unknown[] = AnyArguments,
  R = AnyResult,
> extends ExecutionContext {
  /** The arguments of the method. On a route they are taken from the request, before the pipes. */
  readonly args: A;
  /** The object whose method is called. On a route the controller, of which a request-scoped one has no instance yet. */
  readonly instance: object;
  /**
   * On a route the request of the HTTP platform; otherwise a request among the arguments, if there is one, or in a
   * context (`req`, `request`).
   */
  readonly request: CallRequest | undefined;
  /** What the method returned (an Observable: what it emitted last), where the call is over; otherwise `undefined`. */
  readonly result: R;
}

/** A value, or a function of the call that returns it. */
export type ByCall<T, A extends readonly unknown[], R> = T | ((context: CallContext<A, R>) => T);
