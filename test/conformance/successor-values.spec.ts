import { Column, Entity, In, IsNull, PrimaryGeneratedColumn } from 'typeorm';
import { explainBuilder } from '../../lib/typeorm/explain.js';
import { DATABASES } from '../support/databases.js';
import { BLOG, Category, Post } from './entities/blog.js';
import { Bar, Foo, ISSUES } from './entities/issues.js';
import { Weird } from './entities/weird.js';
import { BLOG_ROWS } from './fixture.js';
import { useSuite } from './suite.js';

@Entity()
class Folded {
  @PrimaryGeneratedColumn() id!: number;
  @Column({ type: 'varchar', length: 32, collation: 'NOCASE' }) text!: string;
}

describe.each(DATABASES)('successor cases: keys and values on %s', (kind) => {
  const folded = kind === 'sqlite' ? [Folded] : [];
  const suite = useSuite(kind, { entities: [...BLOG, ...ISSUES, Weird, ...folded], rows: BLOG_ROWS });
  const categories = () => suite.repo(Category);
  const posts = () => suite.repo(Post);
  const weird = () => suite.repo(Weird);

  /** All reads are hits, then the write makes each a miss with the right rows. */
  async function invalidates(
    reads: readonly (() => Promise<unknown>)[],
    write: () => Promise<unknown>,
  ): Promise<void> {
    for (const read of reads) {
      await suite.fresh(read);
      expect(await suite.q(read)).toBe(0);
    }
    await write();
    for (const read of reads) {
      expect(await suite.q(read)).toBe(1);
      await suite.fresh(read);
    }
  }

  it('CO-X04 text in a parameter never makes two queries one', async () => {
    const query = (where: string, parameters: Record<string, unknown>) =>
      posts().createQueryBuilder('p').where(where, parameters);
    const explain = (where: string, parameters: Record<string, unknown>) => {
      const explained = explainBuilder(query(where, parameters), suite.source.observed.door);
      if ('refusal' in explained) throw new Error(explained.refusal);
      return { key: explained.key, tokens: explained.dependencies.tokens.join('\n') };
    };
    const distinct = (texts: readonly string[]) => expect(new Set(texts).size).toBe(texts.length);
    const one = [
      'x',
      "x' AND p.categoryId = 9",
      'x AND "p"."categoryId" = 9',
      'x&categoryId=9',
      'x|id,title',
      '~',
      '',
      'n1',
      't',
      '0',
    ].map((a) => explain('p.title = :a', { a }));
    const two = [
      ['ab', 'c'],
      ['a', 'bc'],
      ['a,b', ''],
      ['as1:b', ''],
      ['', 'abc'],
    ].map((a) => explain('p.title IN (:...a)', { a }));
    const more = [
      explain('p.title = :a AND p.categoryId = :b', { a: 'x', b: 9 }),
      explain('p.title = :a', { a: 1 }),
      explain('p.title = :a', { a: true }),
      explain('p.title = :a', { a: null }),
      explain('p.title IS NULL', {}),
    ];
    distinct([...one, ...two, ...more].map(({ key }) => key));
    distinct([...one, ...two].map(({ tokens }) => tokens));
  });

  it('CO-X04 a value that looks like a condition does not catch, or escape, an invalidation', async () => {
    const titles = ['x', 'x&visible=1', 'x|id', 'x%', "x' OR '1'='1", '{x}', 'x\n', ''];
    for (const title of titles) await posts().save({ title, categoryId: 1 });
    const reads = titles.map((title) => () => posts().findBy({ title }));
    for (const read of reads) await suite.fresh(read);
    for (const [i, title] of titles.entries()) {
      const read = reads[i]!;
      await invalidates([read], () => posts().update({ title }, { categoryId: 2 }));
      for (const other of reads) await suite.fresh(other);
    }
  });

  it('CO-X05 decimals that differ in scale', async () => {
    const { id } = await weird().save({ amount: '1.5' });
    const spellings = ['1.5', '1.50', '1.500', '01.5'];
    const reads = spellings.map((amount) => () => weird().findBy({ amount }));
    await invalidates(reads, () => weird().save({ id, amount: '2.5' }));
    await invalidates([() => weird().findBy({ amount: '1.50' })], () => weird().save({ id, amount: '1.5' }));
  });

  it('CO-X05 one instant in other words', async () => {
    const at = new Date('2024-06-01T12:00:00.000Z');
    const { id } = await weird().save({ at });
    const byDate = () => weird().findBy({ at: new Date('2024-06-01T14:00:00+02:00') });
    const byBuilder = () => weird().createQueryBuilder('w').where('w.at = :at', { at }).getMany();
    await invalidates([byDate, byBuilder], () => weird().save({ id, at: new Date('2025-01-01T00:00:00Z') }));
    await invalidates([byDate, byBuilder], () => weird().update({ id }, { at }));
    expect(await suite.fresh(byDate)).toHaveLength(1);
  });

  it('CO-X05 text under a collation that folds', async () => {
    const target = kind === 'sqlite' ? Folded : Weird;
    const repo = suite.repo<Folded | Weird>(target);
    const spellings = {
      sqlite: ['django', 'DJANGO'],
      mariadb: ['django', 'DJANGO', 'django  ', 'djángo'],
      postgres: ['django'],
    };
    const { id } = await repo.save({ text: 'Django' });
    const reads = spellings[kind].map((text) => () => repo.findBy({ text }));
    expect(await suite.fresh(reads[0]!)).toHaveLength(kind === 'postgres' ? 0 : 1);
    for (const read of reads) await suite.fresh(read);
    await repo.save({ id, text: 'Flask' });
    for (const read of reads) expect(await suite.fresh(read)).toHaveLength(0);
    await repo.save({ id, text: 'djANGO' });
    for (const read of reads) await suite.fresh(read);
  });

  it('CO-X06 a value that only the database knows, and a row that was loaded in part', async () => {
    const byCategory = [1, 2, 3, 4].map((categoryId) => () => posts().findBy({ categoryId, visible: true }));
    for (const read of byCategory) await suite.fresh(read);
    await invalidates([byCategory[0]!, byCategory[1]!], () =>
      posts().update({ id: 1 }, { categoryId: () => 'id + 1' }),
    );
    for (const read of byCategory) await suite.fresh(read);
    await posts().save({ title: 'x', categoryId: 4 });
    const part = await posts().findOneOrFail({ select: { id: true }, where: { title: 'x' } });
    await invalidates([byCategory[3]!], () => posts().remove(part));
  });

  it('CO-X07 SET NULL reaches conditions on the key and another column', async () => {
    const { id: fooId } = await suite.repo(Foo).save({});
    const { id: kept } = await suite.repo(Foo).save({});
    await suite.repo(Bar).save([
      { fooId, rank: 7 },
      { fooId: kept, rank: 8 },
    ]);
    const bars = suite.repo(Bar);
    const reads = [
      () => bars.findBy({ fooId, rank: 7 }),
      () => bars.findBy({ fooId: IsNull(), rank: 7 }),
      () => bars.countBy({ fooId: IsNull() }),
    ];
    const other = () => bars.findBy({ fooId: kept, rank: 8 });
    await suite.fresh(other);
    await invalidates(reads, async () =>
      suite.repo(Foo).remove(await suite.repo(Foo).findOneByOrFail({ id: fooId })),
    );
    expect(await suite.q(other)).toBe(0);
  });

  describe('CO-X08 writes that are not save()', () => {
    const visible = () => posts().countBy({ visible: true });
    const titled = () => posts().findBy({ title: 'bulk' });
    const first = () => posts().findOneByOrFail({ id: 1 });
    const inCategory = () => posts().findBy({ categoryId: 3 });
    const escape = (name: string) => suite.source.dataSource.driver.escape(name);

    const WRITES: Record<string, [() => Promise<unknown>, (() => Promise<unknown>)[]]> = {
      'update() by another column': [
        () => posts().update({ visible: true }, { title: 'bulk' }),
        [titled, first, inCategory],
      ],
      'update() that moves rows': [
        () => posts().update({ categoryId: 3 }, { visible: false }),
        [visible, inCategory],
      ],
      'update() of a condition column': [
        () => posts().update({ id: In([1, 2]) }, { categoryId: 3 }),
        [first, inCategory],
      ],
      'updateAll()': [() => posts().updateAll({ title: 'bulk' }), [titled, first, inCategory]],
      'increment()': [() => posts().increment({ id: 1 }, 'categoryId', 2), [first, inCategory]],
      'save() of many rows': [
        () =>
          posts().save([
            { id: 1, title: 'bulk' },
            { id: 2, title: 'bulk' },
            { title: 'bulk', categoryId: 3 },
          ]),
        [titled, first, inCategory],
      ],
      'upsert() of a row that is there': [
        () => posts().upsert({ id: 1, title: 'bulk', categoryId: 3, visible: false }, ['id']),
        [titled, first, visible, inCategory],
      ],
      'delete() by another column': [() => posts().delete({ title: 'Perl 6 hyperoperator' }), [inCategory]],
      'a builder with a subquery': [
        () =>
          posts()
            .createQueryBuilder()
            .update()
            .set({ title: 'bulk' })
            .where(
              `${escape('categoryId')} IN (SELECT id FROM ${escape('category')} WHERE title IN ('Django', 'Perl'))`,
            )
            .execute(),
        [titled, first, inCategory],
      ],
      'raw SQL': [
        () =>
          suite.manager.query(
            `UPDATE ${escape('post')} SET title = 'bulk', visible = ${kind === 'postgres' ? 'FALSE' : '0'} WHERE id = 1`,
          ),
        [titled, first, visible],
      ],
    };

    it.each(Object.keys(WRITES))('CO-X08 %s', async (name) => {
      const [write, reads] = WRITES[name]!;
      const untouched = () => categories().find();
      await suite.fresh(untouched);
      await invalidates(reads, write);
      expect(await suite.q(untouched)).toBe(0);
    });
  });

  it('CO-X09 what was only in memory is never cached', async () => {
    const get = () => posts().findOneByOrFail({ id: 1 });
    const post = await get();
    post.title = 'never saved';
    await posts().update({ id: 1 }, { visible: false });
    expect((await suite.fresh(get)).title).toBe('Cacheops');
    await posts().save({ id: 1, categoryId: '2' as unknown as number });
    expect(await suite.q(get)).toBe(1);
    expect((await suite.fresh(get)).categoryId).toBe(2);
  });

  it('CO-X10 no parents are stored with children', async () => {
    const bare = () => posts().findBy({ categoryId: 3 });
    const withParent = () => posts().find({ where: { categoryId: 3 }, relations: { category: true } });
    const parent = () => categories().findOneOrFail({ where: { id: 3 }, relations: { posts: true } });
    for (const read of [bare, withParent, parent]) await suite.fresh<unknown>(read);
    await categories().save({ id: 3, title: 'Raku' });
    expect(await suite.q(bare)).toBe(0);
    expect((await bare()).some((post) => 'category' in post)).toBe(false);
    expect((await suite.fresh(withParent)).map((post) => post.category.title)).toEqual(['Raku', 'Raku']);
    expect((await suite.fresh(parent)).title).toBe('Raku');
    const [mutable] = await withParent();
    mutable!.category.title = 'mutated';
    expect((await withParent())[0]?.category.title).toBe('Raku');
  });
});
