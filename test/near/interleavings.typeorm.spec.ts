import { Column, DataSource, Entity, PrimaryGeneratedColumn } from 'typeorm';
import type { BusSource } from '../../lib/drivers/bus.interface.js';
import type { CacheDriver } from '../../lib/drivers/cache-driver.interface.js';
import { NearDriver } from '../../lib/near-cache/near.driver.js';
import { ManualClock } from '../../lib/testing/manual-clock.js';
import { ObservedDataSource } from '../../lib/typeorm/observed-data-source.js';
import { cacheServices } from '../support/cached-data-source.js';
import { createDatabase, type TestDatabase } from '../support/databases.js';
import { BACKENDS, type TestBackend } from './backends.js';
import { HeldBus } from './held-bus.js';

/* The known interleavings (see interleavings.spec.ts) that need a database: two processes on PostgreSQL. */

@Entity('article')
class Article {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column()
  title!: string;

  @Column({ default: 0 })
  views!: number;
}

/** The same table under the same name, as the next release knows it: with a column more, and views as a text. */
function entityOfNextRelease() {
  @Entity('article')
  class Article {
    @PrimaryGeneratedColumn()
    id!: number;

    @Column()
    title!: string;

    @Column('int', { default: 0, transformer: { from: (views) => `${views} views`, to: parseInt } })
    views!: string;

    @Column({ default: 'none' })
    summary!: string;
  }
  return Article;
}
const ArticleOfNextRelease = entityOfNextRelease();

const BARRIER = 'g:barrier';
const NEVER = new Error('rolled back');

async function start(
  database: TestDatabase,
  backend: CacheDriver & BusSource,
  entity: typeof Article | typeof ArticleOfNextRelease,
) {
  const dataSource = await new DataSource({ ...database.options, entities: [entity] }).initialize();
  const bus = new HeldBus(backend);
  const driver = new NearDriver(backend, { maxBytes: 1_000_000, bus });
  await bus.joined;
  const services = await cacheServices({ driver });
  const observed = (await ObservedDataSource.attach(dataSource, 'default', services)) as ObservedDataSource;
  const articles = dataSource.getRepository<Article>(entity);
  return {
    dataSource,
    articles,
    bus,
    stats: () => services.instrumentation.stats(),
    title: async () => (await articles.findOneByOrFail({ id: 1 })).title,
    settled: () => services.invalidator.drain(),
    close: async () => {
      await services.invalidator.drain();
      observed.detach();
      await bus.close();
      services.context.dispose();
      await dataSource.destroy();
    },
  };
}

describe.each(BACKENDS)('on %s', (_name, createBackend) => {
  let backend: TestBackend;
  let database: TestDatabase;
  const processes: Awaited<ReturnType<typeof start>>[] = [];
  const run = async (entity: typeof Article | typeof ArticleOfNextRelease = Article) => {
    const process = await start(database, backend.driver, entity);
    processes.push(process);
    return process;
  };
  const heard = async (): Promise<void> => {
    for (const process of processes) await process.settled();
    const told = processes.map(({ bus }) => bus.tells(BARRIER));
    await backend.driver.restamp([BARRIER]);
    await Promise.all(told);
    for (const { bus } of processes) bus.deliver();
  };
  /** Everybody reads twice, so that what is kept is what is served. */
  const titles = async (): Promise<string[]> => {
    await heard();
    const all: string[] = [];
    for (const { title } of [...processes, ...processes]) all.push(await title());
    return [...new Set(all)];
  };

  beforeEach(async () => {
    backend = await createBackend(new ManualClock());
    database = await createDatabase('postgres');
    const entities = [ArticleOfNextRelease];
    const first = await new DataSource({ ...database.options, entities, synchronize: true }).initialize();
    await first.getRepository(ArticleOfNextRelease).insert({ title: 'old', views: '0' });
    await first.destroy();
  });
  afterEach(async () => {
    for (const process of processes.splice(0)) await process.close();
    await backend.dispose();
    await database.drop();
  });

  it('5. a transaction reads what it has written, and is rolled back', async () => {
    const [writer, reader] = [await run(), await run()];
    expect(await titles()).toEqual(['old']);
    const transaction = writer.dataSource.transaction(async (manager) => {
      await manager.update(Article, { id: 1 }, { title: 'never' });
      const own = await manager.findOneByOrFail(Article, { id: 1 });
      expect([own.title, await reader.title(), await writer.title()]).toEqual(['never', 'old', 'old']);
      throw NEVER;
    });
    await expect(transaction).rejects.toBe(NEVER);
    expect(await titles()).toEqual(['old']);
  });

  it('6. a savepoint is released, and the transaction around it rolled back', async () => {
    const [writer, reader] = [await run(), await run()];
    expect(await titles()).toEqual(['old']);
    const nested = (end: () => void): Promise<void> =>
      writer.dataSource.transaction(async (outer) => {
        await outer.transaction((inner) => inner.update(Article, { id: 1 }, { title: 'new' }));
        const own = await outer.findOneByOrFail(Article, { id: 1 });
        expect([own.title, await reader.title(), await writer.title()]).toEqual(['new', 'old', 'old']);
        end();
      });
    const rolledBack = nested(() => {
      throw NEVER;
    });
    await expect(rolledBack).rejects.toBe(NEVER);
    expect(await titles()).toEqual(['old']);
    await nested(() => undefined);
    expect(await titles()).toEqual(['new']);
  });

  it('15. the old release and the next one, with a column more, at the same time', async () => {
    const before = await run();
    expect(await titles()).toEqual(['old']);
    // It has written before, and so knows how the table is read: as far as there was only the old release.
    await before.articles.update({ id: 1 }, { title: 'old' });
    await heard();
    const after = await run(ArticleOfNextRelease);
    const { hits } = before.stats();
    const read = async (process: typeof before): Promise<object> => ({
      ...(await process.articles.findOneByOrFail({ id: 1 })),
    });
    const old = { id: 1, title: 'old', views: 0 };
    const next = { ...old, views: '0 views', summary: 'none' };
    expect([await read(before), await read(after)]).toEqual([old, next]);
    expect([await read(before), await read(after)]).toEqual([old, next]);
    expect([before.stats().hits - hits, after.stats().hits]).toEqual([1, 1]);
    // Where they ask for the same columns, their statements have the same text.
    const views = async ({ articles }: typeof before): Promise<unknown> =>
      (await articles.findOneOrFail({ where: { id: 1 }, select: { id: true, views: true } })).views;
    expect([await views(before), await views(after)]).toEqual([0, '0 views']);
    // By a column that the old release does not know of.
    const bySummary = async (): Promise<string[]> => {
      const found: Article[] = await after.articles.findBy({ summary: 'none' } as object);
      return found.map(({ title }) => title);
    };
    expect(await bySummary()).toEqual(['old']);
    await before.articles.update({ id: 1 }, { title: 'by the old' });
    expect(await titles()).toEqual(['by the old']);
    expect(await bySummary()).toEqual(['by the old']);
    await after.articles.update({ id: 1 }, { title: 'by the next', summary: 'some' } as object);
    expect(await titles()).toEqual(['by the next']);
    expect(await read(after)).toMatchObject({ summary: 'some' });
  });

  it('16. what came from the cache is changed and saved', async () => {
    const [writer, reader] = [await run(), await run()];
    expect(await titles()).toEqual(['old']);
    // What the first reads had to announce is heard now, so that the near caches keep from here on.
    expect(await titles()).toEqual(['old']);
    const article = await writer.articles.findOneByOrFail({ id: 1 });
    const { nearHits } = writer.stats();
    article.title = 'new';
    // Not saved yet: it is nobody else's object.
    expect(await titles()).toEqual(['old']);
    expect(writer.stats().nearHits).toBe(nearHits + 2);
    await writer.articles.save(article);
    expect(await titles()).toEqual(['new']);
    // What save() looks at, and finds as it should be.
    await writer.articles.save({ ...article });
    // Somebody whom no cache hears of: what save() compares with must be the row, not what is kept of it.
    const outside = await new DataSource(database.options).initialize();
    await outside.query(`UPDATE article SET title = 'theirs'`);
    await writer.articles.save({ ...article, title: 'new' });
    expect(await outside.query('SELECT title FROM article')).toEqual([{ title: 'new' }]);
    await outside.destroy();
    expect(await reader.title()).toBe('new');
  });
});
