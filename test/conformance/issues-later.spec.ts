import { IsNull } from 'typeorm';
import { explainBuilder } from '../../lib/typeorm/explain.js';
import { DATABASES } from '../support/databases.js';
import { BLOG, Category, Post } from './entities/blog.js';
import { Bar, Child, Foo, Grandchild, Invoice, ISSUES, Parent } from './entities/issues.js';
import { Base, Derived, MEDIA } from './entities/media.js';
import { Brand, Label, MUSIC } from './entities/music.js';
import { Colour, Weird } from './entities/weird.js';
import { BLOG_ROWS, MUSIC_ROWS } from './fixture.js';
import { useSuite } from './suite.js';

describe.each(DATABASES)('cacheops IssueTests, continued, on %s', (kind) => {
  const suite = useSuite(kind, {
    entities: [...BLOG, ...MUSIC, ...ISSUES, ...MEDIA, Weird],
    rows: [...BLOG_ROWS, ...MUSIC_ROWS],
  });
  const categories = () => suite.repo(Category);
  const posts = () => suite.repo(Post);
  const newestPosts = () =>
    categories()
      .createQueryBuilder('c')
      .select('c.id', 'id')
      .addSelect((q) => q.select('MAX(p.id)').from(Post, 'p').where('p.categoryId = c.id'), 'newest')
      .orderBy('c.id');

  it('CO-068 #348: the row that SET NULL touched loses its dead key', async () => {
    const { id: fooId } = await suite.repo(Foo).save({});
    const { id } = await suite.repo(Bar).save({ fooId });
    const reads: (() => Promise<unknown>)[] = [
      () => suite.repo(Bar).findOneByOrFail({ id }),
      () => suite.repo(Bar).findBy({ fooId }),
      () => suite.repo(Bar).findBy({ fooId: IsNull() }),
      () => suite.repo(Bar).findBy({ fooId, rank: 0 }),
    ];
    for (const read of reads) await read();
    await suite.repo(Foo).delete({ id: fooId });
    for (const read of reads) {
      expect(await suite.q(read)).toBe(1);
      await suite.fresh(read);
    }
    expect((await suite.repo(Bar).findOneByOrFail({ id })).fooId).toBeNull();
  });

  it('CO-069 #352: one property, two columns', async () => {
    const invoices = suite.repo(Invoice);
    const { id } = await invoices.save({ total: { cents: 100, currency: 'EUR' } });
    const list = (cents: number) => () => invoices.findBy({ total: { cents } });
    await list(100)();
    await list(200)();
    await invoices.save({ id, total: { cents: 200, currency: 'EUR' } });
    expect(await suite.fresh(list(100))).toHaveLength(0);
    expect((await suite.fresh(list(200)))[0]?.total).toMatchObject({ cents: 200, currency: 'EUR' });
  });

  it('CO-070 #353: no row at the other end of a reverse one-to-one', async () => {
    const { id: fooId } = await suite.repo(Foo).save({});
    const { id } = await suite.repo(Bar).save({});
    const count = () =>
      suite.repo(Foo).createQueryBuilder('f').leftJoin('f.bar', 'b').where('b.id IS NULL').getCount();
    expect(await suite.fresh(count)).toBe(1);
    await suite.repo(Bar).save({ id, fooId });
    expect(await suite.q(count)).toBe(1);
    expect(await suite.fresh(count)).toBe(0);
  });

  it('CO-071 #359: EXISTS', async () => {
    const list = () =>
      categories()
        .createQueryBuilder('c')
        .where(
          (q) => `EXISTS ${q.subQuery().select('1').from(Post, 'p').where('p.categoryId = c.id').getQuery()}`,
        )
        .orderBy('c.id')
        .getMany();
    expect(await suite.fresh(list)).toHaveLength(2);
    expect(await suite.q(list)).toBe(0);
    await posts().save({ title: 'new', categoryId: 2 });
    expect(await suite.q(list)).toBe(1);
    expect(await suite.fresh(list)).toHaveLength(3);
  });

  it('CO-072 #365: a subquery among the selected columns', async () => {
    const list = () => newestPosts().getRawMany();
    await list();
    const { id } = await posts().save({ title: 'new', categoryId: 2 });
    expect(await suite.q(list)).toBe(1);
    expect(Number((await suite.fresh(list))[1].newest)).toBe(id);
  });

  it('CO-073 #366: that query depends on any row of both tables', () => {
    const explained = explainBuilder(newestPosts(), suite.source.observed.door);
    if ('refusal' in explained) throw new Error(explained.refusal);
    const { shapes } = explained.dependencies;
    expect(shapes.map(({ table, shape }) => `${table} ${shape.split('|')[0]}`).sort()).toEqual([
      'category ',
      'post ',
    ]);
  });

  it('CO-074 #385: a value of a class that cannot be stored costs the graph, not the query', async () => {
    await suite.repo(Weird).save({ colour: new Colour('red') });
    const list = () => suite.repo(Weird).find();
    await list();
    await list();
    expect(await suite.q(list)).toBe(0);
    expect((await suite.fresh(list))[0]?.colour).toBeInstanceOf(Colour);
  });

  it('CO-075 #387: removing an entity that was loaded in part', async () => {
    const hidden = () => posts().findBy({ visible: false });
    expect(await hidden()).toHaveLength(1);
    const part = await posts().findOneOrFail({ select: { id: true, title: true }, where: { id: 3 } });
    await posts().remove(part);
    expect(await suite.q(hidden)).toBe(1);
    expect(await suite.fresh(hidden)).toHaveLength(0);
  });

  describe('a many-to-many relation', () => {
    const labels = () => suite.repo(Label).find({ where: { brands: { id: 1 } } });
    const brands = () => suite.repo(Brand).find({ where: { labels: { id: 1 } } });

    beforeEach(async () => {
      await suite.source.dataSource.createQueryBuilder().relation(Brand, 'labels').of(1).add(1);
      await suite.settled();
    });

    it('CO-076 #407: a brand goes, its labels are read again', async () => {
      expect(await labels()).toHaveLength(1);
      await suite.repo(Brand).delete({ id: 1 });
      expect(await suite.q(labels)).toBe(1);
      expect(await suite.fresh(labels)).toEqual([]);
    });

    it('CO-077 #407 reversed: a label goes, its brands are read again', async () => {
      expect(await brands()).toHaveLength(1);
      await suite.repo(Label).remove(await suite.repo(Label).findOneByOrFail({ id: 1 }));
      expect(await suite.q(brands)).toBe(1);
      expect(await suite.fresh(brands)).toEqual([]);
    });
  });

  it('CO-078 #430: a child row that the deletion of its parent row takes along', async () => {
    const base = await suite.repo(Base).save({ name: 'a' });
    const baseId = base.id;
    const { id } = await suite.repo(Derived).save({ baseId });
    const reads: (() => Promise<unknown>)[] = [
      () => suite.repo(Derived).findOneBy({ id }),
      () => suite.repo(Derived).findBy({ baseId }),
      () => suite.repo(Derived).findBy({ detail: '' }),
    ];
    for (const read of reads) await read();
    await suite.repo(Base).remove(base);
    for (const read of reads) {
      expect(await suite.q(read)).toBe(1);
      await suite.fresh(read);
    }
  });

  it('CO-079 #430: cascades over two tables', async () => {
    const parent = await suite.repo(Parent).save({});
    const child = await suite.repo(Child).save({ parentId: parent.id, name: 'c' });
    await suite.repo(Grandchild).save({ childId: child.id, name: 'g' });
    const other = await suite
      .repo(Child)
      .save({ parentId: (await suite.repo(Parent).save({})).id, name: 'other' });
    const reads: (() => Promise<object[]>)[] = [
      () => suite.repo(Child).findBy({ parentId: parent.id }),
      () => suite.repo(Child).findBy({ name: 'c' }),
      () => suite.repo(Grandchild).findBy({ childId: child.id }),
      () => suite.repo(Grandchild).findBy({ name: 'g' }),
    ];
    const stays = () => suite.repo(Child).findBy({ name: other.name });
    for (const read of [...reads, stays]) await suite.fresh(read);
    await suite.repo(Parent).delete({ id: parent.id });
    for (const read of reads) {
      expect(await suite.q(read)).toBe(1);
      expect(await suite.fresh(read)).toHaveLength(0);
    }
    expect(await suite.q(stays)).toBe(0);
  });

  it('CO-080 #480: a product of thirteen alternatives does not grow', async () => {
    const list = () => {
      const query = posts().createQueryBuilder('p');
      for (let i = 0; i < 13; i++) {
        query.andWhere(`(p.title LIKE :a${i} OR p.title LIKE :b${i})`, {
          [`a${i}`]: '%a%',
          [`b${i}`]: `%${i}%`,
        });
      }
      return query.getMany();
    };
    await suite.fresh(list);
    expect(await suite.q(list)).toBe(0);
    const equalities = () => {
      const query = posts().createQueryBuilder('p');
      for (let i = 0; i < 13; i++) query.andWhere(`(p.categoryId = ${i} OR p.title = 't${i}')`);
      return query.getMany();
    };
    await suite.fresh(equalities);
    expect(await suite.q(equalities)).toBe(0);
  });
});
