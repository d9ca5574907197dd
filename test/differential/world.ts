import { Redis } from 'ioredis';
import { DataSource, type EntityManager } from 'typeorm';
import type { Token } from '../../lib/core/token.js';
import type { BusListener, BusOptions, BusSource, InvalidationBus } from '../../lib/drivers/bus.interface.js';
import type { CacheDriver } from '../../lib/drivers/cache-driver.interface.js';
import { RedisDriver } from '../../lib/drivers/redis.driver.js';
import { NearDriver } from '../../lib/near-cache/near.driver.js';
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
  /** With a near cache in each process. */
  readonly near?: 'tracked' | 'checked';
}

export type Process = Pick<CachedSource, 'dataSource' | 'observed' | 'services' | 'log'>;

/** A database, the processes that read and write it through the cache, and the view of it that passes no cache. */
export class World {
  private constructor(
    readonly options: WorldOptions,
    readonly processes: readonly Process[],
    private readonly plain: DataSource | undefined,
    private readonly backends: readonly Backend[],
    readonly close: () => Promise<void>,
  ) {}

  static async open(options: WorldOptions): Promise<World> {
    const { kind } = options;
    const entities = differentialEntities(kind);
    const backends: Backend[] = [];
    const backend = async (): Promise<Pick<CachedSource['services'], 'driver'> | undefined> => {
      if (options.driver === 'memory') return undefined;
      const made = await Backend.open(backends[0]?.prefix ?? uniquePrefix(), options.near);
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
      for (const { driver, client } of backends) {
        await driver.close();
        client.disconnect();
      }
    };
    return new World(options, second ? [first, second] : [first], plain, backends, close);
  }

  process(number: number): Process {
    return this.processes[number % this.processes.length] as Process;
  }

  /** What the database holds now, past every cache. SQLite in memory has one connection only. */
  async uncached<T>(process: Process, work: (manager: EntityManager) => Promise<T>): Promise<T> {
    if (this.plain) return work(this.plain.manager);
    return process.services.context.withoutCache(() => work(process.dataSource.manager));
  }

  /**
   * Lets the settles under way end, so that a run does the same each time, and everybody hear of them: by how much a
   * tracked near cache may be behind is tested elsewhere.
   */
  async quiet(): Promise<void> {
    for (const { services } of this.processes) await services.invalidator.drain();
    const buses = this.backends.flatMap(({ bus }) => bus ?? []);
    if (buses.length === 0) return;
    const told = buses.map((bus) => bus.barrier());
    await this.backends[0]?.driver.restamp([BARRIER]);
    await Promise.all(told);
  }
}

const BARRIER = 'g:barrier';
const NEAR_BYTES = 8_000_000;
/** Milliseconds: a slow machine must not make it look as if the bus were late. */
const NO_LAG = 600_000;

/** A bus that also tells the test when all was told. */
class WatchedBus implements BusSource {
  readonly joined: Promise<void>;
  private isJoined: () => void = () => undefined;
  private told: () => void = () => undefined;

  constructor(private readonly source: BusSource) {
    this.joined = new Promise((resolve) => (this.isJoined = resolve));
  }

  openBus(listener: BusListener, options: BusOptions): InvalidationBus {
    const joined = (): void => {
      listener.joined();
      this.isJoined();
    };
    const invalidated = (tokens: readonly Token[]): void => {
      listener.invalidated(tokens);
      if (tokens.includes(BARRIER)) this.told();
    };
    return this.source.openBus({ joined, invalidated, lost: (reason) => listener.lost(reason) }, options);
  }

  /** Resolves with the next barrier. */
  barrier(): Promise<void> {
    return new Promise((resolve) => (this.told = resolve));
  }
}

class Backend {
  private constructor(
    readonly prefix: string,
    readonly client: Redis,
    readonly driver: CacheDriver,
    readonly bus?: WatchedBus,
  ) {}

  static async open(prefix: string, near: WorldOptions['near']): Promise<Backend> {
    const client = new Redis(redisUrl());
    const inner = await RedisDriver.create({ redis: client, prefix });
    if (near === undefined) return new Backend(prefix, client, inner);
    const bus = near === 'tracked' ? new WatchedBus(inner) : undefined;
    const driver = new NearDriver(inner, { maxBytes: NEAR_BYTES, maxLag: NO_LAG, bus });
    await bus?.joined;
    return new Backend(prefix, client, driver, bus);
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
