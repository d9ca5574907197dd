import { Redis } from 'ioredis';
import { DataSource, type EntityTarget, type ObjectLiteral } from 'typeorm';
import { GuardedDriver } from '../../lib/drivers/guarded.driver.js';
import { RedisDriver } from '../../lib/drivers/redis.driver.js';
import { ObservedDataSource } from '../../lib/typeorm/observed-data-source.js';
import { cachedSource, cacheServices, type CachedSource } from '../support/cached-data-source.js';
import { dropPrefix, redisUrl, uniquePrefix } from '../support/redis.js';
import { StatementLog } from '../support/statement-log.js';
import { freePort, OwnRedis } from '../nest/redis-server.js';
import { FaultyProxy } from '../drivers/faulty-proxy.js';
import { BLOG, Category, Post } from './entities/blog.js';

/** What a process of the application has: a DataSource, services and a connection to Redis of its own. */
interface Process {
  readonly dataSource: DataSource;
  readonly services: CachedSource['services'];
  readonly guarded: GuardedDriver;
  readonly log: StatementLog;
  close(): Promise<void>;
}

async function guard(redis: string, prefix: string): Promise<GuardedDriver> {
  const guarded = new GuardedDriver(await RedisDriver.create({ redis, prefix }), {
    readTimeout: 2_000,
    breaker: { cooldown: 20 },
  });
  await guarded.probe();
  return guarded;
}

/** Another process on the database of `source`. */
async function join(
  source: CachedSource,
  entities: typeof BLOG,
  redis: string,
  prefix: string,
): Promise<Process> {
  const guarded = await guard(redis, prefix);
  const services = await cacheServices({ driver: guarded });
  const log = new StatementLog();
  const options = { ...source.dataSource.options, entities, synchronize: false, logger: log };
  const dataSource = await new DataSource(options).initialize();
  await ObservedDataSource.attach(dataSource, 'default', services);
  log.clear();
  const close = async () => {
    await services.invalidator.drain();
    await dataSource.destroy();
    await guarded.close();
    services.context.dispose();
  };
  return { dataSource, services, guarded, log, close };
}

const repo = <T extends ObjectLiteral>(process: Pick<Process, 'dataSource'>, entity: EntityTarget<T>) =>
  process.dataSource.getRepository(entity);

describe.each(['postgres', 'mariadb'] as const)('successor cases: Redis on %s', (kind) => {
  let source: CachedSource;
  let client: Redis;
  let prefix: string;
  let processes: Process[];

  beforeAll(async () => {
    source = await cachedSource(kind, { entities: BLOG });
    client = new Redis(redisUrl());
  });
  afterAll(async () => {
    await source.close();
    client.disconnect();
  });

  beforeEach(async () => {
    prefix = uniquePrefix();
    processes = [];
    await repo(source, Post).createQueryBuilder().delete().execute();
    await repo(source, Category).createQueryBuilder().delete().execute();
    await insert(
      Category,
      ['id', 'title'],
      [
        { id: 1, title: 'Django' },
        { id: 2, title: 'Rails' },
      ],
    );
    await insert(
      Post,
      ['id', 'title', 'categoryId'],
      [
        { id: 1, title: 'a', categoryId: 1 },
        { id: 2, title: 'b', categoryId: 2 },
      ],
    );
  });
  afterEach(async () => {
    for (const process of processes) await process.close();
    await dropPrefix(client, prefix);
  });

  async function insert(
    entity: EntityTarget<ObjectLiteral>,
    columns: string[],
    rows: ObjectLiteral[],
  ): Promise<void> {
    await source.dataSource.createQueryBuilder().insert().into(entity, columns).values(rows).execute();
  }
  async function open(entities = BLOG, redis = redisUrl()): Promise<Process> {
    const process = await join(source, entities, redis, prefix);
    processes.push(process);
    return process;
  }
  const keys = async (): Promise<string[]> => {
    const found: string[] = [];
    for await (const some of client.scanStream({ match: `${prefix}*`, count: 500 }))
      found.push(...(some as string[]));
    return found.map((key) => key.slice(prefix.length)).sort();
  };
  const reads = (process: Process): (() => Promise<unknown>)[] => [
    () => repo(process, Post).findOneBy({ id: 1 }),
    () => repo(process, Post).findBy({ categoryId: 1 }),
    () => repo(process, Post).countBy({ visible: true }),
    () =>
      repo(process, Post).find({ where: { categoryId: 1, visible: true }, relations: { category: true } }),
    () => repo(process, Category).find({ order: { id: 'ASC' } }),
    () => repo(process, Post).createQueryBuilder('p').select('MAX(p.id)', 'n').getRawOne(),
  ];
  async function allFresh(process: Process): Promise<void> {
    await process.services.invalidator.drain();
    for (const read of reads(process)) {
      expect(await read()).toEqual(await process.services.context.withoutCache(read));
    }
  }
  async function change(process: Process): Promise<void> {
    await repo(process, Post).update({ id: 1 }, { title: 'changed', categoryId: 2 });
    await repo(process, Post).update({ categoryId: 2 }, { visible: false });
    await repo(process, Category).update({ id: 1 }, { title: 'changed' });
  }

  it('CO-X12 there is nothing to reap: every key runs out by itself', async () => {
    const process = await open();
    await allFresh(process);
    await change(process);
    await allFresh(process);
    const all = (await keys()).filter((key) => key !== 'id');
    expect(all.length).toBeGreaterThan(8);
    for (const key of all) expect([key, (await client.pttl(prefix + key)) > 0]).toEqual([key, true]);
  });

  it('CO-X14 and CO-138 a prefix is a cache of its own; the same prefix is one cache', async () => {
    const [one, same] = [await open(), await open()];
    const count = (process: Process) => () => repo(process, Post).countBy({ visible: true });
    await count(one)();
    expect(await same.log.readsDuring(count(same))).toBe(0);
    const shared = prefix;
    prefix = uniquePrefix();
    const other = await open();
    expect(await other.log.readsDuring(count(other))).toBe(1);
    await repo(other, Post).update({ id: 1 }, { visible: false });
    await other.services.invalidator.drain();
    expect(await other.log.readsDuring(count(other))).toBe(1);
    // The keys of the other prefix were not touched; that is what it is for.
    expect(await one.log.readsDuring(count(one))).toBe(0);
    await dropPrefix(client, shared);
  });

  it('CO-X17 the loss of any dependency key fails safe', async () => {
    const process = await open();
    for (let i = 0; ; i++) {
      await change(process);
      await repo(process, Post).update({ id: 1 }, { title: 'a', categoryId: 1, visible: true });
      await allFresh(process);
      const lost = (await keys()).filter((key) => /^[sc]:/.test(key))[i];
      if (lost === undefined) {
        expect(i).toBeGreaterThan(8);
        break;
      }
      await client.unlink(prefix + lost);
      await change(process);
      await allFresh(process);
    }
  });

  it('CO-X17 the loss of everything but the entries fails safe', async () => {
    const process = await open();
    await allFresh(process);
    await client.unlink((await keys()).filter((key) => !key.startsWith('e:')).map((key) => prefix + key));
    await change(process);
    await allFresh(process);
  });

  it('CO-X20 an entry of one process is a hit in another, whatever the order of entities and conditions', async () => {
    const [one, two] = [await open(), await open([...BLOG].reverse())];
    const join = (process: Process, order: string[]) => () => {
      const query = repo(process, Post).createQueryBuilder('p').innerJoin('p.category', 'c');
      return query
        .where('p.categoryId IN (:...ids)', { ids: order })
        .andWhere('c.title <> :t', { t: 'x' })
        .getMany();
    };
    for (const read of [...reads(one), join(one, ['1', '2'])]) await read();
    for (const read of [...reads(two), join(two, ['1', '2'])])
      expect(await two.log.readsDuring(read)).toBe(0);
    await change(two);
    await two.services.invalidator.drain();
    await allFresh(one);
    await allFresh(two);
  });

  describe('CO-X18 Redis goes away', () => {
    let server: OwnRedis;
    let port: number;
    let url: string;
    beforeEach(async () => {
      port = await freePort();
      url = `redis://127.0.0.1:${port}`;
      server = new OwnRedis(port);
      await server.start();
    });
    afterEach(() => server.remove());

    /** Writes the data to where the next start takes it from. */
    async function snapshot(): Promise<void> {
      const own = new Redis(url);
      await own.save();
      own.disconnect();
    }

    it.each([
      ['and comes back empty', false],
      ['and comes back with data of before the write', true],
    ])('CO-X18 Redis goes away %s: nothing stale is served', async (_title, keeps) => {
      const [writer, reader] = [await open(BLOG, url), await open(BLOG, url)];
      await allFresh(writer);
      await allFresh(reader);
      if (keeps) await snapshot();
      await server.stop();
      await change(writer);
      await allFresh(writer);
      await allFresh(reader);
      await server.start();
      for (const process of [writer, reader]) await recovered(process);
      await allFresh(reader);
      await allFresh(writer);
      const again = reads(reader)[0]!;
      await again();
      expect(await reader.log.readsDuring(again)).toBe(0);
    });

    it('CO-X18 a writer that alone loses Redis: what it wrote is made good once it is back', async () => {
      const proxy = new FaultyProxy({ host: '127.0.0.1', port });
      await proxy.listen();
      const writer = await open(BLOG, `redis://127.0.0.1:${proxy.port}`);
      const reader = await open(BLOG, url);
      await allFresh(writer);
      await allFresh(reader);
      await proxy.refuse();
      await change(writer);
      await allFresh(writer);
      await proxy.listen();
      await recovered(writer);
      await allFresh(reader);
      await allFresh(writer);
      await writer.guarded.close();
      await proxy.refuse();
    });
  });

  async function recovered(process: Process): Promise<void> {
    while (!(await process.guarded.probe())) await new Promise((resolve) => setImmediate(resolve));
  }
});
