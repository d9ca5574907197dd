import { Brackets, In, MoreThan, Not, Raw, type SelectQueryBuilder } from 'typeorm';
import type { Internals } from '../../lib/typeorm/builder-internals.js';
import { BuilderKeys } from '../../lib/typeorm/builder-key.js';
import { cachedSource, type CachedSource } from '../support/cached-data-source.js';
import { Item, Shelf, SHOP } from './shop.entities.js';

type Query = SelectQueryBuilder<Item>;

/** Each differs from the others in something that decides about its statement or its result. */
const APART: Readonly<Record<string, (query: Query) => unknown>> = {
  bare: () => undefined,
  'a condition': (query) => query.where({ id: 1 }),
  'another value': (query) => query.where({ id: 2 }),
  'a value of another type': (query) => query.where({ id: '1' }),
  null: (query) => query.where('item.id = :id', { id: null }),
  'nothing said': (query) => query.where('item.id = :id', { id: undefined }),
  'another column': (query) => query.where({ stock: 1 }),
  'by text': (query) => query.where('item.id = :id', { id: 1 }),
  'by another name': (query) => query.where('item.id = :key', { key: 1 }),
  'negated by text': (query) => query.where('NOT item.id = :id', { id: 1 }),
  'two conditions': (query) => query.where({ id: 1 }).andWhere({ stock: 1 }),
  'one of two': (query) => query.where({ id: 1 }).orWhere({ stock: 1 }),
  'in brackets': (query) => query.where(new Brackets((inner) => inner.where('id = 1').orWhere('stock = 1'))),
  'greater than': (query) => query.where({ stock: MoreThan(1) }),
  'not greater than': (query) => query.where({ stock: Not(MoreThan(1)) }),
  'one of a list': (query) => query.where({ stock: In([1, 2]) }),
  'one of a list the other way round': (query) => query.where({ stock: In([2, 1]) }),
  raw: (query) => query.where({ stock: Raw((name) => `${name} > 1`) }),
  'another raw': (query) => query.where({ stock: Raw((name) => `${name} > 2`) }),
  'a date': (query) => query.where('item.title = :at', { at: new Date(1) }),
  'another date': (query) => query.where('item.title = :at', { at: new Date(2) }),
  bytes: (query) => query.where('item.title = :at', { at: Buffer.from('1') }),
  selected: (query) => query.select(['item.id']),
  'selected besides': (query) => query.addSelect('item.stock + 1', 'more'),
  ordered: (query) => query.orderBy('item.id'),
  'ordered backwards': (query) => query.orderBy('item.id', 'DESC'),
  'ordered by two': (query) => query.orderBy('item.id').addOrderBy('item.stock'),
  'ordered by two the other way round': (query) => query.orderBy('item.stock').addOrderBy('item.id'),
  grouped: (query) => query.groupBy('item.id'),
  'with having': (query) => query.groupBy('item.id').having('item.id > 1'),
  limited: (query) => query.limit(1),
  paged: (query) => query.take(1),
  'from an offset': (query) => query.limit(1).offset(1),
  'from a page': (query) => query.take(1).skip(1),
  distinct: (query) => query.distinct(),
  'with deleted rows': (query) => query.withDeleted(),
  commented: (query) => query.comment('x'),
  'without listeners': (query) => query.callListeners(false),
  'cached by hand': (query) => query.cache(true),
  'cached for a while': (query) => query.cache(1000),
  'cached under a name': (query) => query.cache('name', 1000),
  'with a hint': (query) => query.useIndex('x'),
};

/** What cannot be told by plain data. */
const WITHOUT: Readonly<Record<string, (query: Query) => unknown>> = {
  'a join': (query) => query.leftJoin('item.shelf', 'shelf'),
  'relation ids': (query) => query.loadRelationIdAndMap('item.shelfId', 'item.shelf'),
  'a table that is no entity': (query) => query.from('other', 'item'),
  'a parameter of a class': (query) => query.where('item.id = :id', { id: new URL('http://x') }),
  'a common table expression': (query) => query.addCommonTableExpression(query.clone(), 'c'),
  'a long list': (query) => query.where({ id: In(Array.from({ length: 1000 }, (_, i) => i)) }),
};

describe('what a builder holds', () => {
  let source: CachedSource;
  beforeAll(async () => {
    source = await cachedSource('sqlite', { entities: SHOP });
  });
  afterAll(() => source.close());

  const made = (change: (query: Query) => unknown, alias = 'item'): Query => {
    const query = source.dataSource.getRepository(Item).createQueryBuilder(alias);
    change(query);
    return query;
  };
  const keys = new BuilderKeys();
  const keyOf = (query: object) => keys.of(query as Internals);

  it.each(Object.entries(APART))('has a text that says: %s', (_, change) => {
    expect(keyOf(made(change))).toEqual(expect.any(String));
    expect(keyOf(made(change))).toBe(keyOf(made(change)));
  });

  it('has another text wherever something is different', () => {
    const texts = Object.values(APART).map((change) => keyOf(made(change)));
    const other = [
      made(APART['bare'] as never, 'i'),
      source.dataSource.getRepository(Shelf).createQueryBuilder('item'),
    ];
    const all = [...texts, ...other.map(keyOf)];
    expect(new Set(all).size).toBe(all.length);
  });

  it.each(Object.entries(WITHOUT))('has no text with %s', (_, change) => {
    expect(keyOf(made(change))).toBeUndefined();
  });

  it('has the text of its own properties as well as of its expression map', () => {
    const odd = Object.assign(
      made(() => undefined),
      { tenant: 'a' },
    );
    expect(keyOf(odd)).not.toBe(keyOf(made(() => undefined)));
    expect(keyOf(Object.assign(odd, { tenant: () => 'a' }))).toBeUndefined();
  });
});

describe('a query that was decided about before', () => {
  let source: CachedSource;
  beforeAll(async () => {
    source = await cachedSource('postgres', { entities: SHOP });
    await source.dataSource.getRepository(Item).save([{ title: 'one' }, { title: 'two' }]);
  });
  afterAll(() => source.close());

  const query = (id: number) =>
    source.dataSource.getRepository(Item).createQueryBuilder('item').where({ id }).orderBy('item.id');

  /** How many statements are built. */
  const builtDuring = async (work: () => Promise<unknown>): Promise<number> => {
    const { driver } = source.dataSource;
    const inherited = driver.escapeQueryWithParameters.bind(driver);
    let count = 0;
    driver.escapeQueryWithParameters = (...args) => {
      count++;
      return inherited(...args);
    };
    try {
      await work();
    } finally {
      delete (driver as Partial<typeof driver>).escapeQueryWithParameters;
    }
    return count;
  };

  it('builds no statement, is listened to, and gives every caller objects of its own', async () => {
    const first = await query(1).getOne();
    const hits: (Item | null)[] = [];
    expect(await builtDuring(async () => hits.push(await query(1).getOne(), await query(1).getOne()))).toBe(
      0,
    );
    expect(hits).toEqual([first, first]);
    expect(hits[0]?.loads).toBe(1);
    expect(hits[0]).not.toBe(hits[1]);
  });

  it('builds one where a method was put on the builder: who knows what it says', async () => {
    const odd = query(1);
    odd.getQuery = odd.getQuery.bind(odd);
    expect(await builtDuring(() => odd.getOne())).toBeGreaterThan(0);
  });

  it('is asked anew after a write, inside a transaction that has written, and where it may not be cached', async () => {
    const titles = async (from = query(2)) => (await from.getMany()).map(({ title }) => title);
    expect([await titles(), await titles()]).toEqual([['two'], ['two']]);
    await source.dataSource.getRepository(Item).update(2, { title: 'second' });
    expect([await titles(), await titles()]).toEqual([['second'], ['second']]);
    await source.dataSource.transaction(async (manager) => {
      await manager.update(Item, 2, { title: 'inside' });
      const inside = () => manager.createQueryBuilder(Item, 'item').where({ id: 2 }).orderBy('item.id');
      expect(await titles(inside())).toEqual(['inside']);
      expect(await titles()).toEqual(['second']);
    });
    expect(await titles()).toEqual(['inside']);
    source.log.clear();
    await source.services.context.withoutCache(() => titles());
    await titles(query(2).cache(false));
    await titles(query(2));
    expect(source.log.statements).toHaveLength(2);
  });
});
