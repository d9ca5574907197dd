import { DATABASES } from '../support/databases.js';
import { BLOG, Category, Post } from './entities/blog.js';
import { BLOG_ROWS } from './fixture.js';
import { useSuite } from './suite.js';

describe.each(DATABASES)('cacheops RelatedTests and AggregationTests on %s', (kind) => {
  const suite = useSuite(kind, { entities: BLOG, rows: BLOG_ROWS });
  const categories = () => suite.repo(Category);
  const posts = () => suite.repo(Post);

  it('CO-082 related: the row at the other end of the relation', async () => {
    const list = () => posts().find({ where: { category: { title: 'Django' } } });
    expect(await list()).toHaveLength(1);
    expect(await suite.q(list)).toBe(0);
    await categories().save({ id: 1, title: 'Flask' });
    expect(await suite.q(list)).toBe(1);
    expect(await suite.fresh(list)).toHaveLength(0);
  });

  it('CO-083 reverse foreign key', async () => {
    const list = () => categories().find({ where: { posts: { title: 'Cacheops' } } });
    expect(await list()).toHaveLength(1);
    await posts().save({ id: 1, title: 'Renamed' });
    expect(await suite.q(list)).toBe(1);
    expect(await suite.fresh(list)).toHaveLength(0);
  });

  it('CO-084 reverse foreign key, both conditions on one alias: a conjunction', async () => {
    const list = (visible: boolean) => () =>
      categories().find({ where: { posts: { title: 'Cacheops', visible } } });
    const [shown, hidden] = [list(true), list(false)];
    await shown();
    await hidden();
    // Leaves both conditions alone: the row is `visible` before and after.
    await posts().save({ id: 1, categoryId: 2 });
    expect(await suite.q(shown)).toBe(1);
    expect(await suite.q(hidden)).toBe(0);
    await suite.fresh(shown);
    await suite.fresh(hidden);
  });

  it('CO-085 reverse foreign key, one condition on each of two aliases', async () => {
    const list = (visible: boolean) => () =>
      categories()
        .createQueryBuilder('c')
        .innerJoin('c.posts', 'a', "a.title = 'Cacheops'")
        .innerJoin('c.posts', 'b', 'b.visible = :visible', { visible })
        .getMany();
    const [shown, hidden] = [list(true), list(false)];
    await shown();
    await hidden();
    await posts().save({ id: 1, categoryId: 2 });
    expect(await suite.q(shown)).toBe(1);
    expect(await suite.q(hidden)).toBe(1);
    await suite.fresh(shown);
    await suite.fresh(hidden);
  });

  it('CO-086 annotate: a count per row', async () => {
    const list = () =>
      categories()
        .createQueryBuilder('c')
        .leftJoin('c.posts', 'p')
        .select('c.id', 'id')
        .addSelect('COUNT(p.id)', 'posts')
        .groupBy('c.id')
        .orderBy('c.id')
        .getRawMany();
    await list();
    expect(await suite.q(list)).toBe(0);
    await posts().save({ title: 'new', categoryId: 1 });
    expect(await suite.q(list)).toBe(1);
    expect(Number((await suite.fresh(list))[0].posts)).toBe(2);
  });

  it('CO-087 aggregate', async () => {
    const total = () => posts().createQueryBuilder('p').select('COUNT(*)', 'n').getRawOne();
    await total();
    expect(await suite.q(total)).toBe(0);
    await posts().save({ title: 'new', categoryId: 1 });
    expect(await suite.q(total)).toBe(1);
    expect(Number((await suite.fresh(total)).n)).toBe(4);
    const maximum = () => posts().maximum('id', { categoryId: 3 });
    expect(await maximum()).toBe(3);
    expect(await suite.q(maximum)).toBe(0);
  });

  it('CO-088 aggregate granular: rows of another group do not matter', async () => {
    const total = () =>
      categories()
        .createQueryBuilder('c')
        .innerJoin('c.posts', 'p')
        .select('COUNT(p.id)', 'n')
        .where('c.id = :id', { id: 1 })
        .getRawOne();
    await total();
    await posts().save({ title: 'new', categoryId: 2 });
    expect(await suite.q(total)).toBe(0);
    await posts().save({ title: 'new', categoryId: 1 });
    expect(await suite.q(total)).toBe(1);
    await suite.fresh(total);
  });

  it('CO-089 new alias: one aggregate under two names', async () => {
    const maximum = (name: string) => () =>
      posts().createQueryBuilder('p').select('MAX(p.categoryId)', name).getRawOne();
    expect(await maximum('max')()).toEqual({ max: 3 });
    expect(await maximum('cat')()).toEqual({ cat: 3 });
    await suite.fresh(maximum('max'));
  });

  it('CO-090 filter: aggregates with different filters are different entries', async () => {
    const count = (condition: string) => () =>
      posts()
        .createQueryBuilder('p')
        .select(`SUM(CASE WHEN p.categoryId ${condition} THEN 1 ELSE 0 END)`, 'n')
        .getRawOne();
    expect(Number((await count('> 1')()).n)).toBe(2);
    expect(Number((await count('< 3')()).n)).toBe(1);
    await suite.fresh(count('> 1'));
  });
});
