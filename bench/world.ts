import { Redis } from 'ioredis';
import { DataSource, type DataSourceOptions, type ObjectLiteral, type Repository } from 'typeorm';
import type { CacheDriver } from '../lib/drivers/cache-driver.interface.js';
import { GuardedDriver } from '../lib/drivers/guarded.driver.js';
import { RedisDriver } from '../lib/drivers/redis.driver.js';
import { ObservedDataSource } from '../lib/typeorm/observed-data-source.js';
import {
  cacheServices,
  type CachedSource,
  type CachedSourceOptions,
} from '../test/support/cached-data-source.js';
import { createDatabase, type DatabaseKind } from '../test/support/databases.js';
import { CommandCounter, countsOf, StatementCounter } from './counters.js';
import type { Counts } from './comparison.js';
import { Article, articleRow, ROWS } from './entities.js';
import { startRedis } from './own-redis.mjs';

export type Services = CachedSource['services'];

/** A Redis of the benchmark's own, so that nobody else's commands and keys are measured, with one counted client. */
export interface OwnRedis {
  readonly url: URL;
  readonly client: Redis;
  readonly commands: CommandCounter;
  /** As the module wires it. */
  driver(): Promise<GuardedDriver>;
  close(): Promise<void>;
}

export async function ownRedis(): Promise<OwnRedis> {
  const { url, stop } = await startRedis();
  const client = new Redis(url);
  const commands = new CommandCounter(client);
  return {
    url: new URL(url),
    client,
    commands,
    driver: async () => {
      const driver = new GuardedDriver(await RedisDriver.create({ redis: client, prefix: 'bench:' }), {
        // What is measured while the guard bypasses the cache is not what the case says.
        onStateChange: (state, error) => console.warn(`  the cache is ${state}`, error ?? ''),
      });
      await driver.probe();
      return driver;
    },
    close: async () => {
      client.disconnect();
      await stop();
    },
  };
}

/** Articles in a database, reached in one of several ways. */
export interface Articles {
  readonly dataSource: DataSource;
  readonly repository: Repository<Article>;
  readonly observed: ObservedDataSource | undefined;
  readonly services: Services | undefined;
  readonly counts: () => Counts;
}

/** One database with all articles, and everything that was opened on it. */
export class ArticleDatabase {
  private readonly opened: Articles[] = [];

  private constructor(
    private readonly options: DataSourceOptions,
    private readonly drop: () => Promise<void>,
    private readonly entity: typeof Article,
  ) {}

  /**
   * @param durable false: PostgreSQL does not wait for the disk at a commit
   * @param entity of the articles
   */
  static async create(kind: DatabaseKind, durable = true, entity = Article): Promise<ArticleDatabase> {
    const { options, drop } = await createDatabase(kind, {
      entities: [entity],
      synchronize: true,
      ...(!durable && { extra: { options: '-c synchronous_commit=off' } }),
    });
    return new ArticleDatabase(options, drop, entity);
  }

  /** Plain TypeORM, with its own result cache if one is given. */
  async plain(cache?: DataSourceOptions['cache'], commands?: CommandCounter): Promise<Articles> {
    const { dataSource, statements } = await this.open({ ...(cache !== undefined && { cache }) });
    return this.keep({
      dataSource,
      observed: undefined,
      services: undefined,
      counts: countsOf({ statements, ...(commands && { commands }) }),
    });
  }

  /** TypeORM through our doors; without a driver the cache is in memory. */
  async cached(
    driver?: CacheDriver,
    commands?: CommandCounter,
    options: Pick<CachedSourceOptions, 'ops' | 'versioning'> = {},
  ): Promise<Articles> {
    const { dataSource, statements } = await this.open({});
    const services = await cacheServices({ ...options, ...(driver && { driver }) });
    const observed = await ObservedDataSource.attach(dataSource, 'default', services);
    const { instrumentation } = services;
    return this.keep({
      dataSource,
      observed,
      services,
      counts: countsOf({ instrumentation, statements, ...(commands && { commands }) }),
    });
  }

  async close(): Promise<void> {
    for (const { services, dataSource } of this.opened) {
      await services?.invalidator.drain();
      if (services) services.context.dispose();
      await dataSource.destroy();
    }
    await this.drop();
  }

  private async open(extra: Partial<DataSourceOptions>) {
    const statements = new StatementCounter();
    const options = { ...this.options, ...extra, logging: true, logger: statements } as DataSourceOptions;
    const dataSource = await new DataSource(options).initialize();
    const repository = dataSource.getRepository(this.entity);
    if ((await repository.count()) === 0) {
      await repository.insert(Array.from({ length: ROWS }, (_, index) => articleRow(index)));
    }
    return { dataSource, statements };
  }

  private keep(articles: Omit<Articles, 'repository'>): Articles {
    const kept = { ...articles, repository: articles.dataSource.getRepository(this.entity) };
    this.opened.push(kept);
    return kept;
  }
}

/** Whether two results are the same data, whatever made them. */
export function sameData(one: ObjectLiteral | null, other: ObjectLiteral | null): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
