import type { DataSource, EntityManager, EntityTarget, ObjectLiteral, QueryRunner } from 'typeorm';
import type { Cache } from '../core/cache.js';
import type { CacheContext } from '../core/cache-context.js';
import type { Serializer } from '../core/serializer.js';
import type { Invalidator } from '../invalidation/invalidator.js';
import { SqlAnalyser } from '../sql/index.js';
import type { SqlDialect } from '../sql/sql.types.js';
import { cachedSelectBuilder, loadGraph } from './cached-select.js';
import { TypeOrmCatalog, dialectOf } from './catalog.js';
import { EntityCodec } from './codec/entity-codec.js';
import { schemaFingerprint } from './codec/schema-fingerprint.js';
import { FIND_METHODS, findOptions, FrontDoor, type FindMethod } from './front-door.js';
import { broadcastLoad } from './graph-plan.js';
import type { ConnectionContext, ObservedConnection } from './connection.js';
import { observeRunner } from './observe-runner.js';
import { ForeignKeys } from './foreign-keys.js';
import { defaultIsolation } from './isolation.js';
import { createLockScope } from './mutex.js';
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
  private readonly front = new FrontDoor();
  private readonly connections = new WeakMap<QueryRunner, ObservedConnection>();
  /** SQLite drivers have one QueryRunner, on which everybody's transaction is everybody's. */
  private only: ObservedConnection | undefined;

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
    for (const method of [...PERSISTING, ...FIND_METHODS]) {
      delete (this.dataSource.manager as Partial<EntityManager>)[method];
    }
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
    const Cached = cachedSelectBuilder(Base, this.door, this.front, (r) => this.connections.get(r));
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
      const connection = observeRunner(runner, this.connectionContext);
      this.connections.set(runner, connection);
      if (this.connectionContext.dialect === 'sqlite') this.only = connection;
    }
    return runner;
  }

  /** Persisting methods read past the cache; finding ones try it before any SQL is built. */
  private guard(manager: EntityManager): EntityManager {
    const { context } = this.services;
    for (const method of PERSISTING) {
      const original = manager[method].bind(manager) as (...args: unknown[]) => unknown;
      Object.assign(manager, {
        [method]: (...args: unknown[]) => context.withoutCache(() => original(...args)),
      });
    }
    for (const method of FIND_METHODS) {
      const original = manager[method].bind(manager) as Find;
      Object.assign(manager, { [method]: this.finder(manager, method, original) });
    }
    return manager;
  }

  private finder(manager: EntityManager, method: FindMethod, original: Find): Find {
    const single = method === 'findOne' || method === 'findOneBy';
    return async (target, options) => {
      const connection = this.only ?? this.connectionOf(manager.queryRunner);
      const open = !this.services.context.bypass && !connection?.bypass;
      const key = open ? this.front.keyOf(method, target, options) : undefined;
      if (key === undefined) return original(target, options);
      const plan = this.front.find(key);
      if (plan && this.door.hasNoGraph(plan.sql)) return original(target, options);
      if (!plan) return this.front.learning(key, () => original(target, options));
      const load = (): Promise<object[]> =>
        loadGraph(
          manager.createQueryBuilder(target, plan.metadata.name).setFindOptions(findOptions(method, options)),
        );
      const entities = await this.services.cache.getOrSet({ ...plan, patient: true, load });
      await broadcastLoad(plan, entities, () => manager.queryRunner ?? this.dataSource.createQueryRunner());
      return single ? (entities[0] ?? null) : entities;
    };
  }
}

type Find = (target: EntityTarget<ObjectLiteral>, options: unknown) => Promise<unknown>;

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
    sessions: new WeakMap(),
    locks: createLockScope(),
  };
}
