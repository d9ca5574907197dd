import { Redis } from 'ioredis';
import { DataSource, type EntityManager } from 'typeorm';
import { RedisDriver } from '../../lib/drivers/redis.driver.js';
import { ObservedDataSource } from '../../lib/typeorm/observed-data-source.js';
import { cachedSource, cacheServices, type CachedSource } from '../support/cached-data-source.js';
import type { DatabaseKind } from '../support/databases.js';
import { dropPrefix, redisUrl, uniquePrefix } from '../support/redis.js';
import { StatementLog } from '../support/statement-log.js';
import { differentialEntities } from './model.js';

/** Where a trace is run. */
export interface WorldOptions {
  readonly kind: DatabaseKind;
  readonly driver: 'memory' | 'redis';
  /** More than one share the database and the Redis, not their memory. */
  readonly processes: 1 | 2;
}

export type Process = Pick<CachedSource, 'dataSource' | 'observed' | 'services' | 'log'>;

/** A database, the processes that read and write it through the cache, and the view of it that passes no cache. */
export class World {
  private constructor(
    readonly options: WorldOptions,
    readonly processes: readonly Process[],
    private readonly plain: DataSource | undefined,
    readonly close: () => Promise<void>,
  ) {}

  static async open(options: WorldOptions): Promise<World> {
    const { kind } = options;
    const entities = differentialEntities(kind);
    const backends: Backend[] = [];
    const backend = async (): Promise<Pick<CachedSource['services'], 'driver'> | undefined> => {
      if (options.driver === 'memory') return undefined;
      const made = await Backend.open(backends[0]?.prefix ?? uniquePrefix());
      backends.push(made);
      return { driver: made.driver };
    };
    const first = await cachedSource(kind, { entities, ...(await backend()) });
    const second = options.processes === 2 ? await joining(first, await backend()) : undefined;
    const plain =
      kind === 'sqlite'
        ? undefined
        : await new DataSource({
            ...first.dataSource.options,
            logging: false,
            synchronize: false,
          }).initialize();
    const close = async (): Promise<void> => {
      await plain?.destroy();
      await second?.services.invalidator.drain();
      second?.services.context.dispose();
      await second?.dataSource.destroy();
      await first.close();
      for (const { prefix, client } of backends.slice(0, 1)) await dropPrefix(client, prefix);
      for (const { client } of backends) client.disconnect();
    };
    return new World(options, second ? [first, second] : [first], plain, close);
  }

  process(number: number): Process {
    return this.processes[number % this.processes.length] as Process;
  }

  /** What the database holds now, past every cache. SQLite in memory has one connection only. */
  async uncached<T>(process: Process, work: (manager: EntityManager) => Promise<T>): Promise<T> {
    if (this.plain) return work(this.plain.manager);
    return process.services.context.withoutCache(() => work(process.dataSource.manager));
  }

  /** Lets the settles under way end, so that a run does the same each time. */
  async quiet(): Promise<void> {
    for (const { services } of this.processes) await services.invalidator.drain();
  }
}

class Backend {
  private constructor(
    readonly prefix: string,
    readonly client: Redis,
    readonly driver: RedisDriver,
  ) {}

  static async open(prefix: string): Promise<Backend> {
    const client = new Redis(redisUrl());
    return new Backend(prefix, client, await RedisDriver.create({ redis: client, prefix }));
  }
}

async function joining(
  first: CachedSource,
  backend: Pick<CachedSource['services'], 'driver'> | undefined,
): Promise<Process> {
  const log = new StatementLog();
  const dataSource = await new DataSource({
    ...first.dataSource.options,
    logger: log,
    synchronize: false,
  }).initialize();
  const services = await cacheServices({ ...backend });
  const observed = await ObservedDataSource.attach(dataSource, 'default', services);
  if (!observed) throw new Error('no doors');
  return { dataSource, observed, services, log };
}
