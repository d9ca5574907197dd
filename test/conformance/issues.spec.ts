import { type EntitySubscriberInterface, In, Like, type UpdateEvent } from 'typeorm';
import { ObservedDataSource } from '../../lib/typeorm/observed-data-source.js';
import { DATABASES } from '../support/databases.js';
import { BLOG, Category, Post, Profile } from './entities/blog.js';
import { Contractor, ISSUES, Product, ProductReview, Ticket } from './entities/issues.js';
import { Brand, Label, MUSIC } from './entities/music.js';
import { BLOG_ROWS, MUSIC_ROWS } from './fixture.js';
import { useSuite } from './suite.js';

describe.each(DATABASES)('cacheops IssueTests on %s', (kind) => {
  const suite = useSuite(kind, {
    entities: [...BLOG, ...MUSIC, ...ISSUES],
    rows: [...BLOG_ROWS, ...MUSIC_ROWS],
  });
  const categories = () => suite.repo(Category);
  const posts = () => suite.repo(Post);

  it('CO-051 #16: a key reached through the relation and by its column', async () => {
    const profiles = suite.repo(Profile);
    const reads = [() => profiles.findBy({ user: { id: 1 } }), () => profiles.findBy({ userId: 1 })];
    for (const read of reads) await read();
    await profiles.save({ id: 1, tag: 11 });
    for (const read of reads) {
      expect(await suite.q(read)).toBe(1);
      expect((await suite.fresh(read))[0]?.tag).toBe(11);
    }
  });

  it('CO-052 #29: excluding by a many-to-many relation', async () => {
    const { dataSource } = suite.source;
    const count = () =>
      suite
        .repo(Label)
        .createQueryBuilder('l')
        .where((q) => {
          const sub = q
            .subQuery()
            .select('j.labelId')
            .from('brand_label', 'j')
            .where('j.brandId IN (1, 2, 3)')
            .getQuery();
          return `l.id NOT IN ${sub}`;
        })
        .getCount();
    expect(await suite.fresh(count)).toBe(3);
    expect(await suite.q(count)).toBe(0);
    await dataSource.createQueryBuilder().relation(Brand, 'labels').of(1).add(1);
    expect(await suite.q(count)).toBe(1);
    expect(await suite.fresh(count)).toBe(2);
  });

  it('CO-054 #57: a condition on a builder that is not cached itself', async () => {
    const list = () =>
      posts()
        .createQueryBuilder('p')
        .where(
          (q) => `p.categoryId IN ${q.subQuery().select('c.id').from(Category, 'c').cache(false).getQuery()}`,
        )
        .getMany();
    expect(await suite.fresh(list)).toHaveLength(3);
    expect(await suite.q(list)).toBe(0);
  });

  it('CO-055 #114: a parameter that is not ASCII', async () => {
    const list = () => categories().findBy({ title: 'ö' });
    expect(await list()).toHaveLength(0);
    await categories().save({ title: 'ö' });
    expect(await suite.q(list)).toBe(1);
    expect(await suite.fresh(list)).toHaveLength(1);
  });

  it('CO-056 #161: text that is not ASCII in equality and in LIKE', async () => {
    const list = () => categories().find({ where: { title: Like('фы%') } });
    const both = () =>
      categories()
        .createQueryBuilder('c')
        .where('c.title = :t AND c.title LIKE :l', { t: 'фыва', l: 'фы%' })
        .getMany();
    await list();
    await both();
    await categories().save({ title: 'фыва' });
    expect(await suite.q(async () => [await list(), await both()])).toBe(2);
    expect([await suite.fresh(list), await suite.fresh(both)].map((rows) => rows.length)).toEqual([1, 1]);
  });

  it('CO-057 #145: a subscriber that reads the row sees what was just saved', async () => {
    const seen: (string | undefined)[] = [];
    const look = async ({ manager }: UpdateEvent<Category>) => {
      seen.push((await manager.findOneBy(Category, { id: 1 }))?.title);
    };
    const subscriber: EntitySubscriberInterface<Category> = { listenTo: () => Category, afterUpdate: look };
    const { subscribers } = suite.source.dataSource;
    await categories().findOneBy({ id: 1 });
    subscribers.push(subscriber);
    try {
      await categories().save({ id: 1, title: 'new name' });
      await categories().update({ id: 1 }, { title: 'newer name' });
    } finally {
      subscribers.splice(subscribers.indexOf(subscriber), 1);
    }
    expect(seen).toEqual(['new name', 'newer name']);
  });

  it('CO-058 #159: clearing the other side where the keys happen to be equal', async () => {
    const relation = (target: typeof Brand | typeof Label, name: string, id: number) =>
      suite.source.dataSource.createQueryBuilder().relation(target, name).of(id);
    await relation(Brand, 'labels', 1).add([2, 3]);
    await relation(Brand, 'labels', 2).add(1);
    const labelsOfTwo = () => suite.repo(Label).find({ where: { brands: { id: 2 } } });
    await suite.settled();
    expect(await labelsOfTwo()).toHaveLength(1);
    await relation(Label, 'brands', 2).remove(1);
    expect(await suite.q(labelsOfTwo)).toBe(0);
    await suite.fresh(labelsOfTwo);
  });

  it('CO-060 #169: one row out of a loaded reverse relation', async () => {
    const load = (strategy: 'join' | 'query') => () =>
      categories().findOneOrFail({
        where: { id: 3 },
        relations: { posts: true },
        relationLoadStrategy: strategy,
      });
    for (const read of [load('join'), load('query')]) {
      await read();
      expect(await suite.q(read)).toBe(0);
      const { posts: loaded } = await suite.fresh(read);
      expect(loaded.filter((post) => post.visible).map((post) => post.id)).toEqual([2]);
    }
    await posts().save({ id: 1, categoryId: 3 });
    expect((await suite.fresh(load('join'))).posts).toHaveLength(3);
    expect((await suite.fresh(load('query'))).posts).toHaveLength(3);
  });

  it('CO-061 #173: a chain of joins broken in its middle', async () => {
    const contractor = await suite.repo(Contractor).save({});
    const product = await suite.repo(Product).save({ contractorId: contractor.id });
    await suite.repo(ProductReview).save({ productId: product.id });
    const list = () =>
      suite.repo(ProductReview).find({ where: { status: 1, product: { contractor: { enable: true } } } });
    expect(await suite.fresh(list)).toHaveLength(1);
    await suite.repo(Product).save({ ...product, contractorId: null });
    expect(await suite.q(list)).toBe(1);
    expect(await suite.fresh(list)).toEqual([]);
  });

  it('CO-062 #177: a builder that is kept and run again', async () => {
    const builder = posts().createQueryBuilder('p').orderBy('p.id').cache(true);
    expect(Boolean(builder)).toBe(true);
    const run = () => builder.getMany();
    expect(await run()).toHaveLength(3);
    expect(await suite.q(run)).toBe(0);
    await posts().save({ title: 'new', categoryId: 1 });
    expect(await suite.q(run)).toBe(1);
    expect(await run()).toHaveLength(4);
  });

  it('CO-063 #217: doors taken out and put in again', async () => {
    const { observed, dataSource, services } = suite.source;
    const get = () => posts().findOneByOrFail({ id: 1 });
    await get();
    observed.detach();
    expect(await suite.q(get)).toBe(1);
    const again = await ObservedDataSource.attach(dataSource, 'default', services);
    await get();
    await posts().save({ id: 1, title: 'new title' });
    expect(await suite.q(get)).toBe(1);
    expect((await suite.fresh(get)).title).toBe('new title');
    again?.detach();
    suite.source = {
      ...suite.source,
      observed: (await ObservedDataSource.attach(dataSource, 'default', services))!,
    };
  });

  it('CO-064 #232: NULL in a list, and equality beside it', async () => {
    const list = () =>
      posts()
        .createQueryBuilder('p')
        .where('p.categoryId IN (:...ids)', { ids: [null, 1] })
        .andWhere('p.categoryId = 1')
        .getMany();
    expect(await suite.fresh(list)).toHaveLength(1);
    expect(await suite.q(list)).toBe(0);
    await posts().save({ title: 'new', categoryId: 1 });
    expect(await suite.fresh(list)).toHaveLength(2);
  });

  it('CO-066 #312: a key in another spelling that the database takes for equal', async () => {
    const uid = 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11';
    // SQLite has no uuid: there a key is text and equal to itself only.
    const spellings = kind === 'sqlite' ? [uid] : [uid, uid.toUpperCase(), uid.replaceAll('-', '')];
    const tickets = suite.repo(Ticket);
    await tickets.save({ uid, label: 'old' });
    const reads = spellings.map((spelling) => () => tickets.findOneByOrFail({ uid: spelling }));
    for (const read of reads) await suite.fresh(read);
    await tickets.save({ uid, label: 'new' });
    for (const read of reads) {
      expect(await suite.q(read)).toBe(1);
      expect((await suite.fresh(read)).label).toBe('new');
    }
  });

  it('CO-067 #316: an aggregate over aggregates', async () => {
    const total = () =>
      suite.manager
        .createQueryBuilder()
        .select('SUM(t.n)', 'total')
        .from((q) => q.select('COUNT(*)', 'n').from(Post, 'p').groupBy('p.categoryId'), 't')
        .getRawOne();
    expect(Number((await suite.fresh(total)).total)).toBe(3);
    await posts().save({ title: 'new', categoryId: 1 });
    expect(Number((await suite.fresh(total)).total)).toBe(4);
    const listed = () => posts().find({ where: { id: In([1, 2, 3]) } });
    expect(await suite.fresh(listed)).toHaveLength(3);
  });
});
