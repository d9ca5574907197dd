import type { EntityTarget, ObjectLiteral, Repository } from 'typeorm';
import { CacheOpsConfigError, RecordModifiedError } from '../../lib/index.js';
import { saveBatch } from '../../lib/typeorm/index.js';
import { cachedSource, type CachedSource } from '../support/cached-data-source.js';
import { DATABASES } from '../support/databases.js';
import { Comment, Country, Post, Stock, VERSIONED } from './entities.js';

describe.each(DATABASES)('saveBatch on %s', (kind) => {
  let source: CachedSource;
  const repo = <T extends ObjectLiteral>(entity: EntityTarget<T>): Repository<T> =>
    source.dataSource.getRepository(entity);
  const rows = (shop: number): Promise<Stock[]> =>
    repo(Stock).find({ where: { shop }, order: { sku: 'ASC' }, cache: false });
  const amounts = async (shop: number) =>
    (await rows(shop)).map(({ amount, revision }) => [amount, revision]);

  let shops = 0;
  /** Three rows with 1 of each; somebody else changes the second after they were read. */
  async function batch(): Promise<Stock[]> {
    const shop = ++shops;
    await repo(Stock).save(['a', 'b', 'c'].map((sku) => ({ shop, sku, amount: 1 })));
    const read = await rows(shop);
    await repo(Stock).save({ ...(await rows(shop))[1], amount: 50 } as Stock);
    for (const stock of read) stock.amount = 2;
    return read;
  }

  beforeAll(async () => {
    source = await cachedSource(kind, { entities: VERSIONED, versioning: {} });
  });
  afterAll(() => source.close());

  it('CC-068: abort saves none, and leaves the entities as they were', async () => {
    const stocks = await batch();
    await expect(saveBatch(repo(Stock), stocks)).rejects.toThrow(RecordModifiedError);
    expect(await amounts(shops)).toEqual([
      [1, 1],
      [50, 2],
      [1, 1],
    ]);
    expect(stocks.map(({ revision }) => revision)).toEqual([1, 1, 1]);
    // What is not stale can be saved again.
    expect(
      (
        await saveBatch(
          repo(Stock),
          stocks.filter(({ sku }) => sku !== 'b'),
        )
      ).saved,
    ).toHaveLength(2);
  });

  it("CC-069, CC-070: skip keeps the other's value, saves the rest, and reports both", async () => {
    const stocks = await batch();
    const { saved, conflicts } = await saveBatch(repo(Stock), stocks, { onConflict: 'skip' });
    expect(saved.map(({ sku }) => sku)).toEqual(['a', 'c']);
    expect(conflicts.map(({ entity, error }) => [entity, error.id, error.expected, error.actual])).toEqual([
      [stocks[1], { shop: shops, sku: 'b' }, 1, 2],
    ]);
    expect(await amounts(shops)).toEqual([
      [2, 2],
      [50, 2],
      [2, 2],
    ]);
    expect(stocks.map(({ revision }) => revision)).toEqual([2, 1, 2]);
  });

  it('CC-071: reports only the conflict if nothing else was to be saved', async () => {
    const [, stale] = await batch();
    const result = await saveBatch(repo(Stock), [stale as Stock], { onConflict: 'skip' });
    expect(result).toMatchObject({ saved: [], conflicts: [{ entity: stale }] });
  });

  it('takes back what a skipped entity has saved by cascade', async () => {
    const post = await repo(Post).save(
      repo(Post).create({ title: 't', comments: [{ text: 'a' }, { text: 'b' }] as Comment[] }),
    );
    const mine = await repo(Post).findOneOrFail({
      where: { id: post.id },
      relations: { comments: true },
      order: { comments: { id: 'ASC' } },
    });
    await repo(Comment).save({ ...(mine.comments[1] as Comment), text: 'theirs' });
    for (const comment of mine.comments) comment.text = 'mine';
    mine.comments.push(repo(Comment).create({ text: 'new' }));
    const { conflicts } = await saveBatch(repo(Post), [mine], { onConflict: 'skip' });
    expect(conflicts.map(({ error }) => error.entity)).toEqual(['Comment']);
    const texts = await repo(Comment).find({
      where: { postId: post.id },
      order: { id: 'ASC' },
      cache: false,
    });
    expect(texts.map(({ text }) => text)).toEqual(['a', 'theirs']);
  });

  it('saves entities of several kinds, and nothing if another error comes up', async () => {
    const manager = source.dataSource.manager;
    const stocks = await batch();
    const country = manager.create(Country, { code: 'de', name: 'Germany' });
    const bad = manager.create(Country, { code: 'xx' });
    const all = [stocks[0], country, stocks[1], bad] as ObjectLiteral[];
    await expect(saveBatch(manager, all, { onConflict: 'skip' })).rejects.not.toThrow(RecordModifiedError);
    expect(await manager.existsBy(Country, { code: 'de' })).toBe(false);
    expect(await amounts(shops)).toEqual([
      [1, 1],
      [50, 2],
      [1, 1],
    ]);
    const { saved } = await saveBatch(manager, all.slice(0, 3), { onConflict: 'skip' });
    expect(saved).toEqual([stocks[0], country]);
  });

  it('is a part of the transaction that it is called in', async () => {
    const stocks = await batch();
    const work = source.dataSource.transaction(async (manager) => {
      expect((await saveBatch(manager, stocks, { onConflict: 'skip' })).saved).toHaveLength(2);
      throw new Error('rolled back');
    });
    await expect(work).rejects.toThrow('rolled back');
    expect(await amounts(shops)).toEqual([
      [1, 1],
      [50, 2],
      [1, 1],
    ]);
    expect(stocks.map(({ revision }) => revision)).toEqual([1, 1, 1]);
  });

  it('has nothing to do for an empty batch, and names a bad option', async () => {
    expect(await saveBatch(repo(Stock), [])).toEqual({ saved: [], conflicts: [] });
    const options = { onConflict: 'ignore' } as object;
    await expect(saveBatch(repo(Stock), [], options)).rejects.toThrow(CacheOpsConfigError);
  });
});
