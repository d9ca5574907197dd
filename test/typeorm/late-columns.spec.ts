import { Column, Entity, PrimaryColumn, type EntityManager } from 'typeorm';
import { cachedSource, type CachedSource } from '../support/cached-data-source.js';
import { DATABASES } from '../support/databases.js';

@Entity()
class Book {
  @PrimaryColumn('int') id!: number;
  @Column({ type: 'int', default: 1 }) shelf!: number;
  @Column({ type: 'int', default: 5 }) rank!: number;
  @Column({ length: 20, nullable: true, type: 'varchar' }) title!: string | null;
}

/** Another process brings a condition on a column that a transaction did not look at, just before it commits. */
describe.each(DATABASES)('conditions that come late on %s', (kind) => {
  let source: CachedSource;
  const books = () => source.dataSource.getRepository(Book);

  beforeEach(async () => {
    source = await cachedSource(kind, { entities: [Book] });
    await books().insert([{ id: 1 }, { id: 2, rank: 6 }]);
    await books().findBy({ shelf: 1 });
    await books().findBy({ title: 'x' });
  });
  afterEach(() => source.close());

  /** Tokens that the transaction restamps, when readers by rank turn up before its COMMIT. */
  async function restamped(work: (manager: EntityManager) => Promise<unknown>): Promise<readonly string[]> {
    await source.services.invalidator.drain();
    source.events.length = 0;
    await source.dataSource.transaction(async (manager) => {
      await work(manager);
      const shapes = [{ table: 'book', shape: 'rank' }];
      await source.services.driver.pin({ tokens: ['*', 't:{book}'], shapes, ttl: 1000 });
    });
    return source.events.flatMap((event) => (event.type === 'invalidate' ? event.tokens : []));
  }

  it('the rows are looked at once more', async () => {
    const tokens = await restamped((manager) => manager.update(Book, { id: 2 }, { title: 'y' }));
    expect(tokens).toContain('t:{book}:rank=6');
    expect(tokens).not.toContain('t:{book}:rank=5');
    expect(tokens).not.toContain('t:{book}');
  });

  it('also those that were found by another condition than the key', async () => {
    const tokens = await restamped((manager) => manager.update(Book, { shelf: 1 }, { title: 'y' }));
    expect(tokens).toEqual(expect.arrayContaining(['t:{book}:rank=5', 't:{book}:rank=6']));
    expect(tokens).not.toContain('t:{book}');
  });

  it.each<[string, (manager: EntityManager) => Promise<unknown>]>([
    ['the column was set', (m) => m.update(Book, { id: 2 }, { title: 'y', rank: 7 })],
    [
      'the column was set by another statement',
      async (m) => {
        await m.update(Book, { id: 2 }, { title: 'y' });
        await m.increment(Book, { id: 2 }, 'rank', 1);
      },
    ],
    [
      'the row came back as another one',
      async (m) => {
        await m.update(Book, { id: 2 }, { title: 'y' });
        await m.delete(Book, { id: 2 });
        await m.insert(Book, { id: 2, title: 'z' });
      },
    ],
    ['its key was set', (m) => m.update(Book, { id: 2 }, { id: 9, title: 'y' })],
  ])('the table is restamped where %s', async (_, work) => {
    expect(await restamped(work)).toContain('t:{book}');
  });
});

describe('a write in a common table expression of PostgreSQL', () => {
  let source: CachedSource;
  const books = () => source.dataSource.getRepository(Book);
  const ranked = (rank: number) => books().findBy({ rank });

  beforeEach(async () => {
    source = await cachedSource('postgres', { entities: [Book] });
    await books().insert([{ id: 1 }, { id: 2, rank: 6 }]);
  });
  afterEach(() => source.close());

  it('is followed though a SELECT stands around it', async () => {
    expect(await ranked(6)).toHaveLength(1);
    const sql = 'WITH gone AS (DELETE FROM book WHERE id = 2 RETURNING *) SELECT * FROM gone';
    expect(await source.dataSource.query(sql)).toEqual([{ id: 2, shelf: 1, rank: 6, title: null }]);
    expect(await ranked(6)).toHaveLength(0);
  });

  it('leaves readers of other columns alone', async () => {
    const titles = () => books().find({ select: { id: true, title: true }, order: { id: 'ASC' } });
    await titles();
    await source.dataSource.query(
      'WITH few AS (UPDATE book SET rank = 7 WHERE id = 2 RETURNING id) SELECT * FROM few',
    );
    await source.services.invalidator.drain();
    expect(await source.log.readsDuring(titles)).toBe(0);
    expect(await ranked(6)).toHaveLength(0);
  });
});
