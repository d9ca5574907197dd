import type { ObjectLiteral, Repository } from 'typeorm';
import type { CacheEvent } from '../../lib/core/instrumentation.js';
import type { Refill } from '../../lib/core/refill.js';
import { CACHE_OPS } from '../../lib/core/profile.js';
import { Entities } from '../../lib/typeorm/entities.js';
import { cachedSource, type CachedSource } from '../support/cached-data-source.js';
import { DATABASES } from '../support/databases.js';
import { Item, Shelf, SHOP } from './shop.entities.js';

const refill: Refill = { grace: 3_600_000, softTimeout: 0, lock: true, jitter: 0, beta: 0 };
const profile = { ops: new Set(CACHE_OPS), ttl: 3_600_000, refill };

describe.each(DATABASES)('queries in grace on %s', (kind) => {
  let source: CachedSource;
  const repo = <T extends ObjectLiteral>(entity: new () => T): Repository<T> =>
    source.dataSource.getRepository(entity);

  beforeAll(async () => {
    source = await cachedSource(kind, { entities: SHOP, rules: [{ entity: '*', profile }] });
  });
  afterAll(() => source.close());

  beforeEach(async () => {
    await source.services.context.withoutCache(() => repo(Item).createQueryBuilder().delete().execute());
    const shelf = await repo(Shelf).save({ name: 's' });
    await repo(Item).insert([
      { title: 'one', shelfId: shelf.id, stock: 1 },
      { title: 'two', shelfId: shelf.id, stock: 2 },
    ]);
    await source.services.invalidator.drain();
  });

  /** Changes a title behind the cache's back, and then says so gently. */
  async function expireBehind(title: string): Promise<void> {
    const { services } = source;
    await services.context.withoutInvalidation(() => repo(Item).update({ stock: 1 }, { title }));
    const effects = new Entities(() => [source.observed])
      .rows(Item)
      .map(({ table }) => ({ table, columns: '*' as const, images: undefined }));
    await services.invalidator.expire({ effects, tokens: new Set() });
  }

  const refreshed = () =>
    new Promise<CacheEvent>((resolve) => {
      const end = source.services.instrumentation.subscribe((event) => {
        if (event.type !== 'refresh') return;
        end();
        resolve(event);
      });
    });

  const READS: readonly [string, () => Promise<string | undefined>][] = [
    ['find', async () => (await repo(Item).find({ where: { stock: 1 } }))[0]?.title],
    ['findOneBy', async () => (await repo(Item).findOneBy({ stock: 1 }))?.title],
    [
      'a query builder',
      async () => (await repo(Item).createQueryBuilder('i').where('i.stock = :s', { s: 1 }).getOne())?.title,
    ],
    [
      'a join',
      async () => (await repo(Item).find({ where: { stock: 1 }, relations: { shelf: true } }))[0]?.title,
    ],
    [
      'an aggregate',
      async () => (await repo(Item).createQueryBuilder('i').select('MIN(i.title)', 'm').getRawOne())?.m,
    ],
  ];

  it.each(READS)('%s is served while it is read anew, on a connection of its own', async (_, read) => {
    expect(await read()).toBe('one');
    await expireBehind('eins');
    const done = refreshed();
    // Released, and by then somebody else's: a refresh must not need what its caller has used.
    expect(await read()).toBe('one');
    expect(await done).toMatchObject({ outcome: 'done' });
    const served: string[] = [];
    expect(await source.log.readsDuring(async () => void served.push((await read()) as string))).toBe(0);
    expect(served).toEqual(['eins']);
  });

  it('reads anew what was asked, also when the builder is changed meanwhile', async () => {
    const builder = () => repo(Item).createQueryBuilder('i').where('i.stock = :s', { s: 1 });
    await builder().getOne();
    await expireBehind('eins');
    const done = refreshed();
    const mine = builder();
    expect((await mine.getOne())?.title).toBe('one');
    mine.where('i.stock = :s', { s: 2 });
    await done;
    expect((await builder().getOne())?.title).toBe('eins');
  });

  it('is never served once a row has changed under the eyes of the cache', async () => {
    const read = () => repo(Item).findOneBy({ stock: 1 });
    await read();
    await expireBehind('eins');
    await repo(Item).update({ stock: 1 }, { title: 'uno' });
    expect((await read())?.title).toBe('uno');
  });

  it('goes back to its caller when the refresh fails, who sees nothing of it', async () => {
    const read = () => repo(Item).findOneBy({ stock: 1 });
    await read();
    await expireBehind('eins');
    const { createQueryRunner } = source.dataSource;
    source.dataSource.createQueryRunner = (mode) => {
      // Entities from the cache are handed to `afterLoad` with a runner that connects to nothing.
      if (mode !== 'master') return createQueryRunner.call(source.dataSource, mode);
      throw new Error('no connection');
    };
    const failed = refreshed();
    try {
      expect((await read())?.title).toBe('one');
      expect(await failed).toMatchObject({ outcome: 'failed' });
    } finally {
      source.dataSource.createQueryRunner = createQueryRunner;
    }
  });
});
