import type { DataSource, EntityManager, EntityTarget, ObjectLiteral, QueryRunner } from 'typeorm';
import type { CacheContext } from '../core/cache-context.js';
import type { Serializer } from '../core/serializer.js';
import { AmbientTransaction } from '../invalidation/ambient-transaction.js';
import { SqlAnalyser } from '../sql/index.js';
import { cachedSelectBuilder, loadGraph } from './cached-select.js';
import { TypeOrmCatalog, dialectOf } from './catalog.js';
import { EntityCodec } from './codec/entity-codec.js';
import { schemaFingerprint } from './codec/schema-fingerprint.js';
import { FIND_METHODS, findOptions, FrontDoor, isSingle, type FindMethod } from './front-door.js';
import { broadcastLoad } from './graph-plan.js';
import type { ObservedConnection } from './connection.js';
import { connectionOf, RunnerObserver } from './observe-runner.js';
import {
  type ConnectionServices,
  openConnectionContext,
  type OpenedConnectionContext,
} from './open-connection-context.js';
import type { Outbox } from './outbox/outbox.js';
import type { Profiles } from './profiles.js';
import { ReadDoor } from './read-door.js';
import { rowOutdater } from './row-outdater.js';
import { rowsCodec } from './rows-codec.js';
import type { VersioningSettings } from '../versioning/version-policy.js';
import { VersionGuard } from './versioning/version-guard.js';

export interface ObserveServices extends ConnectionServices {
  readonly serializer: Serializer;
  readonly profiles: Profiles;
  /** `undefined`: writes are not guarded. */
  readonly versioning: VersioningSettings | undefined;
  readonly warn: (message: string) => void;
}

/** EntityManager methods whose own reads feed a diff or fill in what was written (law 8). */
const PERSISTING = ['save', 'remove', 'softRemove', 'recover', 'preload'] as const;

/**
 * One DataSource with doors in it: its query builders read through the cache, its connections are observed. What is
 * replaced are own properties of this instance and of its runners, and its builders and managers get prototypes of ours
 * above TypeORM's: other DataSources and TypeORM's own prototypes stay as they are, and `detach` takes the doors out again.
 */
export class ObservedDataSource {
  readonly door: ReadDoor;
  /** `undefined`: writes are as TypeORM makes them. */
  readonly versions: VersionGuard | undefined;
  private readonly front = new FrontDoor();
  private readonly guarded = new Map<object, object>();
  private readonly runners: RunnerObserver;
  /** SQLite drivers have one QueryRunner, on which everybody's transaction is everybody's. */
  private only: ObservedConnection | undefined;

  private constructor(
    readonly dataSource: DataSource,
    readonly name: string,
    readonly catalog: TypeOrmCatalog,
    private readonly services: ObserveServices,
    private readonly connectionContext: OpenedConnectionContext,
    analyser: SqlAnalyser,
  ) {
    this.runners = new RunnerObserver(connectionContext);
    const { versioning: settings, warn } = services;
    const { dialect } = connectionContext;
    const outdate = rowOutdater(dataSource, catalog, services.invalidator);
    this.versions = settings && new VersionGuard({ dataSource, dialect, settings, warn, outdate });
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
    const context = await openConnectionContext(dataSource, catalog, analyser, services);
    const observed = new ObservedDataSource(dataSource, name, catalog, services, context, analyser);
    observed.install();
    await observed.versions?.install();
    await observed.outbox?.assertTable();
    return observed;
  }

  /** Keeps changes in the database until they are delivered, where that is asked for. */
  get outbox(): Outbox | undefined {
    return this.connectionContext.outbox;
  }

  /** Takes the doors out again; QueryRunners that are still out keep reporting their writes. */
  detach(): void {
    this.versions?.uninstall();
    this.outbox?.stop();
    for (const method of ['createQueryBuilder', 'createQueryRunner', 'createEntityManager'] as const) {
      delete (this.dataSource as Partial<DataSource>)[method];
    }
    Object.setPrototypeOf(
      this.dataSource.manager,
      Object.getPrototypeOf(Object.getPrototypeOf(this.dataSource.manager)) as object,
    );
  }

  connectionOf(runner: QueryRunner | undefined): ObservedConnection | undefined {
    return runner && connectionOf(runner);
  }

  private install(): void {
    const { dataSource } = this;
    const builder = dataSource.createQueryBuilder.bind(dataSource);
    const runner = dataSource.createQueryRunner.bind(dataSource);
    const manager = dataSource.createEntityManager.bind(dataSource);
    const Base = builder().constructor as new (...args: never[]) => object;
    const Cached = cachedSelectBuilder(
      Base,
      this.door,
      this.front,
      (runner) => this.only ?? this.connectionOf(runner),
    );
    const Select = this.versions?.builders(Cached) ?? Cached;
    Object.assign(dataSource, {
      createQueryBuilder: (...args: unknown[]): unknown =>
        Object.setPrototypeOf((builder as (...a: unknown[]) => object)(...args), Select.prototype as object),
      createQueryRunner: (mode?: 'master' | 'slave') => this.observe(runner(mode)),
      createEntityManager: (queryRunner?: QueryRunner) => this.guard(manager(queryRunner)),
    });
    this.guard(dataSource.manager);
  }

  private observe(runner: QueryRunner): QueryRunner {
    const connection = this.runners.observe(runner);
    if (this.connectionContext.dialect === 'sqlite') this.only = connection;
    return runner;
  }

  /**
   * Persisting methods read past the cache; finding ones try it before any SQL is built. The methods stand on one
   * prototype per class of managers, because every QueryRunner brings a manager of its own.
   */
  private guard(manager: EntityManager): EntityManager {
    const plain = Object.getPrototypeOf(manager) as EntityManager;
    let guarded = this.guarded.get(plain);
    if (!guarded) this.guarded.set(plain, (guarded = this.guardedPrototype(plain)));
    return Object.setPrototypeOf(manager, guarded) as EntityManager;
  }

  private guardedPrototype(plain: EntityManager): object {
    const { context } = this.services;
    const plainMethods = plain as unknown as Record<string, Method>;
    const methods: Record<string, Method> = {};
    for (const name of PERSISTING) {
      const original = plainMethods[name] as Method;
      const { versions } = this;
      methods[name] = function (this: EntityManager, ...args) {
        const write = (manager: EntityManager): unknown => {
          const written = original.apply(manager, args) as Promise<unknown>;
          // Only in a transaction of the caller's; one of its own is over when it fails.
          if (!manager.queryRunner) return written;
          const connection = connectionOf(manager.queryRunner);
          return written.catch((error: unknown) => {
            connection?.note(error);
            throw error;
          });
        };
        const persist = (manager: EntityManager): unknown => context.withoutCache(() => write(manager));
        return versions ? versions.persist(this, name, args, persist) : persist(this);
      };
    }
    const connectionOfManager = this.connectionOfManager.bind(this);
    const transaction = plainMethods['transaction'] as Method;
    methods['transaction'] = function (this: EntityManager, ...args) {
      // `(run)`, `(isolation, run)`, and from DataSource `(run, undefined)`.
      const observed = args.map((arg) =>
        typeof arg === 'function'
          ? (inner: EntityManager): unknown =>
              inAmbient(context, connectionOfManager(inner), async () => (arg as Work)(inner))
          : arg,
      );
      return transaction.apply(this, observed);
    };
    const find = this.find.bind(this);
    for (const name of FIND_METHODS) {
      const original = plainMethods[name] as Method;
      methods[name] = function (this: EntityManager, target, options) {
        const bare: Find = () => original.call(this, target, options) as Promise<unknown>;
        return find(this, name, target as EntityTarget<ObjectLiteral>, options, bare);
      };
    }
    return Object.assign(Object.create(plain) as object, methods);
  }

  private connectionOfManager({ queryRunner }: EntityManager): ObservedConnection | undefined {
    return this.only ?? this.connectionOf(queryRunner);
  }

  private async find(
    manager: EntityManager,
    method: FindMethod,
    target: EntityTarget<ObjectLiteral>,
    options: unknown,
    bare: Find,
  ): Promise<unknown> {
    const connection = this.connectionOfManager(manager);
    const open = !this.services.context.bypass && !connection?.bypass;
    const key = open ? this.front.keyOf(method, target, options) : undefined;
    if (key === undefined) return bare();
    const plan = this.front.find(key);
    if (!plan) return this.front.learning(key, bare);
    if (this.door.hasNoGraph(plan.sql)) return bare();
    const load = (): Promise<object[]> => {
      const builder = manager.createQueryBuilder(target, plan.metadata.name);
      return loadGraph(builder.setFindOptions(findOptions(method, options)));
    };
    const detach = (): (() => Promise<object[]>) => {
      const builder = this.dataSource.manager.createQueryBuilder(target, plan.metadata.name);
      builder.setFindOptions(findOptions(method, options));
      return () => loadGraph(builder);
    };
    const entities = await this.services.cache.getOrSet({ ...plan, patient: true, load, detach });
    await broadcastLoad(plan, entities, () => manager.queryRunner ?? this.dataSource.createQueryRunner());
    return isSingle(method) ? (entities[0] ?? null) : entities;
  }
}

type Method = (this: EntityManager, ...args: unknown[]) => unknown;
type Find = () => Promise<unknown>;
type Work = (manager: EntityManager) => unknown;

/** What is invalidated by hand inside a transaction waits for its commit. */
async function inAmbient<T>(
  context: CacheContext,
  connection: ObservedConnection | undefined,
  run: () => Promise<T>,
): Promise<T> {
  if (!connection) return run();
  const ambient = new AmbientTransaction(connection.frames);
  try {
    return await context.inTransaction(ambient, run);
  } finally {
    // The COMMIT follows, with what is known now.
    ambient.end();
  }
}
