import { DataSource, type DataSourceOptions } from 'typeorm';
import { Cache } from '../../lib/core/cache.js';
import { CacheContext } from '../../lib/core/cache-context.js';
import { systemClock } from '../../lib/core/clock.js';
import { Instrumentation, type CacheEvent } from '../../lib/core/instrumentation.js';
import type { OutboxSettings } from '../../lib/core/outbox.js';
import { createSerializer } from '../../lib/core/serializer.js';
import type { CacheDriver } from '../../lib/drivers/cache-driver.interface.js';
import { MemoryDriver } from '../../lib/drivers/memory.driver.js';
import { Invalidator } from '../../lib/invalidation/invalidator.js';
import { parseVersioning, type VersioningOptions } from '../../lib/options/version-rules.js';
import { initSqlParser } from '../../lib/sql/index.js';
import { ObservedDataSource, type ObserveServices } from '../../lib/typeorm/observed-data-source.js';
import { CACHE_OPS, Profiles, type CacheOp, type ProfileRule } from '../../lib/typeorm/profiles.js';
import { createDatabase, type DatabaseKind } from './databases.js';
import { StatementLog } from './statement-log.js';

export interface CachedSource {
  readonly dataSource: DataSource;
  readonly observed: ObservedDataSource;
  readonly services: ObserveServices & {
    readonly driver: CacheDriver;
    readonly instrumentation: Instrumentation;
    readonly warnings: readonly string[];
  };
  /** Statements that reached the database, transaction control included. */
  readonly log: StatementLog;
  readonly events: CacheEvent[];
  close(): Promise<void>;
}

export interface CachedSourceOptions {
  readonly entities: DataSourceOptions['entities'];
  readonly driver?: CacheDriver;
  /** Ops cached automatically for every entity; all by default. */
  readonly ops?: readonly CacheOp[];
  readonly rules?: readonly ProfileRule[];
  readonly name?: string;
  readonly extra?: Partial<DataSourceOptions>;
  readonly onRedisFailure?: 'degrade' | 'fail';
  readonly versioning?: VersioningOptions;
  readonly outbox?: OutboxSettings;
}

const HOUR = 3_600_000;

/** Services of one process: everything that stands between TypeORM and a driver, without Nest. */
export async function cacheServices(
  options: Omit<CachedSourceOptions, 'entities'>,
): Promise<CachedSource['services']> {
  await initSqlParser();
  const driver = options.driver ?? new MemoryDriver();
  const context = new CacheContext();
  const warnings: string[] = [];
  const instrumentation = new Instrumentation();
  const fallback = { ops: new Set(options.ops ?? CACHE_OPS), ttl: HOUR };
  const invalidator = new Invalidator(driver, context, instrumentation, {
    pendTtl: 30_000,
    onRedisFailure: options.onRedisFailure ?? 'degrade',
  });
  const onShapes = invalidator.registries.expect.bind(invalidator.registries);
  return {
    driver,
    context,
    instrumentation,
    cache: new Cache(driver, context, instrumentation, systemClock, { loadTimeout: 30_000, onShapes }),
    invalidator,
    serializer: createSerializer(),
    profiles: new Profiles(options.rules ?? [], fallback),
    versioning: options.versioning && parseVersioning(options.versioning),
    warn: (message) => warnings.push(message),
    warnings,
    outbox: options.outbox,
  };
}

/** TypeORM's `synchronize` makes the tables, but not the schemas that they stand in. */
async function withTables(dataSource: DataSource): Promise<void> {
  const schemas = new Set(dataSource.entityMetadatas.flatMap(({ schema }) => schema ?? []));
  for (const schema of schemas) await dataSource.query(`CREATE SCHEMA ${schema}`);
  await dataSource.synchronize();
}

/** A DataSource on a database of its own, read and written through the cache. */
export async function cachedSource(kind: DatabaseKind, options: CachedSourceOptions): Promise<CachedSource> {
  const log = new StatementLog();
  const database = await createDatabase(kind, {
    entities: options.entities,
    logging: true,
    logger: log,
    ...options.extra,
  });
  const dataSource = await new DataSource(database.options).initialize();
  await withTables(dataSource);
  const services = await cacheServices(options);
  const observed = await ObservedDataSource.attach(dataSource, options.name ?? 'default', services);
  if (!observed) throw new Error(`no doors for ${kind}`);
  const events: CacheEvent[] = [];
  services.instrumentation.subscribe((event) => events.push(event));
  log.clear();
  return {
    dataSource,
    observed,
    services,
    log,
    events,
    close: async () => {
      await services.invalidator.drain();
      services.context.dispose();
      await dataSource.destroy();
      await database.drop();
    },
  };
}
