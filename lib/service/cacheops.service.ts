import { Observable } from 'rxjs';
import { CacheOpsConfigError, CacheOpsDependencyError } from '../cacheops.errors.js';
import type { Cache } from '../core/cache.js';
import type { CacheContext } from '../core/cache-context.js';
import type { EntityLike, EntityModel, QueryExplanation } from '../core/entity-model.js';
import type { Inspection } from '../core/inspection.js';
import type { OutboxStats } from '../core/outbox.js';
import type { CacheEvent, CacheStats, Instrumentation } from '../core/instrumentation.js';
import type { CacheDriver } from '../drivers/cache-driver.interface.js';
import type { NearStats } from '../drivers/near-entries.interface.js';
import { EVERYTHING } from '../core/token.js';
import type { Invalidator } from '../invalidation/invalidator.js';
import { dep, type Dependency } from '../core/entity-dependency.js';
import { companionOf } from '../discovery/bound-prototypes.js';
import type { CachedMethod, MethodArguments, MethodNames, MethodResult } from './bound-method.js';
import { CallKeys } from './call-key.js';
import { type CachedResponses, isOfRoute } from './cached-responses.js';
import type { DependencyResolver } from './dependency-resolver.js';
import { policyOf, traceOf, type ValueOptions } from './value-options.js';
import type { Values } from './values.js';
import { WrapKeys, wrapFunction, type Wrapped, type WrapOptions } from './wrapped.js';

/** What `explain` says about a stored value. */
export interface ValueExplanation extends Partial<Inspection> {
  readonly key: string;
  /** Whether a value is stored that would be served now. */
  readonly stored: boolean;
}

/** What `explain` says about a query. */
export interface QueryReport extends QueryExplanation {
  /** Whether a result is stored that would be served now; left out when the query is not cacheable. */
  readonly stored?: boolean;
}

/** What `stats` tells. */
export interface ServiceStats extends CacheStats {
  /** One for each DataSource; empty without the option `outbox`. */
  readonly outboxes: readonly OutboxStats[];
  /** The near cache of this process, if it has one. */
  readonly near?: NearStats;
}

/** What the service stands on. */
export interface ServiceParts {
  readonly cache: Cache;
  readonly driver: CacheDriver;
  readonly invalidator: Invalidator;
  readonly values: Values;
  readonly resolver: DependencyResolver;
  readonly context: CacheContext;
  readonly instrumentation: Instrumentation;
  readonly outboxes: () => readonly OutboxStats[];
  readonly model: EntityModel;
  /** `false`: dependencies are not looked at, nothing is stored. */
  readonly enabled: boolean;
  /** Milliseconds. */
  readonly ttl: number;
}

/**
 * Caching of values, invalidation by hand, and what there is to know about the cache. Inject it.
 *
 * A failure of the backend is never an error of a read. A bad dependency or a value that cannot be stored is one,
 * because it would be one at every call.
 */
export class CacheOpsService {
  /** Everything the cache does, as it happens; costs nothing while nobody subscribes. */
  readonly events$: Observable<CacheEvent>;
  private readonly values: Values;
  private readonly resolver: DependencyResolver;
  private readonly wrapKeys: WrapKeys;

  constructor(private readonly parts: ServiceParts) {
    this.values = parts.values;
    this.resolver = parts.resolver;
    this.wrapKeys = new WrapKeys(new CallKeys(parts.model));
    this.events$ = new Observable((subscriber) =>
      parts.instrumentation.subscribe((event) => subscriber.next(event)),
    );
  }

  /**
   * The stored value, else what `factory` returns, which is then stored. Calls for one key at the same time share one
   * factory call; each caller gets objects of its own. `undefined` is not stored, `null` is; errors are not.
   *
   * Do not call it inside a transaction with a factory that reads what the transaction has written.
   *
   * @throws CacheOpsConfigError when an option is unknown or malformed
   * @throws CacheOpsDependencyError when a dependency names nothing
   * @throws CacheOpsSerializationError when the value cannot be stored; `path` says where in it
   * @throws CacheOpsError `LOAD_TIMEOUT` when the factory takes longer than `timeout`
   */
  async getOrSet<T>(key: string, factory: () => T | Promise<T>, options: ValueOptions = {}): Promise<T> {
    checkKey(key);
    const policy = policyOf(options, this.parts.ttl);
    const load = policy.frozen ? () => this.values.frozen(factory) : async (): Promise<T> => factory();
    if (!this.parts.enabled) return load();
    const dependencies = this.reads(options);
    return this.values.getOrSet({
      key,
      dependencies,
      load,
      ...policy,
      trace: traceOf(options),
    });
  }

  /** The stored value, or `undefined`. It is checked against the dependencies that it was stored with. */
  async get<T = unknown>(key: string): Promise<T | undefined> {
    checkKey(key);
    return await this.values.get(key);
  }

  /**
   * Stores a value. Its dependencies are watched from now on: where the value was read from them, a change between
   * that read and this call goes unnoticed, so prefer `getOrSet`. Inside `withoutCache` only the old value goes.
   *
   * @param value not `undefined`, which is no value
   * @throws as `getOrSet`
   */
  async set(key: string, value: unknown, options: ValueOptions = {}): Promise<void> {
    checkKey(key);
    if (value === undefined) throw new CacheOpsConfigError('value', 'a value; null is one', value);
    if (this.parts.enabled)
      await this.values.set(key, this.reads(options), policyOf(options, this.parts.ttl), value);
  }

  /** Forgets a value, and what a factory that is running now would store under the key. */
  async delete(key: string): Promise<void> {
    checkKey(key);
    await this.values.delete(key);
  }

  /**
   * A function that caches its results by its arguments.
   * @throws CacheOpsConfigError when an option is malformed, or when `key` is needed: the function has no name, or one
   * that is wrapped already
   */
  wrap<F extends (...args: never[]) => unknown>(
    fn: F,
    options: WrapOptions<Parameters<F>> = {},
  ): Wrapped<Parameters<F>, Awaited<ReturnType<F>>> {
    // Inferred from the function alone: options may look at fewer arguments.
    const { key: _key, deps: _deps, tags: _tags, ...rest } = options;
    policyOf(rest, this.parts.ttl);
    const call = fn as unknown as (...args: Parameters<F>) => Awaited<ReturnType<F>>;
    return wrapFunction(call, this.wrapKeys.of(call, options.key), options, this);
  }

  /**
   * The stored results of a method with `@CachedAs` or `@Cached`.
   * @param instance an instance that Nest made
   * @throws CacheOpsConfigError when the method is not cached
   */
  for<T extends object, K extends MethodNames<T>>(
    instance: T,
    method: K,
  ): CachedMethod<MethodArguments<T, K>, MethodResult<T, K>> {
    const companion = companionOf(instance, method);
    const where = `for(${instance.constructor.name}, '${method}')`;
    if (companion && !isOfRoute(companion))
      return companion as CachedMethod<MethodArguments<T, K>, MethodResult<T, K>>;
    throw new CacheOpsConfigError(where, 'a cached method of an instance that Nest made', instance);
  }

  /**
   * The stored responses of a route with `@CachedAs` or `@Cached`.
   * @param controller an instance that Nest made
   * @throws CacheOpsConfigError when the route is not cached
   */
  forRoute<T extends object>(controller: T, method: MethodNames<T>): CachedResponses {
    const companion = companionOf(controller, method);
    if (companion && isOfRoute(companion)) return companion;
    const where = `forRoute(${controller.constructor.name}, '${method}')`;
    throw new CacheOpsConfigError(where, 'a cached route of a controller that Nest made', controller);
  }

  /**
   * Makes stale what depends on any of these: a tag, all of an entity, rows of it, the row of an entity object.
   * Inside `transaction(...)` of an observed DataSource it takes effect with the commit, and not at all after a
   * rollback; otherwise at once. After a change in a transaction of a QueryRunner of yours, call it after the commit.
   *
   * @throws CacheOpsDependencyError when a dependency names nothing
   * @throws CacheOpsError `INVALIDATION` when the backend fails and `onRedisFailure` is `'fail'`
   */
  async invalidate(...deps: Dependency[]): Promise<void> {
    if (this.parts.enabled) await this.parts.invalidator.announce(this.resolver.changes(deps));
  }

  /**
   * As `invalidate`, but gently: what was stored with `grace` may still be served while one caller computes it anew.
   * For changes that may be seen late; what has no grace is stale at once. Inside a transaction it is `invalidate`.
   * @throws as `invalidate`
   */
  async expire(...deps: Dependency[]): Promise<void> {
    if (this.parts.enabled) await this.parts.invalidator.expire(this.resolver.changes(deps));
  }

  /**
   * Makes stale what depends on this row as the object holds it. What depended on it by values that it no longer has
   * is not reached: `invalidateModel` reaches everything.
   * @throws as `invalidate`
   */
  async invalidateEntity(entity: object): Promise<void> {
    if (this.parts.enabled) await this.parts.invalidator.announce(this.resolver.image(entity));
  }

  /**
   * Makes stale what depends on any row of an entity's table.
   * @param entity class, EntitySchema or name
   * @throws as `invalidate`
   */
  async invalidateModel(entity: EntityLike): Promise<void> {
    if (this.parts.enabled)
      await this.parts.invalidator.announce(this.resolver.changes([dep(entity as never)]));
  }

  /** Makes everything stale, for every process and tenant. */
  async invalidateAll(): Promise<void> {
    await this.parts.invalidator.restamp([EVERYTHING]);
  }

  /** Runs `fn` with reads that go to the source and store nothing. Follows the call, across `await`. */
  withoutCache<T>(fn: () => T): T {
    return this.parts.context.withoutCache(fn);
  }

  /** Runs `fn` with writes and `invalidate` calls that make nothing stale. Follows the call, across `await`. */
  withoutInvalidation<T>(fn: () => T): T {
    return this.parts.context.withoutInvalidation(fn);
  }

  /**
   * What the cache would do with a query, without running it; or what is stored under a key of `getOrSet`.
   * @param subject a query builder of an observed DataSource, or a key
   * @throws CacheOpsDependencyError when it is neither
   * @throws CacheOpsError `DRIVER` when the backend fails
   */
  explain(subject: string): Promise<ValueExplanation>;
  explain(subject: object): Promise<QueryReport>;
  async explain(subject: string | object): Promise<ValueExplanation | QueryReport> {
    if (typeof subject === 'string') {
      const found = await this.values.inspect(subject);
      return { key: subject, stored: found?.fresh ?? false, ...found };
    }
    const explanation = this.parts.model.explain(subject);
    if (!explanation) {
      throw new CacheOpsDependencyError(
        'UNKNOWN_DEPENDENCY',
        'a query builder of an observed DataSource, or a key',
        subject,
      );
    }
    const { cacheable, key, tokens } = explanation;
    if (!cacheable || key === undefined) return explanation;
    const found = await this.parts.cache.inspect(key, tokens ?? []);
    return { ...explanation, stored: found?.fresh ?? false };
  }

  /** Counts since the start of this process, and the state of the outboxes. */
  stats(): ServiceStats {
    const { instrumentation, outboxes, driver } = this.parts;
    return {
      ...instrumentation.stats(),
      outboxes: outboxes(),
      ...(driver.near && { near: driver.near.stats() }),
    };
  }

  private reads({ deps = [], tags = [] }: ValueOptions) {
    return this.resolver.reads(deps, tags);
  }
}

function checkKey(key: unknown): void {
  if (typeof key !== 'string' || key === '') {
    throw new CacheOpsConfigError('key', 'a text that is not empty', key);
  }
}
