import 'reflect-metadata';
import { CacheOpsConfigError } from '../cacheops.errors.js';
import type { Dependency } from '../core/entity-dependency.js';
import type { AnyArguments, AnyResult, CallContext } from './call-context.js';
import type { CachedAsOptions } from './cached-as.options.js';

/** Any function that decorators are given: it is called with the context of a call. */
export type CallFunction<T> = (context: CallContext<AnyArguments, AnyResult>) => T;

/** What dependencies are given as: a function, so that entities that import each other need not be there yet. */
export type DependenciesOf = CallFunction<Dependency | readonly Dependency[] | undefined>;

export interface CachedRule {
  /** The decorator as it was written, for messages. */
  readonly decorator: 'CachedAs' | 'Cached';
  readonly deps: DependenciesOf | undefined;
  readonly options: CachedAsOptions;
}

export interface InvalidateOnRule {
  /** Entities whose rows may matter. */
  readonly entities: CallFunction<Dependency | readonly Dependency[]>;
  /** Which of their rows do; `undefined`: all. */
  readonly rows: DependenciesOf | undefined;
}

/** Everything that decorators of this package say about one method. */
export interface MethodRules {
  readonly cached?: CachedRule;
  /** A text names the results, a function makes the whole key. */
  readonly key?: string | CallFunction<string>;
  /** The parameters that the key is made of; all when left out. */
  readonly keyParameters?: readonly number[];
  readonly invalidateOn?: readonly InvalidateOnRule[];
  readonly invalidates?: readonly DependenciesOf[];
  readonly noCache?: true;
  readonly noInvalidation?: true;
}

const RULES = Symbol.for('nestjs-cacheops.method-rules');

/**
 * Adds to what is said about a method. It is written beside the method, not onto the function: other decorators may
 * put another function in its place.
 * @throws CacheOpsConfigError when the decorator does not stand on a method of instances, or stands there twice
 */
export function defineRule(
  decorator: string,
  target: object,
  name: string | symbol | undefined,
  descriptor: PropertyDescriptor | undefined,
  add: (rules: MethodRules) => MethodRules,
): void {
  const method = checkedMethod(decorator, target, name, descriptor);
  Reflect.defineMetadata(RULES, add(ownRules(target, method) ?? {}), target, method);
}

/** What is said about a method of exactly this prototype. */
export function ownRules(prototype: object, name: string): MethodRules | undefined {
  return Reflect.getOwnMetadata(RULES, prototype, name) as MethodRules | undefined;
}

const CLASS_RULE = Symbol.for('nestjs-cacheops.class-rule');

/**
 * Says how the routes of a controller are cached that say nothing themselves.
 * @throws CacheOpsConfigError when that has been said already
 */
export function defineClassRule(target: object, rule: CachedRule): void {
  if (Reflect.hasOwnMetadata(CLASS_RULE, target))
    throw new CacheOpsConfigError(`@${rule.decorator}`, 'to stand on a class once', 'a second one');
  Reflect.defineMetadata(CLASS_RULE, rule, target);
}

/** What is said about a class, or a class that it extends. */
export const classRule = (target: object): CachedRule | undefined =>
  Reflect.getMetadata(CLASS_RULE, target) as CachedRule | undefined;

/** Refuses a second decorator of a kind. */
export function once<K extends keyof MethodRules>(
  decorator: string,
  rules: MethodRules,
  key: K,
  value: NonNullable<MethodRules[K]>,
): MethodRules {
  if (rules[key] === undefined) return { ...rules, [key]: value };
  throw new CacheOpsConfigError(`@${decorator}`, 'to stand on a method once', 'a second one');
}

function checkedMethod(
  decorator: string,
  target: object,
  name: string | symbol | undefined,
  descriptor: PropertyDescriptor | undefined,
): string {
  const expected = 'to stand on a method of a class';
  const given = (what: string): CacheOpsConfigError =>
    new CacheOpsConfigError(`@${decorator}`, expected, undefined, `It stands on ${what}`);
  if (name === undefined) throw given('a class or the parameter of a constructor');
  const place = `${className(target)}.${String(name)}`;
  if (typeof target === 'function') throw given(`${place}, which is static: no instance of Nest has it`);
  if (typeof name === 'symbol') throw given(`${place}, which is named by a symbol`);
  if (descriptor?.get || descriptor?.set) throw given(`${place}, which is an accessor`);
  if (typeof descriptor?.value !== 'function') throw given(`${place}, which is a property`);
  return name;
}

const className = (target: object): string =>
  typeof target === 'function' ? target.name : target.constructor.name;
