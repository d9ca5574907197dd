import 'reflect-metadata';
import { from, isObservable, lastValueFrom, mergeMap, Observable, toArray } from 'rxjs';
import { CacheOpsConfigError } from '../cacheops.errors.js';
import type { EntityModel } from '../core/entity-model.js';
import type { CacheSource, Instrumentation } from '../core/instrumentation.js';
import type { MethodRules } from '../decorators/method-rules.js';
import type { MethodSite } from '../discovery/method-binding.js';
import { isResolver } from '../discovery/resolvers.js';
import { parseBoolean } from '../options/parse.js';
import { argumentParts, parameterNames } from './call-key.js';
import type { CallPlan, PlanServices } from './call-plan.js';
import { tell } from './call-events.js';
import type { ResultKeys } from './result-keys.js';
import { MethodCall } from './method-call.js';
import type { Values } from './values.js';
import type { WrappedEntry } from './wrapped.js';

/** The stored results of a decorated method. */
export interface CachedMethod<A extends unknown[], R> {
  /** Forgets the result for these arguments. */
  invalidate(...args: A): Promise<void>;
  /** The entry of these arguments. */
  key(...args: A): WrappedEntry<R>;
}

type AnyMethod = (...args: never[]) => unknown;

/** The methods of a class. */
export type MethodNames<T> = {
  [K in keyof T]: T[K] extends AnyMethod ? K : never;
}[keyof T] &
  string;

export type MethodArguments<T, K extends keyof T> = T[K] extends (...args: infer A) => unknown ? A : never;

/** What a method comes to: of a Promise its value, of an Observable what it emits last. */
export type MethodResult<T, K extends keyof T> = T[K] extends (...args: never[]) => infer R
  ? R extends Observable<infer E>
    ? E
    : Awaited<R>
  : never;

export interface CachedMethodServices extends PlanServices {
  readonly values: Values;
  readonly model: EntityModel;
  readonly instrumentation: Instrumentation;
  /** `false`: methods just run. */
  readonly enabled: boolean;
}

type Inner = (instance: object, args: unknown[]) => unknown;

/** One method of one provider. */
export class BoundMethod {
  private readonly parameters: readonly string[];
  private readonly isObservable: boolean;
  private readonly isResolver: boolean;

  constructor(
    private readonly plan: CallPlan,
    private readonly rules: MethodRules,
    private readonly inner: Inner,
    private readonly keys: ResultKeys,
    private readonly services: CachedMethodServices,
  ) {
    const { site, options, where } = plan;
    this.parameters = parameterNames(site.handler);
    this.isResolver = isResolver(site.handler);
    const told = options.observable;
    this.isObservable =
      told === undefined ? returnsObservable(site) : parseBoolean(`${where}: observable`, told);
  }

  call(instance: object, args: unknown[]): unknown {
    if (!this.services.enabled) return this.inner(instance, args);
    const call = this.callOf(instance, args);
    if (!this.isObservable) return this.result(call, args);
    return new Observable((subscriber) =>
      from(this.result(call, args))
        .pipe(mergeMap((emitted) => (Array.isArray(emitted) ? (emitted as unknown[]) : [])))
        .subscribe(subscriber),
    );
  }

  companion(instance: object): CachedMethod<unknown[], unknown> {
    const { values } = this.services;
    const callOf = (args: unknown[]): MethodCall => this.callOf(instance, args);
    const keyOf = (args: unknown[]): string => this.sharedKey(callOf(args));
    return {
      invalidate: (...args) => values.delete(keyOf(args)),
      key: (...args) => {
        const key = keyOf(args);
        return {
          key,
          get: async () => this.emitted(await values.get(key)),
          set: (value) => {
            const call = callOf(args);
            const stored = this.isObservable ? [value] : value;
            return values.set(key, this.plan.reads(call), this.plan.policy, stored);
          },
          delete: () => values.delete(key),
        };
      },
    };
  }

  /** What the method does not declare it does not look at. */
  private callOf(instance: object, args: readonly unknown[]): MethodCall {
    const known = this.isResolver ? args.slice(0, this.parameters.length) : args;
    return new MethodCall(this.plan.site, instance, known);
  }

  private async result(call: MethodCall, args: unknown[]): Promise<unknown> {
    const { plan } = this;
    const { values, instrumentation } = this.services;
    const key = plan.when(call) ? this.key(call) : undefined;
    if (key === undefined) return this.run(call, args);
    let source: CacheSource | undefined;
    let hasRun = false;
    const value = await values.getOrSet({
      key,
      label: plan.site.label,
      dependencies: plan.reads(call),
      ...plan.policy,
      trace: plan.trace,
      late: plan.late(call, (made) => call.over(this.emitted(made))),
      onHit: (from) => (source = from),
      load: () => {
        hasRun = true;
        tell(plan, instrumentation, 'onMiss', call, { key });
        return this.run(call, args);
      },
    });
    if (source ?? !hasRun)
      tell(plan, instrumentation, 'onHit', call.over(this.emitted(value)), { key, source });
    return value;
  }

  /** What the method returns; of an Observable everything that it emits. */
  private async run({ instance }: MethodCall, args: unknown[]): Promise<unknown> {
    const returned = this.inner(instance, args);
    if (this.isObservable) return lastValueFrom(from(returned as Observable<unknown>).pipe(toArray()));
    if (!isObservable(returned)) return returned;
    throw new CacheOpsConfigError(
      `${this.plan.where}: observable`,
      'true, because the method returns an Observable',
      undefined,
      'Or switch emitDecoratorMetadata on, which says so',
    );
  }

  private emitted(value: unknown): unknown {
    return this.isObservable && Array.isArray(value) ? value.at(-1) : value;
  }

  private key(call: MethodCall): string | undefined {
    const { keyParameters } = this.rules;
    return this.keys.of(call, () => argumentParts(call.args, this.parameters, keyParameters));
  }

  private sharedKey(call: MethodCall): string {
    return this.keys.shared(this.key(call));
  }
}

/** What TypeScript's `emitDecoratorMetadata` says. */
const returnsObservable = ({ declaredOn, name }: MethodSite): boolean => {
  const type: unknown = Reflect.getMetadata('design:returntype', declaredOn, name);
  return typeof type === 'function' && (type === Observable || type.prototype instanceof Observable);
};
