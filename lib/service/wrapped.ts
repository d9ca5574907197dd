import { CacheOpsConfigError } from '../cacheops.errors.js';
import { argumentParts, type CallKeys, parameterNames } from './call-key.js';
import type { Duration } from '../options/parse.js';
import type { RefillOptions } from '../options/refill.js';
import type { ValueOptions } from './value-options.js';
import type { Dependency } from '../core/entity-dependency.js';

/** A list, or a function of the call's arguments that returns it. */
export type ByArguments<A extends unknown[], T> = readonly T[] | ((...args: A) => readonly T[]);

export interface WrapOptions<A extends unknown[]> extends RefillOptions {
  /**
   * The first part of the key, to which the arguments are added, or a function that makes the whole key of them.
   * Default: the function's name, which then may be wrapped only once.
   */
  readonly key?: string | ((...args: A) => string) | undefined;
  /** Default: the option `ttl`. */
  readonly ttl?: Duration | undefined;
  /** As in `ValueOptions`. */
  readonly timeout?: Duration | undefined;
  readonly deps?: ByArguments<A, Dependency> | undefined;
  readonly tags?: ByArguments<A, string> | undefined;
  /** As in `ValueOptions`. */
  readonly track?: ValueOptions['track'];
  /** As in `ValueOptions`. */
  readonly frozen?: boolean | undefined;
}

/** The stored result of one call. */
export interface WrappedEntry<R> {
  readonly key: string;
  /** @returns `undefined` when there is no fresh result */
  get(): Promise<R | undefined>;
  /** Stores a result as if the function had returned it. */
  set(value: R): Promise<void>;
  delete(): Promise<void>;
}

/** A function whose results are cached. */
export interface Wrapped<A extends unknown[], R> {
  (...args: A): Promise<R>;
  /** Forgets the result for these arguments. */
  invalidate(...args: A): Promise<void>;
  /** The entry of these arguments. */
  key(...args: A): WrappedEntry<R>;
}

/** Where the results go: the service, as far as a wrapped function needs it. */
export interface WrapTarget {
  getOrSet<T>(key: string, factory: () => Promise<T>, options: WrapCall): Promise<T>;
  get<T>(key: string): Promise<T | undefined>;
  set(key: string, value: unknown, options: WrapCall): Promise<void>;
  delete(key: string): Promise<void>;
}

interface WrapCall extends RefillOptions {
  readonly ttl?: Duration | undefined;
  readonly timeout?: Duration | undefined;
  readonly deps?: readonly Dependency[] | undefined;
  readonly tags?: readonly string[] | undefined;
  readonly frozen?: boolean | undefined;
}

/** @param key the whole key of a call */
export function wrapFunction<A extends unknown[], R>(
  fn: (...args: A) => R | Promise<R>,
  key: (...args: A) => string,
  options: WrapOptions<A>,
  target: WrapTarget,
): Wrapped<A, R> {
  const { key: _key, deps, tags, ...rest } = options;
  const isFixed = typeof deps !== 'function' && typeof tags !== 'function';
  const fixed: WrapCall | undefined = isFixed ? { ...rest, deps, tags } : undefined;
  const call = (args: A): WrapCall =>
    fixed ?? { ...rest, deps: byArguments(deps, args), tags: byArguments(tags, args) };
  const wrapped = function (this: unknown, ...args: A): Promise<R> {
    return target.getOrSet<R>(key(...args), async () => fn.apply(this, args), call(args));
  };
  return Object.assign(wrapped, {
    invalidate: (...args: A) => target.delete(key(...args)),
    key: (...args: A): WrappedEntry<R> => {
      const name = key(...args);
      return {
        key: name,
        get: () => target.get<R>(name),
        set: (value) => target.set(name, value, call(args)),
        delete: () => target.delete(name),
      };
    },
  });
}

function byArguments<A extends unknown[], T>(
  value: ByArguments<A, T> | undefined,
  args: A,
): readonly T[] | undefined {
  return typeof value === 'function' ? value(...args) : value;
}

/** Makes the keys of a wrapped function. */
export class WrapKeys {
  private readonly names = new Set<string>();

  constructor(private readonly keys: CallKeys) {}

  /** @throws CacheOpsConfigError when the function has no name of its own and no key is given */
  of<A extends unknown[]>(fn: (...args: A) => unknown, key: WrapOptions<A>['key']): (...args: A) => string {
    if (typeof key === 'function') return key;
    const name = key ?? this.nameOf(fn);
    const parameters = parameterNames(fn);
    return (...args) => this.keys.of(name, argumentParts(args, parameters));
  }

  /** Functions that share a name must not share results. */
  private nameOf({ name }: { name: string }): string {
    if (name !== '' && !this.names.has(name)) {
      this.names.add(name);
      return name;
    }
    const problem =
      name === '' ? 'the function has no name' : `another function named ${name} is wrapped already`;
    throw new CacheOpsConfigError('wrap.key', 'a key for the results', undefined, `Here ${problem}`);
  }
}
