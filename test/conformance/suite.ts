import { Redis } from 'ioredis';
import type { EntityManager, EntityTarget, ObjectLiteral, Repository } from 'typeorm';
import type { CacheDriver } from '../../lib/drivers/cache-driver.interface.js';
import { GuardedDriver } from '../../lib/drivers/guarded.driver.js';
import { MemoryDriver } from '../../lib/drivers/memory.driver.js';
import { RedisDriver } from '../../lib/drivers/redis.driver.js';
import { ChaosDriver } from '../../lib/testing/chaos.driver.js';
import { cachedSource, type CachedSource, type CachedSourceOptions } from '../support/cached-data-source.js';
import type { DatabaseKind } from '../support/databases.js';
import { dropPrefix, redisUrl, uniquePrefix } from '../support/redis.js';

export const BACKENDS = ['memory', 'redis'] as const;
export type Backend = (typeof BACKENDS)[number];

export interface SuiteOptions extends Omit<CachedSourceOptions, 'driver'> {
  readonly backend?: Backend;
  /** Rows that every test finds, by entity, parents first. */
  readonly rows?: readonly (readonly [EntityTarget<ObjectLiteral>, readonly ObjectLiteral[]])[];
}

/** A driver that starts from nothing in each test, as the original suite flushes Redis. */
class ResettableDriver implements CacheDriver {
  readonly capabilities: CacheDriver['capabilities'];
  chaos = new ChaosDriver(new MemoryDriver());
  private readonly root = uniquePrefix();
  private resets = 0;

  constructor(private readonly backend: Backend) {
    this.capabilities = { shared: backend === 'redis' };
  }

  async reset(): Promise<void> {
    await this.chaos.close();
    this.chaos = new ChaosDriver(
      this.backend === 'memory' ? new MemoryDriver() : await redisDriver(`${this.root}${++this.resets}:`),
    );
  }

  async close(): Promise<void> {
    await this.chaos.close();
    if (this.backend === 'memory') return;
    const client = new Redis(redisUrl());
    await dropPrefix(client, this.root);
    client.disconnect();
  }

  read: CacheDriver['read'] = (...args) => this.chaos.read(...args);
  states: CacheDriver['states'] = (...args) => this.chaos.states(...args);
  pin: CacheDriver['pin'] = (...args) => this.chaos.pin(...args);
  write: CacheDriver['write'] = (...args) => this.chaos.write(...args);
  pend: CacheDriver['pend'] = (...args) => this.chaos.pend(...args);
  settle: CacheDriver['settle'] = (...args) => this.chaos.settle(...args);
  restamp: CacheDriver['restamp'] = (...args) => this.chaos.restamp(...args);
  registries: CacheDriver['registries'] = (...args) => this.chaos.registries(...args);
  expire: CacheDriver['expire'] = (...args) => this.chaos.expire(...args);
  lease: CacheDriver['lease'] = (...args) => this.chaos.lease(...args);
  unlease: CacheDriver['unlease'] = (...args) => this.chaos.unlease(...args);
  delete: CacheDriver['delete'] = (...args) => this.chaos.delete(...args);
}

/** The driver as the module builds it. */
async function redisDriver(prefix: string): Promise<CacheDriver> {
  const guarded = new GuardedDriver(await RedisDriver.create({ redis: redisUrl(), prefix }), {
    readTimeout: 5_000,
  });
  await guarded.probe();
  return guarded;
}

/** One database of one kind, read and written through the cache; rows and cache are new in each test. */
export class Suite {
  source!: CachedSource;
  private readonly driver: ResettableDriver;

  constructor(
    readonly kind: DatabaseKind,
    private readonly options: SuiteOptions,
  ) {
    this.driver = new ResettableDriver(options.backend ?? 'memory');
  }

  get manager(): EntityManager {
    return this.source.dataSource.manager;
  }

  get chaos(): ChaosDriver {
    return this.driver.chaos;
  }

  repo<T extends ObjectLiteral>(entity: EntityTarget<T>): Repository<T> {
    return this.source.dataSource.getRepository(entity);
  }

  /** SELECTs that reach the database while `work` runs: the number that the original suite calls q. */
  async q(work: () => Promise<unknown>): Promise<number> {
    await this.settled();
    return this.source.log.readsDuring(work);
  }

  /** Runs `read` through the cache and past it; fails when they differ. */
  async fresh<T>(read: () => Promise<T>): Promise<T> {
    await this.settled();
    const cached = await read();
    expect(cached).toEqual(await this.uncached(read));
    return cached;
  }

  uncached<T>(read: () => Promise<T>): Promise<T> {
    return this.source.services.context.withoutCache(read);
  }

  /** Waits until the writes so far have taken their marks away, which happens off the critical path. */
  settled(): Promise<void> {
    return this.source.services.invalidator.drain();
  }

  async open(): Promise<void> {
    this.source = await cachedSource(this.kind, { ...this.options, driver: this.driver });
    if (this.kind === 'postgres') await this.advanceSequences();
  }

  async reset(): Promise<void> {
    const { context } = this.source.services;
    await context.withoutInvalidation(() => this.refill());
    await this.settled();
    await this.driver.reset();
    this.source.log.clear();
    this.source.events.length = 0;
  }

  async close(): Promise<void> {
    await this.source.close();
    await this.driver.close();
  }

  private async refill(): Promise<void> {
    const { dataSource } = this.source;
    const runner = dataSource.createQueryRunner();
    const tables = [...new Set(dataSource.entityMetadatas.map((m) => dataSource.driver.escape(m.tableName)))];
    try {
      await runner.query(FOREIGN_KEYS[this.kind].off);
      for (const table of tables) await runner.query(`DELETE FROM ${table}`);
      for (const [entity, rows] of this.options.rows ?? []) {
        await this.insert(runner.manager, entity, rows);
      }
      await runner.query(FOREIGN_KEYS[this.kind].on);
    } finally {
      await runner.release();
    }
  }

  /** PostgreSQL ignores ids that are given for a generated column, unless the column is named. */
  private async insert(
    manager: EntityManager,
    entity: EntityTarget<ObjectLiteral>,
    rows: readonly ObjectLiteral[],
  ) {
    const { discriminatorColumn } = manager.connection.getMetadata(entity);
    const columns = [
      ...Object.keys(rows[0] ?? {}),
      ...(discriminatorColumn ? [discriminatorColumn.propertyPath] : []),
    ];
    await manager
      .createQueryBuilder()
      .insert()
      .into(entity, columns)
      .values(rows.map((row) => ({ ...row })))
      .execute();
  }

  /** Rows of the fixture name their ids; those that tests add must not collide with them. */
  private async advanceSequences(): Promise<void> {
    await this.source.dataSource
      .query(`SELECT setval(format('%I.%I', schemaname, sequencename)::regclass, 1000)
      FROM pg_sequences WHERE schemaname = 'public'`);
  }
}

const FOREIGN_KEYS = {
  sqlite: { off: 'PRAGMA foreign_keys = OFF', on: 'PRAGMA foreign_keys = ON' },
  postgres: { off: 'SET session_replication_role = replica', on: 'RESET session_replication_role' },
  mariadb: { off: 'SET FOREIGN_KEY_CHECKS = 0', on: 'SET FOREIGN_KEY_CHECKS = 1' },
} as const;

/** Opens the database before the tests of the surrounding `describe`, and refills it before each. */
export function useSuite(kind: DatabaseKind, options: SuiteOptions): Suite {
  const suite = new Suite(kind, options);
  beforeAll(() => suite.open());
  beforeEach(() => suite.reset());
  afterAll(() => suite.close());
  return suite;
}
