import type { DataSource, EntityManager, QueryRunner } from 'typeorm';
import type { Cache } from '../core/cache.js';
import type { CacheContext } from '../core/cache-context.js';
import type { Serializer } from '../core/serializer.js';
import type { Invalidator } from '../invalidation/invalidator.js';
import { SqlAnalyser } from '../sql/index.js';
import type { SqlDialect } from '../sql/sql.types.js';
import { cachedSelectBuilder } from './cached-select.js';
import { TypeOrmCatalog, dialectOf } from './catalog.js';
import { EntityCodec } from './codec/entity-codec.js';
import { schemaFingerprint } from './codec/schema-fingerprint.js';
import { observeRunner, type ConnectionContext, type ObservedConnection } from './connection.js';
import { ForeignKeys } from './foreign-keys.js';
import { defaultIsolation } from './isolation.js';
import type { Profiles } from './profiles.js';
import { ReadDoor } from './read-door.js';
import { rowsCodec } from './rows-codec.js';
import { RowImages } from './row-images.js';
import { WriteObserver } from './write-observer.js';

export interface ObserveServices {
  readonly cache: Cache;
  readonly context: CacheContext;
  readonly invalidator: Invalidator;
  readonly serializer: Serializer;
  readonly profiles: Profiles;
}

/** EntityManager methods whose own reads feed a diff or fill in what was written (law 8). */
const PERSISTING = ['save', 'remove', 'softRemove', 'recover', 'preload'] as const;

/**
 * One DataSource with doors in it: its query builders read through the cache, its connections are observed. All that
 * is replaced are own properties of this instance, so that other DataSources and TypeORM's prototypes stay as they
 * are and `detach` can take everything out again.
 */
export class ObservedDataSource {
  readonly door: ReadDoor;
  private readonly connections = new WeakMap<QueryRunner, ObservedConnection>();

  private constructor(
    readonly dataSource: DataSource,
    readonly name: string,
    readonly catalog: TypeOrmCatalog,
    private readonly services: ObserveServices,
    private readonly connectionContext: ConnectionContext,
    analyser: SqlAnalyser,
  ) {
    this.door = new ReadDoor({
      dataSource,
      name,
      cache: services.cache,
      context: services.context,
      catalog,
      analyser,
      profiles: services.profiles,
      entityCodec: new EntityCodec(dataSource, services.serializer),
      rowsCodec: rowsCodec(services.serializer),
      fingerprint: schemaFingerprint(dataSource),
    });
  }

  /**
   * @param name the Nest name of the DataSource (`'default'`)
   * @returns `undefined` when its SQL dialect is not supported
   */
  static async attach(
    dataSource: DataSource,
    name: string,
    services: ObserveServices,
  ): Promise<ObservedDataSource | undefined> {
    const dialect = dialectOf(dataSource);
    if (!dialect) return undefined;
    const catalog = new TypeOrmCatalog(dataSource, dialect, name);
    const analyser = new SqlAnalyser(catalog);
    const context = await connectionContext(dataSource, dialect, catalog, analyser, services);
    const observed = new ObservedDataSource(dataSource, name, catalog, services, context, analyser);
    observed.install();
    return observed;
  }

  /** Takes the doors out again; QueryRunners that are still out keep reporting their writes. */
  detach(): void {
    for (const method of ['createQueryBuilder', 'createQueryRunner', 'createEntityManager'] as const) {
      delete (this.dataSource as Partial<DataSource>)[method];
    }
    for (const method of PERSISTING) delete (this.dataSource.manager as Partial<EntityManager>)[method];
  }

  connectionOf(runner: QueryRunner | undefined): ObservedConnection | undefined {
    return runner && this.connections.get(runner);
  }

  private install(): void {
    const { dataSource } = this;
    const builder = dataSource.createQueryBuilder.bind(dataSource);
    const runner = dataSource.createQueryRunner.bind(dataSource);
    const manager = dataSource.createEntityManager.bind(dataSource);
    const Base = builder().constructor as new (...args: never[]) => object;
    const Cached = cachedSelectBuilder(Base, this.door, (r) => this.connections.get(r));
    Object.assign(dataSource, {
      // Constructing from a builder copies its expression map, alias and runner.
      createQueryBuilder: (...args: unknown[]) =>
        new Cached(...([(builder as (...a: unknown[]) => unknown)(...args)] as never[])),
      createQueryRunner: (mode?: 'master' | 'slave') => this.observe(runner(mode)),
      createEntityManager: (queryRunner?: QueryRunner) => this.guard(manager(queryRunner)),
    });
    this.guard(dataSource.manager);
  }

  private observe(runner: QueryRunner): QueryRunner {
    if (!this.connections.has(runner)) {
      this.connections.set(runner, observeRunner(runner, this.connectionContext));
    }
    return runner;
  }

  private guard(manager: EntityManager): EntityManager {
    const { context } = this.services;
    for (const method of PERSISTING) {
      const original = manager[method].bind(manager) as (...args: unknown[]) => unknown;
      Object.assign(manager, {
        [method]: (...args: unknown[]) => context.withoutCache(() => original(...args)),
      });
    }
    return manager;
  }
}

async function connectionContext(
  dataSource: DataSource,
  dialect: SqlDialect,
  catalog: TypeOrmCatalog,
  analyser: SqlAnalyser,
  { invalidator, context }: ObserveServices,
): Promise<ConnectionContext> {
  const images = new RowImages(dialect);
  const foreignKeys = new ForeignKeys(dataSource, catalog, invalidator.registries, images, dialect);
  return {
    dialect,
    analyser,
    invalidator,
    writes: new WriteObserver(catalog, invalidator, images, foreignKeys),
    context,
    defaultIsolation: await defaultIsolation(dataSource, dialect),
  };
}
