import { Equal, In, type FindOptionsWhere } from 'typeorm';
import { DATABASES } from '../support/databases.js';
import { BLOG, Category, Extra, Post, User } from './entities/blog.js';
import { BLOG_ROWS } from './fixture.js';
import { useSuite } from './suite.js';

describe.each(DATABASES)('cacheops BasicTests and ValuesTests on %s', (kind) => {
  const suite = useSuite(kind, { entities: BLOG, rows: BLOG_ROWS });
  const categories = () => suite.repo(Category);
  const posts = () => suite.repo(Post);
  const extras = () => suite.repo(Extra);
  const postsOf = (where: FindOptionsWhere<Post>) => () => posts().find({ where, order: { id: 'ASC' } });

  it('CO-001 it works: two counts, one statement', async () => {
    const count = () => posts().count({ where: { visible: true } });
    expect(await suite.q(count)).toBe(1);
    expect(await suite.q(count)).toBe(0);
    expect(await suite.fresh(count)).toBe(2);
  });

  it('CO-002 an empty condition: a hit for ever after, whatever is written', async () => {
    const none = () => posts().find({ where: { id: In([]) } });
    // A table that nobody has read with a condition has no registry, and then a writer takes the whole table.
    await posts().count();
    expect(await none()).toEqual([]);
    expect(await suite.q(none)).toBe(0);
    await posts().save({ title: 'new', categoryId: 1 });
    expect(await suite.q(none)).toBe(0);
    expect(await suite.fresh(none)).toEqual([]);
  });

  it('CO-003 exact: the two spellings of equality share an entry', async () => {
    await posts().find({ where: { id: 1 } });
    expect(await suite.q(() => posts().find({ where: { id: Equal(1) } }))).toBe(0);
  });

  it('CO-004 exists: twice, one statement', async () => {
    const exists = () => posts().existsBy({ title: 'Cacheops' });
    expect(await suite.q(exists)).toBe(1);
    expect(await suite.q(exists)).toBe(0);
    expect(await suite.fresh(exists)).toBe(true);
  });

  it('CO-005 some: a negated condition depends on any row', async () => {
    const others = () =>
      categories()
        .createQueryBuilder('c')
        .where('NOT (c.id IN (:...ids) AND c.id IS NOT NULL)', { ids: [...Array(10).keys()] })
        .getMany();
    await others();
    expect(await suite.q(others)).toBe(0);
    await categories().update({ id: 1 }, { title: 'new' });
    expect(await suite.q(others)).toBe(1);
  });

  it('CO-006 invalidation: a saved row is read again', async () => {
    const get = () => posts().findOneByOrFail({ id: 1 });
    const post = await get();
    await posts().save({ ...post, title: 'new title' });
    expect(await suite.q(get)).toBe(1);
    expect((await suite.fresh(get)).title).toBe('new title');
  });

  it('CO-007 granular: another row does not matter', async () => {
    const get = () => posts().findOneByOrFail({ id: 1 });
    await get();
    await posts().save({ ...(await posts().findOneByOrFail({ id: 2 })), title: 'other' });
    expect(await suite.q(get)).toBe(0);
  });

  it('CO-008 invalidate by foreign key', async () => {
    const list = postsOf({ categoryId: 1 });
    expect(await list()).toHaveLength(1);
    await posts().save({ title: 'new', categoryId: 1 });
    expect(await suite.q(list)).toBe(1);
    expect(await suite.fresh(list)).toHaveLength(2);
  });

  it('CO-009 invalidate by one-to-one', async () => {
    const list = () => extras().find({ where: { post: { id: 3 } } });
    expect(await list()).toHaveLength(0);
    await extras().save({ postId: 3, tag: 0 });
    expect(await suite.q(list)).toBe(1);
    expect(await suite.fresh(list)).toHaveLength(1);
  });

  it('CO-010 invalidate by boolean', async () => {
    const count = () => posts().countBy({ visible: true });
    expect(await count()).toBe(2);
    expect(await suite.q(count)).toBe(0);
    await posts().save({ id: 1, visible: false });
    expect(await suite.q(count)).toBe(1);
    expect(await suite.fresh(count)).toBe(1);
  });

  it('CO-011 bulk create: insert() of two rows', async () => {
    const count = () => posts().count();
    expect(await count()).toBe(3);
    await posts().insert([
      { title: 'my first', categoryId: 1 },
      { title: 'my second', categoryId: 1 },
    ]);
    expect(await suite.q(count)).toBe(1);
    expect(await suite.fresh(count)).toBe(5);
  });

  it('CO-012 db_column: a condition on a renamed column', async () => {
    const get = () => extras().findOneByOrFail({ tag: 5 });
    const extra = await get();
    await extras().save({ ...extra, postId: 3 });
    expect(await suite.q(get)).toBe(1);
    expect((await suite.fresh(get)).postId).toBe(3);
  });

  it('CO-013 foreign key to a renamed column: through the relation and by the column', async () => {
    const byRelation = () => extras().find({ where: { toTag: { tag: 5 } } });
    const byColumn = () => extras().find({ where: { toTagValue: 5 } });
    const [extra] = await byRelation();
    await byColumn();
    await extras().save({ ...extra, postId: 3 });
    expect(await suite.q(byColumn)).toBe(1);
    expect(await suite.q(byRelation)).toBe(1);
    expect(await suite.fresh(byColumn)).toEqual(await suite.fresh(byRelation));
  });

  it('CO-014 expressions: columns compared with each other', async () => {
    const count = () =>
      extras()
        .createQueryBuilder('e')
        .where('e.tag = e.toTagValue + 1')
        .andWhere('e.toTagValue = (e.tag | 5)')
        .getCount();
    await count();
    expect(await suite.q(count)).toBe(0);
    await extras().update({ id: 1 }, { toTagValue: null });
    expect(await suite.q(count)).toBe(1);
    await suite.fresh(count);
  });

  it('CO-015 expressions in a write: the value that the database computed is seen', async () => {
    const byTag = (tag: number) => () => extras().findBy({ tag });
    const reads = [byTag(10), byTag(11), byTag(12)];
    for (const read of reads) await read();
    await extras().update({ id: 2 }, { postId: 2, tag: () => 'custom_column_name' });
    for (const read of reads) await suite.fresh(read);
    await extras().update({ id: 1 }, { toTagValue: null });
    await extras().update({ id: 2 }, { tag: () => 'custom_column_name + 1' });
    for (const read of reads) await suite.fresh(read);
    expect(await byTag(11)()).toHaveLength(1);
  });

  it('CO-016 combine: AND with everything, OR with nothing', async () => {
    const some = () =>
      posts()
        .createQueryBuilder('p')
        .where('p.id IN (:...some)', { some: [1, 2] })
        .orderBy('p.id');
    const both = () => some().andWhere('1 = 1').getMany();
    const either = () => some().orWhere('1 = 0').getMany();
    for (const read of [both, either]) {
      expect(await suite.fresh(read)).toHaveLength(2);
      expect(await suite.q(read)).toBe(0);
    }
  });

  it('CO-017 first and last: repeated from the cache', async () => {
    const first = () => posts().findOne({ where: {}, order: { id: 'ASC' } });
    const last = () => posts().findOne({ where: {}, order: { id: 'DESC' } });
    expect([(await first())?.id, (await last())?.id]).toEqual([1, 3]);
    expect(await suite.q(async () => [await first(), await last()])).toBe(0);
  });

  it('CO-018 union: each side keeps its own condition', async () => {
    const category = suite.source.dataSource.getMetadata(Category).tablePath;
    const escape = (name: string) => suite.source.dataSource.driver.escape(name);
    const union = `(SELECT ${escape('title')} FROM ${escape('post')} WHERE ${escape('categoryId')} = 1
      UNION ALL SELECT ${escape('title')} FROM ${escape(category)} WHERE ${escape('title')} = 'Perl')`;
    const titles = () =>
      suite
        .repo(User)
        .createQueryBuilder('u')
        .select('t.title', 'title')
        .innerJoin(union, 't', '1 = 1')
        .getRawMany();
    expect(await titles()).toHaveLength(2);
    expect(await suite.q(titles)).toBe(0);
    await categories().save({ title: 'Perl' });
    expect(await suite.q(titles)).toBe(1);
    expect(await suite.fresh(titles)).toHaveLength(3);
    await categories().save({ title: 'Ruby' });
    expect(await suite.q(titles)).toBe(0);
  });

  it('CO-019 invalidated update: where rows were and where they are', async () => {
    const [one, two] = [postsOf({ categoryId: 1 }), postsOf({ categoryId: 2 })];
    await one();
    await two();
    await posts().update({ categoryId: 1 }, { categoryId: 2 });
    expect(await suite.q(async () => [await one(), await two()])).toBe(2);
    expect([(await suite.fresh(one)).length, (await suite.fresh(two)).length]).toEqual([0, 1]);
  });

  it('CO-020 subquery in a condition: its table counts', async () => {
    const count = () =>
      posts()
        .createQueryBuilder('p')
        .where(
          (q) =>
            `p.categoryId IN ${q.subQuery().select('c.id').from(Category, 'c').where("c.title = 'Perl'").getQuery()}`,
        )
        .getCount();
    expect(await count()).toBe(2);
    await categories().update({ id: 3 }, { title: 'Raku' });
    expect(await suite.q(count)).toBe(1);
    expect(await suite.fresh(count)).toBe(0);
  });

  it('CO-021 raw SQL in a condition', async () => {
    const count = () => posts().createQueryBuilder('p').where('p.categoryId IN (SELECT 1)').getCount();
    expect(await suite.fresh(count)).toBe(1);
    expect(await suite.q(count)).toBe(0);
  });

  it('CO-022 values: raw rows twice, one statement', async () => {
    const values = () => posts().createQueryBuilder('p').orderBy('p.id').getRawMany();
    expect(await suite.q(values)).toBe(1);
    expect(await suite.q(values)).toBe(0);
    expect(await suite.fresh(values)).toHaveLength(3);
  });

  it('CO-023 values vary on what is made of the rows', async () => {
    const query = () => posts().createQueryBuilder('p').orderBy('p.id');
    const reads = [() => query().getMany(), () => query().getRawMany()];
    expect(await suite.q(() => Promise.all(reads.map((read) => read())))).toBe(2);
    for (const read of reads) await suite.fresh(read);
  });

  it('CO-024 values vary on the columns and their names', async () => {
    const named = (label: string) => () =>
      posts().createQueryBuilder('p').select('p.title', label).orderBy('p.id').getRawMany();
    expect(await suite.q(async () => [await named('title')(), await named('flat')()])).toBe(2);
    expect(Object.keys((await suite.fresh(named('flat')))[0])).toEqual(['flat']);
  });
});
