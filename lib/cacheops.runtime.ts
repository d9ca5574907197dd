import { createRequire } from 'node:module';
import { Logger } from '@nestjs/common';
import { createLocks } from './cacheops.locks.js';
import { Stores } from './cacheops.stores.js';
import type { HttpAdapterHost, ModulesContainer } from '@nestjs/core';
import type { CacheOpsLogger, ResolvedOptions } from './cacheops.options.js';
import { Cache } from './core/cache.js';
import { CacheContext } from './core/cache-context.js';
import { GrowingClassRegistry } from './core/class-registry.js';
import { systemClock } from './core/clock.js';
import { NO_ENTITIES } from './core/entity-model.js';
import { Instrumentation } from './core/instrumentation.js';
import type { ProfileRule } from './core/profile.js';
import { createSerializer } from './core/serializer.js';
import type { CacheDriver } from './drivers/cache-driver.interface.js';
import { GuardedDriver } from './drivers/guarded.driver.js';
import type { GuardState } from './drivers/guard.options.js';
import type { BusSource } from './drivers/bus.interface.js';
import { MemoryDriver } from './drivers/memory.driver.js';
import { RedisDriver } from './drivers/redis.driver.js';
import { SharedBus } from './drivers/shared-bus.js';
import { Invalidator } from './invalidation/invalidator.js';
import type { LockService } from './locks/lock.service.js';
import { NearDriver } from './near-cache/near.driver.js';
import type { NearSettings } from './options/near.js';
import { CacheOpsService } from './service/cacheops.service.js';
import { NO_RECORD_VERSIONS, type VersionedSources } from './versioning/record-versions.interface.js';
import { Binder } from './discovery/binder.js';
import { CachedRoutes } from './interceptors/http/cached-routes.js';
import type { CachedRouteServices } from './interceptors/http/cached-route.services.js';
import { CachedMethods } from './service/cached-methods.js';
import { ChangingMethods, type ChangingMethodServices } from './service/changing-methods.js';
import { DependencyResolver } from './service/dependency-resolver.js';
import { ResultNames } from './service/result-names.js';
import { Values } from './service/values.js';
import { VersionedCache } from './service/versioned-cache.js';

/** Everything that one application's cache consists of. */
export interface CacheOpsRuntime {
  readonly options: ResolvedOptions;
  readonly logger: CacheOpsLogger;
  readonly sources: VersionedSources;
  readonly service: CacheOpsService;
  readonly locks: LockService;
  readonly versionedCache: VersionedCache;
  readonly binder: Binder;
  readonly routes: CachedRoutes;
  /** Finishes the invalidations under way, while everything is still open. */
  drain(): Promise<void>;
  /** Finishes the invalidations under way, then lets go of the DataSources and the backend. */
  close(): Promise<void>;
}

/** @param localRules rules of `forFeature` */
export async function createRuntime(
  options: ResolvedOptions,
  localRules: readonly ProfileRule[],
  modules: ModulesContainer,
  host: HttpAdapterHost,
): Promise<CacheOpsRuntime> {
  const logger = options.logger ?? new Logger('CacheOps');
  const context = new CacheContext(options.enabled);
  const instrumentation = new Instrumentation();
  const { driver, bus } = await openBackend(options, logger, instrumentation);
  const { pendTtl, onRedisFailure, replicaLag, timeouts } = options;
  // As long as an invalidation may take.
  const settleTimeout = 2 * timeouts.invalidation;
  const writing = { pendTtl, onRedisFailure, replicaLag, settleTimeout };
  const invalidator = new Invalidator(driver, context, instrumentation, writing);
  const newCache = cacheMaker({ options, context, instrumentation, invalidator, bus });
  const cache = newCache(driver);
  const classes = new GrowingClassRegistry();
  const serializer = createSerializer({ classes });
  const services = { cache, context, invalidator, serializer, instrumentation };
  const fallback = { ops: new Set<never>(), ttl: options.ttl };
  const { versioning, outbox } = options;
  const settings = {
    services: { ...services, versioning, outbox },
    classes,
    rules: options.entities,
    localRules,
    fallback,
    logger,
  };
  const sources = options.enabled && hasTypeOrm() ? await openSources(settings) : NO_SOURCES;
  const { enabled, ttl } = options;
  const { model } = sources;
  const locks = createLocks(options, context, sources);
  const resolver = new DependencyResolver(model);
  const values = new Values({ ...services, driver });
  const shared = { ...services, driver, values, resolver, model, enabled, ttl };
  const stores = new Stores({ ...shared, options, newCache });
  const service = new CacheOpsService({ ...shared, stores, outboxes: () => sources.outboxes() });
  const versionedCache = new VersionedCache({ ...services, ttl });
  const { http } = options;
  const binding = { ...shared, vary: http, tells: http.header, adapter: () => host.httpAdapter };
  const { binder, routes } = createBinder(modules, binding);
  const drain = async (): Promise<void> => {
    await invalidator.drain();
    await sources.drain();
  };
  const close = async (): Promise<void> => {
    await locks.close();
    await stores.close();
    await cache.close();
    sources.detach();
    await invalidator.drain();
    await driver.close();
    context.dispose();
  };
  return { options, logger, sources, service, locks, versionedCache, binder, routes, drain, close };
}

function createBinder(
  modules: ModulesContainer,
  services: CachedRouteServices & ChangingMethodServices,
): Pick<CacheOpsRuntime, 'binder' | 'routes'> {
  const names = new ResultNames(services.model);
  const routes = new CachedRoutes(services, names);
  const methods = [new ChangingMethods(services), new CachedMethods(services, names)];
  return { binder: new Binder(modules, [...methods, routes]), routes };
}

interface CacheParts {
  readonly options: ResolvedOptions;
  readonly context: CacheContext;
  readonly instrumentation: Instrumentation;
  readonly invalidator: Invalidator;
  readonly bus: BusSource;
}

/** Caches on different drivers, which have everything else in common. */
function cacheMaker({ options, context, instrumentation, invalidator, bus }: CacheParts) {
  return (driver: CacheDriver, keyspace = options.keyspace): Cache =>
    new Cache(driver, context, instrumentation, systemClock, {
      loadTimeout: options.timeouts.load,
      keyspace,
      onShapes: (shapes) => invalidator.registries.expect(shapes),
      bus,
    });
}

interface Backend {
  readonly driver: CacheDriver;
  /** All that listen do so over one connection. */
  readonly bus: SharedBus;
}

async function openBackend(
  options: ResolvedOptions,
  logger: CacheOpsLogger,
  instrumentation: Instrumentation,
): Promise<Backend> {
  const { redis, prefix, memory, timeouts, near } = options;
  // Switched off, nothing reaches the driver.
  if (!options.enabled || redis === undefined) {
    const driver = new MemoryDriver({ maxBytes: memory.maxBytes });
    const bus = new SharedBus(driver);
    return { driver: options.enabled && near ? nearDriver(driver, bus, near, instrumentation) : driver, bus };
  }
  const inner = await RedisDriver.create({ redis, prefix });
  const driver = new GuardedDriver(inner, {
    readTimeout: timeouts.read,
    writeTimeout: timeouts.write,
    invalidationTimeout: timeouts.invalidation,
    onStateChange: (state, error) => tell(logger, state, error),
  });
  // So that the first requests already find a cache; a server that is away ends this wait by its timeout.
  await driver.probe();
  const bus = new SharedBus(inner);
  return { driver: near ? nearDriver(driver, bus, near, instrumentation) : driver, bus };
}

function nearDriver(
  driver: CacheDriver,
  bus: BusSource,
  { maxBytes, mode, maxLag }: NearSettings,
  instrumentation: Instrumentation,
): CacheDriver {
  const onClear = instrumentation.clear.bind(instrumentation);
  return new NearDriver(driver, { maxBytes, maxLag, onClear, bus: mode === 'tracked' ? bus : undefined });
}

function tell(logger: CacheOpsLogger, state: GuardState, error: unknown): void {
  if (state === 'up') return logger.log('Redis is back; the cache serves again');
  const reason = error instanceof Error ? error.message : String(error);
  logger.warn(`Redis is not available; reads go to the database until it is back (${reason})`);
}

/** The layer over TypeORM is loaded only where TypeORM is. */
async function openSources(settings: object): Promise<VersionedSources> {
  const { ObservedSources } = await import('./typeorm/attach.js');
  return new ObservedSources(settings as ConstructorParameters<typeof ObservedSources>[0]);
}

function hasTypeOrm(): boolean {
  try {
    createRequire(import.meta.url).resolve('typeorm');
    return true;
  } catch {
    return false;
  }
}

/** An application without TypeORM, or with the cache switched off. */
const NO_SOURCES: VersionedSources = {
  model: NO_ENTITIES,
  versions: NO_RECORD_VERSIONS,
  attach: async () => undefined,
  assertProfiles: () => undefined,
  describe: () => [],
  outboxes: () => [],
  drain: async () => undefined,
  afterEnd: () => false,
  detach: () => undefined,
};
