import type { ObjectLiteral, Repository } from 'typeorm';
import { cachedSource, type CachedSource } from '../support/cached-data-source.js';
import { DATABASES } from '../support/databases.js';
import { Item, Label, Note, Shelf, SHOP } from './shop.entities.js';

describe.each(DATABASES)('doors of TypeORM on %s', (kind) => {
  let source: CachedSource;
  const repo = <T extends ObjectLiteral>(entity: new () => T): Repository<T> =>
    source.dataSource.getRepository(entity);
  const reads = (work: () => Promise<unknown>) => source.log.readsDuring(work);

  beforeAll(async () => {
    source = await cachedSource(kind, { entities: SHOP });
    const [a, b] = (await repo(Shelf).save([{ name: 'a' }, { name: 'b' }])) as [Shelf, Shelf];
    const [red, blue] = (await repo(Label).save([{ text: 'red' }, { text: 'blue' }])) as [Label, Label];
    await repo(Item).save([
      { title: 'one', shelf: a, stock: 1, labels: [red], notes: [{ text: 'n1' }, { text: 'n2' }] },
      { title: 'two', shelf: b, stock: 2, labels: [red, blue] },
      { title: 'three', shelf: b, stock: 3, visible: false },
    ]);
  });
  afterAll(() => source.close());

  it('serves a find from the cache and runs afterLoad once on each graph', async () => {
    const find = () =>
      repo(Item).find({
        where: { shelfId: 2 },
        relations: { notes: true, labels: true },
        order: { id: 'ASC' },
      });
    const first = await find();
    let second: Item[] = [];
    expect(await reads(async () => (second = await find()))).toBe(0);
    expect(second).toStrictEqual(first);
    expect(second[0]).not.toBe(first[0]);
    expect(second.map((item) => item.loads)).toEqual([1, 1]);
  });

  it('keeps a hit when an unrelated row or column changes, and misses when a related one does', async () => {
    const count = () => repo(Item).countBy({ shelfId: 2 });
    expect(await count()).toBe(2);
    await repo(Item).update({ id: 2 }, { title: 'zwei' });
    expect(await reads(count)).toBe(0);
    await repo(Item).update({ id: 1 }, { visible: false });
    expect(await reads(count)).toBe(0);
    const item = await repo(Item).findOneByOrFail({ id: 2 });
    item.shelfId = 1;
    await repo(Item).save(item);
    expect(await reads(count)).toBe(1);
    expect(await count()).toBe(1);
    await repo(Item).update({ id: 2 }, { shelfId: 2 });
    expect(await count()).toBe(2);
  });

  it('finds an inserted row whose key is generated (a cached "not there")', async () => {
    const next = (await repo(Item).maximum('id')) as number;
    expect(await repo(Item).findOneBy({ id: next + 1 })).toBeNull();
    const saved = await repo(Item).save({ title: 'new' });
    expect(saved.id).toBe(next + 1);
    expect((await repo(Item).findOneBy({ id: next + 1 }))?.title).toBe('new');
    await repo(Item).delete({ id: next + 1 });
    expect(await repo(Item).findOneBy({ id: next + 1 })).toBeNull();
  });

  it('follows m2m, cascades and SET NULL', async () => {
    const labelled = () => repo(Item).find({ where: { labels: { text: 'red' } }, order: { id: 'ASC' } });
    expect((await labelled()).map((i) => i.id)).toEqual([1, 2]);
    await source.dataSource.createQueryBuilder().relation(Item, 'labels').of(1).remove(1);
    expect((await labelled()).map((i) => i.id)).toEqual([2]);
    await source.dataSource.createQueryBuilder().relation(Item, 'labels').of(1).add(1);
    expect((await labelled()).map((i) => i.id)).toEqual([1, 2]);

    const notes = () => repo(Note).find({ where: { state: 'new' }, order: { id: 'ASC' } });
    const inShelf = () => repo(Item).findBy({ shelfId: 1, visible: true });
    await repo(Item).update({ id: 1 }, { visible: true });
    expect(await notes()).toHaveLength(2);
    expect(await inShelf()).toHaveLength(1);
    await repo(Shelf).delete({ id: 1 });
    expect(await inShelf()).toHaveLength(0);
    await repo(Item).delete({ id: 1 });
    expect(await notes()).toHaveLength(0);
  });

  it('reads past the cache in a transaction that has written, and publishes at the outermost commit', async () => {
    const title = () =>
      repo(Item)
        .findOneBy({ id: 2 })
        .then((item) => item?.title);
    const before = await title();
    await source.dataSource.transaction(async (manager) => {
      await manager.update(Item, { id: 2 }, { title: 'inside' });
      expect((await manager.findOneBy(Item, { id: 2 }))?.title).toBe('inside');
      if (kind !== 'sqlite') expect(await title()).toBe(before);
      await manager.transaction(async (inner) => {
        await inner.update(Item, { id: 2 }, { title: 'deeper' });
      });
      if (kind !== 'sqlite') expect(await title()).toBe(before);
    });
    expect(await title()).toBe('deeper');
    await source.dataSource
      .transaction(async (manager) => {
        await manager.update(Item, { id: 2 }, { title: 'lost' });
        throw new Error('roll back');
      })
      .catch(() => undefined);
    expect(await title()).toBe('deeper');
  });

  it('never feeds a cached row to the diff of save()', async () => {
    const stale = await repo(Item).findOneByOrFail({ id: 2 });
    await repo(Item).findOneByOrFail({ id: 2 });
    stale.title = 'third';
    await repo(Item).save(stale);
    const rows: { title: string }[] = await source.dataSource.query('SELECT title FROM item WHERE id = 2');
    expect(rows[0]?.title).toBe('third');
    expect((await repo(Item).findOneByOrFail({ id: 2 })).title).toBe('third');
  });

  it('sees raw statements and TRUNCATE', async () => {
    const count = () => repo(Note).count();
    await repo(Note).insert({ text: 'x', item: { id: 2 } });
    expect(await count()).toBe(1);
    await source.dataSource.query(`UPDATE item SET title = 'raw' WHERE id = 2`);
    expect((await repo(Item).findOneByOrFail({ id: 2 })).title).toBe('raw');
    await repo(Note).clear();
    expect(await count()).toBe(0);
  });

  it('answers exists, sum and pages with joins from the cache', async () => {
    const all = async () => [
      await repo(Item).existsBy({ visible: false }),
      await repo(Item).sum('stock'),
      await repo(Item).findAndCount({ relations: { labels: true }, take: 1, skip: 0, order: { id: 'ASC' } }),
    ];
    const first = await all();
    expect(await reads(all)).toBe(0);
    expect(await all()).toStrictEqual(first);
    await repo(Item).increment({ id: 2 }, 'stock', 5);
    expect((await all())[1]).toBe((first[1] as number) + 5);
  });
});
