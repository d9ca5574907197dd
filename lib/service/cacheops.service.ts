import { Observable } from 'rxjs';
import { CacheOpsConfigError, CacheOpsDependencyError } from '../cacheops.errors.js';
import type { Cache } from '../core/cache.js';
import type { CacheContext } from '../core/cache-context.js';
import type { EntityLike, QueryExplanation } from '../core/entity-model.js';
import type { OutboxStats } from '../core/outbox.js';
import type { CacheEvent, CacheStats, Instrumentation } from '../core/instrumentation.js';
import type { CacheDriver } from '../drivers/cache-driver.interface.js';
import type { EntryStore } from '../drivers/entry-store.interface.js';
import type { NearStats } from '../drivers/near-entries.interface.js';
import { EVERYTHING, tagToken } from '../core/token.js';
import type { Invalidator } from '../invalidation/invalidator.js';
import { dep, type Dependency } from '../core/entity-dependency.js';
import { companionOf } from '../discovery/bound-prototypes.js';
import type { CachedMethod, MethodArguments, MethodNames, MethodResult } from './bound-method.js';
import { type CachedResponses, isOfRoute } from './cached-responses.js';
import { CachedValues, type CachedValuesParts, type ValueExplanation } from './cached-values.js';
import { checkedTag, type DependencyResolver } from './dependency-resolver.js';

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
export interface ServiceParts extends CachedValuesParts {
  readonly cache: Cache;
  readonly driver: CacheDriver;
  readonly invalidator: Invalidator;
  readonly context: CacheContext;
  readonly instrumentation: Instrumentation;
  readonly outboxes: () => readonly OutboxStats[];
  readonly stores: { open(store: EntryStore): CachedValues };
}

/**
 * Caching of values, invalidation by hand, and what there is to know about the cache. Inject it.
 *
 * A failure of the backend is never an error of a read. A bad dependency or a value that cannot be stored is one,
 * because it would be one at every call.
 */
export class CacheOpsService extends CachedValues {
  /** Everything the cache does, as it happens; costs nothing while nobody subscribes. */
  readonly events$: Observable<CacheEvent>;
  private readonly resolver: DependencyResolver;
  private readonly opened = new WeakMap<EntryStore, CachedValues>();

  constructor(private readonly parts: ServiceParts) {
    super(parts);
    this.resolver = parts.resolver;
    this.events$ = new Observable((subscriber) =>
      parts.instrumentation.subscribe((event) => subscriber.next(event)),
    );
  }

  /**
   * The same for values in another store: files, a cache of another library. What makes them stale is as exact as it is
   * for all others, and invalidated with them; only the bytes lie elsewhere, and are read beside the stamps.
   *
   * @param store stays open when the application ends; stores of one application need names of their own
   * @throws CacheOpsConfigError when it is no store
   * @example const files = cacheOps.storedIn(new FileStore({ directory: '/var/cache/shop' }))
   */
  storedIn(store: EntryStore): CachedValues {
    const known = this.opened.get(store);
    if (known) return known;
    const opened = this.parts.stores.open(checkedStore(store));
    this.opened.set(store, opened);
    return opened;
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
    if (typeof subject === 'string') return this.inspect(subject);
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

  /**
   * The keys of the values under a tag that would be served now: of `getOrSet`, `set`, `wrap`, methods and routes. For
   * people and tools, not for requests: every entry of the backend is looked at, page by page.
   *
   * @throws CacheOpsDependencyError when the tag is no text
   * @throws CacheOpsError `DRIVER` when the backend fails
   * @example for await (const key of cacheOps.keys('shop:1')) console.log(key);
   */
  keys(tag: string): AsyncIterable<string> {
    return this.parts.values.keys(tagToken(checkedTag(tag)));
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
}

function checkedStore(store: unknown): EntryStore {
  const given = store as Partial<EntryStore> | null | undefined;
  const hasMethods = (['get', 'set', 'delete'] as const).every((name) => typeof given?.[name] === 'function');
  if (hasMethods && typeof given?.name === 'string' && given.name !== '') return given as EntryStore;
  throw new CacheOpsConfigError('storedIn', 'a store: an object with name, get, set and delete', store);
}
