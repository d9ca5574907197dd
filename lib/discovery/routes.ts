import 'reflect-metadata';
import { RequestMethod, type Type } from '@nestjs/common';

/** Nest's metadata of a handler. */
const PATH = 'path';
const METHOD = 'method';
const SSE = '__sse__';
const REDIRECT = '__redirect__';
const RENDER = '__renderTemplate__';
const HOST = 'host';
const PASSTHROUGH = '__responsePassthrough__';

/** Methods of routes that may be asked without changing anything; `ALL` answers them among others. */
const READING: ReadonlySet<unknown> = new Set([RequestMethod.GET, RequestMethod.HEAD, RequestMethod.ALL]);

export const isRoute = (handler: object): boolean =>
  Reflect.hasMetadata(PATH, handler) && Reflect.hasMetadata(METHOD, handler);

/** Whether a route answers GET or HEAD with one response; events sent by the server are many. */
export const isReadingRoute = (handler: object): boolean =>
  isRoute(handler) && READING.has(Reflect.getMetadata(METHOD, handler)) && !Reflect.hasMetadata(SSE, handler);

/** What Nest does with the result of a route. */
export interface RouteFacts {
  /** Redirects or renders with it, and does not send it. */
  readonly isIngredient: boolean;
  /** Answers by the host name too. */
  readonly isByHost: boolean;
  /** Nothing: the handler has `@Res()` or `@Next()`, and sends the response itself. */
  readonly isSentByHandler: boolean;
}

export function routeFacts(target: Type, name: string, handler: object): RouteFacts {
  const kinds = routeParameters(target, name).map(({ kind }) => kind);
  const passthrough: unknown = Reflect.getMetadata(PASSTHROUGH, target, name);
  return {
    isIngredient: Reflect.hasMetadata(REDIRECT, handler) || Reflect.hasMetadata(RENDER, handler),
    isByHost: Reflect.getMetadata(HOST, target) !== undefined,
    isSentByHandler: passthrough !== true && kinds.some((kind) => kind === RESPONSE || kind === NEXT),
  };
}

const ARGUMENTS = '__routeArguments__';
const CUSTOM = '__customRouteArgs__';

export const RESPONSE = 1;
export const NEXT = 2;

/** A parameter of a route and where its argument comes from. */
export interface RouteParameter {
  readonly index: number;
  /** Number of Nest's `RouteParamtypes`; `undefined` for a decorator of the application's own. */
  readonly kind: number | undefined;
  /** What the decorator was given: the name of a route parameter, say. */
  readonly data: unknown;
  /** Of a decorator of the application's own. */
  readonly factory: ((data: unknown, context: object) => unknown) | undefined;
}

type Metadata = Record<string, Omit<RouteParameter, 'kind'>>;

export function routeParameters(target: Type, name: string): readonly RouteParameter[] {
  const metadata = (Reflect.getMetadata(ARGUMENTS, target, name) ?? {}) as Metadata;
  return Object.entries(metadata).map(([key, { index, data, factory }]) => {
    const kind = key.includes(CUSTOM) ? undefined : Number(key.slice(0, key.indexOf(':')));
    return { index, kind, data, factory };
  });
}
