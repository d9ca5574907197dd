import type { Binding, RouteInterceptor } from './method-binding.js';

/** The prototype that stands between an instance and its class. */
const BASE = Symbol('cacheops.base');

const COMPANIONS = Symbol('cacheops.companions');

interface BoundPrototype {
  readonly [BASE]: object;
  readonly [COMPANIONS]: ReadonlyMap<string, (instance: object) => object>;
}

/** The prototype that the application wrote. */
export function basePrototype(instance: object): object | null {
  const prototype = Object.getPrototypeOf(instance) as object | null;
  return prototype && Object.hasOwn(prototype, BASE) ? (prototype as BoundPrototype)[BASE] : prototype;
}

/** What belongs to one bound method of an instance; `undefined` when it is not bound, or has nothing. */
export const companionOf = (instance: object, method: string): object | undefined =>
  (instance as Partial<BoundPrototype>)[COMPANIONS]?.get(method)?.(instance);

/**
 * A prototype with the bound methods in front of the class's own. It belongs to one application: the class itself, and
 * its instances elsewhere (another application, a unit test), stay as they are.
 * @param order all method names, where scanners of Nest must find them in the order of the class: routes match by it
 */
export function boundPrototype(
  base: object,
  bindings: ReadonlyMap<string, Binding>,
  order: readonly string[] = [...bindings.keys()],
): object {
  const companions = [...bindings].flatMap(([name, { companion }]) =>
    companion ? [[name, companion] as const] : [],
  );
  const prototype = Object.create(base, {
    [BASE]: { value: base },
    [COMPANIONS]: { value: new Map(companions) },
  }) as object;
  for (const name of order) {
    const binding = bindings.get(name);
    const original = (base as Record<string, (...args: unknown[]) => unknown>)[name] as (
      ...args: unknown[]
    ) => unknown;
    const value = binding ? boundMethod(name, original, binding) : original;
    Object.defineProperty(prototype, name, { value, writable: true, configurable: true, enumerable: false });
  }
  return prototype;
}

/** The metadata of the original are inherited: decorators that stand on it count for this one. */
function boundMethod(
  name: string,
  original: (...args: unknown[]) => unknown,
  { call, interceptor }: Binding,
): (...args: unknown[]) => unknown {
  const bound = call
    ? function (this: object, ...args: unknown[]): unknown {
        return call(this, args);
      }
    : function (this: object, ...args: unknown[]): unknown {
        return original.apply(this, args);
      };
  Object.setPrototypeOf(bound, original);
  Object.defineProperty(bound, 'name', { value: original.name || name, configurable: true });
  Object.defineProperty(bound, 'length', { value: original.length, configurable: true });
  if (interceptor) Object.defineProperty(bound, INTERCEPTOR, { value: interceptor });
  return bound;
}

const INTERCEPTOR = Symbol('cacheops.interceptor');

/** What runs around a route; `undefined` when nothing does. */
export const interceptorOf = (handler: object): RouteInterceptor | undefined =>
  (handler as { [INTERCEPTOR]?: RouteInterceptor })[INTERCEPTOR];
