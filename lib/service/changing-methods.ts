import { isObservable, Observable } from 'rxjs';
import type { CacheContext } from '../core/cache-context.js';
import type { Instrumentation } from '../core/instrumentation.js';
import { type MethodRules, ownRules } from '../decorators/method-rules.js';
import type { Binding, MethodBinder, MethodSite } from '../discovery/method-binding.js';
import type { Invalidator } from '../invalidation/invalidator.js';
import { assertConsistent } from './cached-methods.js';
import { listOf } from './call-plan.js';
import type { DependencyResolver } from './dependency-resolver.js';
import { MethodCall } from './method-call.js';
import { rulesAt } from './site-rules.js';

export interface ChangingMethodServices {
  readonly context: CacheContext;
  readonly invalidator: Invalidator;
  readonly resolver: DependencyResolver;
  readonly instrumentation: Instrumentation;
  readonly enabled: boolean;
}

type Inner = (instance: object, args: unknown[]) => unknown;
type Switch = <T>(fn: () => T) => T;

/** Binds methods with `@Invalidates`, `@NoCache` or `@NoInvalidation`. */
export class ChangingMethods implements MethodBinder {
  constructor(private readonly services: ChangingMethodServices) {}

  concerns(prototype: object, name: string): boolean {
    const rules = ownRules(prototype, name);
    return rules !== undefined && (rules.invalidates ?? rules.noCache ?? rules.noInvalidation) !== undefined;
  }

  bind(site: MethodSite, inner: Inner): Binding {
    const rules = rulesAt(site);
    assertConsistent(site, rules);
    if (!this.services.enabled) return {};
    const { context } = this.services;
    let call = inner;
    if (rules.noCache) call = switched(call, context.withoutCache.bind(context));
    if (rules.noInvalidation) call = switched(call, context.withoutInvalidation.bind(context));
    return { call: rules.invalidates ? this.announcing(site, rules.invalidates, call) : call };
  }

  private announcing(site: MethodSite, rules: NonNullable<MethodRules['invalidates']>, inner: Inner): Inner {
    const { invalidator, resolver, instrumentation } = this.services;
    const announce = async (call: MethodCall): Promise<void> => {
      const deps = rules.flatMap((rule) => listOf(rule(call)));
      if (deps.length > 0) await invalidator.announce(resolver.changes(deps));
    };
    return (instance, args) => {
      const call = new MethodCall(site, instance, args);
      const returned = inner(instance, args);
      if (isObservable(returned)) return afterwards(returned, (last) => announce(call.over(last)));
      if (isThenable(returned)) {
        return Promise.resolve(returned).then(async (result) => {
          await announce(call.over(result));
          return result;
        });
      }
      // Its caller cannot wait, so an error has nobody else to go to.
      announce(call.over(returned)).catch((error: unknown) => instrumentation.error('invalidates', error));
      return returned;
    };
  }
}

/** The same Observable, which completes when the work is done. */
function afterwards<T>(source: Observable<T>, work: (last: T | undefined) => Promise<void>): Observable<T> {
  return new Observable<T>((subscriber) => {
    let last: T | undefined;
    return source.subscribe({
      next: (value) => subscriber.next((last = value)),
      error: (error: unknown) => subscriber.error(error),
      complete: () =>
        void work(last).then(
          () => subscriber.complete(),
          (error: unknown) => subscriber.error(error),
        ),
    });
  });
}

/** An Observable does its work when it is subscribed to. */
function switched(inner: Inner, within: Switch): Inner {
  return (instance, args) => {
    const returned = within(() => inner(instance, args));
    if (!isObservable(returned)) return returned;
    return new Observable((subscriber) => within(() => returned.subscribe(subscriber)));
  };
}

const isThenable = (value: unknown): value is PromiseLike<unknown> =>
  typeof (value as { then?: unknown } | null | undefined)?.then === 'function';
