import { DATABASES } from '../support/databases.js';
import { MemoryDriver } from '../../lib/drivers/memory.driver.js';
import { cachedSource, type CachedSource } from '../support/cached-data-source.js';
import { BLOG, Category } from './entities/blog.js';
import {
  FirstConcrete,
  Media,
  MEDIA,
  Movie,
  Scene,
  SecondConcrete,
  UncachedVideo,
  Video,
  VideoProxy,
  VideoSibling,
} from './entities/media.js';
import { Brand, Label, MUSIC } from './entities/music.js';
import { useSuite } from './suite.js';

describe.each(DATABASES)('cacheops ProxyTests and MultitableInheritanceTests on %s', (kind) => {
  const suite = useSuite(kind, {
    entities: MEDIA,
    rows: [[Video, [{ id: 1, title: 'Pulp Fiction' }]]],
    rules: [{ entity: 'UncachedVideo', profile: false }],
  });
  const videos = () => suite.repo(Video).find({ order: { id: 'ASC' } });
  const proxies = () => suite.repo(VideoProxy).find({ order: { id: 'ASC' } });

  async function rereads(read: () => Promise<unknown[]>, write: () => Promise<unknown>, length: number) {
    await read();
    expect(await suite.q(read)).toBe(0);
    await write();
    expect(await suite.q(read)).toBe(1);
    expect(await suite.fresh(read)).toHaveLength(length);
  }

  it('CO-103 30: a row of the table comes, the other entity of the table is read again', () =>
    rereads(proxies, () => suite.repo(Video).save({ title: 'Kill Bill' }), 2));

  it('CO-104 30 reversed', () =>
    rereads(videos, () => suite.repo(VideoProxy).save({ title: 'Kill Bill' }), 2));

  it('CO-105 interchange: entities of one table have entries of their own', async () => {
    await videos();
    expect(await suite.q(proxies)).toBe(1);
    expect((await suite.fresh(proxies))[0]).toBeInstanceOf(VideoProxy);
  });

  it('CO-106 148: deleted through an entity that is never cached', async () => {
    await suite.repo(Video).findOneByOrFail({ id: 1 });
    await suite.repo(UncachedVideo).remove(await suite.repo(UncachedVideo).findOneByOrFail({ id: 1 }));
    await expect(suite.repo(Video).findOneByOrFail({ id: 1 })).rejects.toThrow('Could not find');
  });

  it('CO-107 148 reversed: an entity that is never cached is never served from the cache', async () => {
    const get = () => suite.repo(UncachedVideo).findOneByOrFail({ id: 1 });
    await get();
    expect(await suite.q(get)).toBe(1);
    await suite.repo(VideoProxy).findOneByOrFail({ id: 1 });
    await suite.repo(UncachedVideo).delete({ id: 1 });
    await expect(suite.repo(VideoProxy).findOneByOrFail({ id: 1 })).rejects.toThrow('Could not find');
  });

  it('CO-108 siblings', () =>
    rereads(proxies, () => suite.repo(VideoSibling).save({ title: 'Kill Bill' }), 2));

  it.each([
    ['CO-109 proxy caching, the first entity first', [Video, VideoProxy]],
    ['CO-110 proxy caching, the other entity first', [VideoProxy, Video]],
  ])('%s: instances of exactly the class that was asked for', async (_title, classes) => {
    for (const target of [...classes, ...classes]) {
      const row = await suite.repo<Video>(target).findOneByOrFail({ id: 1 });
      expect(Object.getPrototypeOf(row)).toBe(target.prototype);
    }
  });

  it('CO-111 a row of a child entity counts among those of its parent', async () => {
    const count = () => suite.repo(Media).count();
    expect(await count()).toBe(0);
    await suite.repo(Movie).save({ name: 'Pulp Fiction', year: 1994 });
    expect(await suite.q(count)).toBe(1);
    expect(await suite.fresh(count)).toBe(1);
    expect((await suite.repo(Media).find())[0]).toBeInstanceOf(Movie);
  });

  it('CO-112 a row that is saved as its parent entity', async () => {
    const { id } = await suite.repo(Movie).save({ name: 'Pulp Fiction', year: 1994 });
    const movies = () => suite.repo(Movie).find();
    await movies();
    expect(await suite.q(movies)).toBe(0);
    await suite.repo(Media).update({ id }, { name: 'Kill Bill' });
    expect(await suite.q(movies)).toBe(1);
    expect((await suite.fresh(movies))[0]?.name).toBe('Kill Bill');
  });

  it('CO-112 a sibling entity has rows of its own', async () => {
    const movies = () => suite.repo(Movie).find();
    expect(await movies()).toHaveLength(0);
    await suite.repo(Scene).save({ name: 'Twist', place: 'Jack Rabbit Slim’s' });
    expect(await suite.q(movies)).toBe(0);
    await suite.fresh(movies);
  });

  it('CO-133 model family: a table is the family, an abstract base is not', async () => {
    const { catalog, dataSource } = suite.source.observed;
    const family = (target: typeof Video | typeof Media) => {
      const id = catalog.idOf(dataSource.getMetadata(target));
      return dataSource.entityMetadatas
        .filter((m) => catalog.idOf(m) === id)
        .map((m) => m.name)
        .sort();
    };
    expect(family(Video)).toEqual(['UncachedVideo', 'Video', 'VideoProxy', 'VideoSibling']);
    expect(family(Movie)).toEqual(['Media', 'Movie', 'Scene']);
    const first = () => suite.repo(FirstConcrete).find();
    await first();
    await suite.repo(SecondConcrete).save({ name: 'x' });
    expect(await suite.q(first)).toBe(0);
  });
});

describe.each(DATABASES)('cacheops MultiDBTests on %s', (kind) => {
  const driver = new MemoryDriver();
  let main: CachedSource;
  let slave: CachedSource;
  const count =
    ({ dataSource }: CachedSource) =>
    () =>
      dataSource.getRepository(Category).count();
  const categories = ({ dataSource }: CachedSource) => dataSource.getRepository(Category);

  async function q(source: CachedSource, work: () => Promise<unknown>): Promise<number> {
    await Promise.all([main, slave].map(({ services }) => services.invalidator.drain()));
    return source.log.readsDuring(work);
  }

  beforeAll(async () => {
    const options = { entities: [...BLOG, ...MUSIC], driver };
    main = await cachedSource(kind, options);
    slave = await cachedSource(kind, { ...options, name: 'slave' });
  });

  afterAll(async () => {
    await main.close();
    await slave.close();
  });

  beforeEach(async () => {
    for (const source of [main, slave]) {
      await categories(source).createQueryBuilder().delete().execute();
      await categories(source).insert([{ title: 'Django' }, { title: 'Rails' }]);
      await count(source)();
    }
    await q(main, count(main));
    await q(slave, count(slave));
  });

  async function onlySlave(write: () => Promise<unknown>, left: number): Promise<void> {
    expect([await q(main, count(main)), await q(slave, count(slave))]).toEqual([0, 0]);
    await write();
    expect(await q(main, count(main))).toBe(0);
    expect(await q(slave, count(slave))).toBe(1);
    expect([await count(main)(), await count(slave)()]).toEqual([2, left]);
  }
  const one = () => categories(slave).findOneByOrFail({ title: 'Django' });

  it('CO-113 save on another DataSource', () =>
    onlySlave(() => categories(slave).save({ title: 'Perl' }), 3));

  it('CO-114 delete on another DataSource', () =>
    onlySlave(async () => categories(slave).remove(await one()), 1));

  it('CO-115 bulk create on another DataSource', () =>
    onlySlave(() => categories(slave).insert([{ title: 'a' }, { title: 'b' }]), 4));

  it('CO-116 invalidated update on another DataSource', async () => {
    const titled =
      ({ dataSource }: CachedSource) =>
      () =>
        dataSource.getRepository(Category).findBy({ title: 'Django' });
    for (const source of [main, slave]) await titled(source)();
    await categories(slave).update({ title: 'Django' }, { title: 'Flask' });
    expect(await q(main, titled(main))).toBe(0);
    expect(await q(slave, titled(slave))).toBe(1);
    expect([(await titled(main)()).length, (await titled(slave)()).length]).toEqual([1, 0]);
  });

  it('CO-117 many-to-many changes stay in their DataSource', async () => {
    const labels =
      ({ dataSource }: CachedSource, id: number) =>
      () =>
        dataSource.getRepository(Label).find({ where: { brands: { id } } });
    const ids = [];
    for (const { dataSource } of [main, slave]) {
      ids.push([
        (await dataSource.getRepository(Brand).save({ name: 'b' })).id,
        (await dataSource.getRepository(Label).save({ text: 'l' })).id,
      ] as const);
    }
    const [[mainBrand], [brand, label]] = ids as [readonly [number, number], readonly [number, number]];
    await q(main, labels(main, mainBrand));
    await q(slave, labels(slave, brand));
    await slave.dataSource.createQueryBuilder().relation(Brand, 'labels').of(brand).add(label);
    expect(await q(main, labels(main, mainBrand))).toBe(0);
    expect(await q(slave, labels(slave, brand))).toBe(1);
    expect(await labels(slave, brand)()).toHaveLength(1);
  });

  it('CO-065 #265: create, save and update touch their own database only', async () => {
    const log = main.log.statements.length;
    const { id } = await categories(slave).save({ title: 'Perl' });
    await categories(slave).save({ id, title: 'Raku' });
    await categories(slave).update({ id }, { title: 'Raku 6' });
    expect(await categories(slave).findOneBy({ id })).toMatchObject({ title: 'Raku 6' });
    expect(main.log.statements).toHaveLength(log);
  });

  it('CO-131 and CO-132: a read of one DataSource is not a hit for the other', async () => {
    const [mine, other] = [main, slave].map((source) => () => categories(source).findBy({ title: 'Rails' }));
    await mine!();
    expect(await q(slave, other!)).toBe(1);
    expect(await q(main, mine!)).toBe(0);
  });
});
