import { Column, Entity, ManyToOne, PrimaryColumn } from 'typeorm';
import { cachedSource, type CachedSource } from '../support/cached-data-source.js';
import { DATABASES } from '../support/databases.js';
import { interpose } from '../support/interpose.js';

@Entity()
class Book {
  @PrimaryColumn('int') id!: number;
  @Column({ type: 'int', default: 1 }) shelf!: number;
}

@Entity()
class Page {
  @PrimaryColumn('int') id!: number;
  @Column({ type: 'int', default: 0 }) size!: number;
  @ManyToOne(() => Book, { onDelete: 'CASCADE' }) book!: Book;
}

@Entity()
class Pick {
  @PrimaryColumn('int') id!: number;
  @Column({ type: 'int' }) book!: number;
}

/**
 * The look at the rows that are about to change locks those rows, and not the others that their condition asks. These
 * may change before the statement runs, which then hits as many rows, but others.
 */
describe.each(DATABASES)('a condition that asks other rows on %s', (kind) => {
  let source: CachedSource;
  const books = () => source.dataSource.getRepository(Book);
  const onShelf = async (shelf: number) => (await books().findBy({ shelf })).map(({ id }) => id);

  beforeEach(async () => {
    source = await cachedSource(kind, { entities: [Book, Page, Pick] });
    await books().insert([
      { id: 1, shelf: 1 },
      { id: 2, shelf: 2 },
    ]);
    await source.dataSource.getRepository(Pick).insert({ id: 1, book: 1 });
    for (const shelf of [1, 2, 3]) await onShelf(shelf);
  });
  afterEach(() => source.close());

  const writes: readonly (readonly [string, number[], number[], number[]])[] = [
    ['UPDATE book SET shelf = 3 WHERE id IN (SELECT book FROM pick)', [1], [], [2]],
    ['DELETE FROM book WHERE id IN (SELECT book FROM pick)', [1], [], []],
  ];
  const joined: typeof writes = [
    ['UPDATE book SET shelf = 3 FROM pick WHERE pick.book = book.id', [1], [], [2]],
    [
      'WITH wanted AS (SELECT book FROM pick) UPDATE book AS b SET shelf = 3 FROM wanted, pick p WHERE wanted.book = b.id AND p.book = b.id',
      [1],
      [],
      [2],
    ],
    [
      'WITH wanted AS (SELECT book FROM pick) DELETE FROM book WHERE id IN (SELECT book FROM wanted)',
      [1],
      [],
      [],
    ],
  ];
  const using: typeof writes = [['DELETE FROM book USING pick WHERE pick.book = book.id', [1], [], []]];

  it.each([...writes, ...(kind === 'mariadb' ? [] : joined), ...(kind === 'postgres' ? using : [])])(
    '%s',
    async (sql, one, two, three) => {
      const pick = () => source.dataSource.getRepository(Pick).update({ id: 1 }, { book: 2 });
      // SQLite has one connection: nothing can come in between.
      if (kind === 'sqlite') await pick();
      else interpose(source.dataSource, /FROM .?book\b.* FOR (?:NO KEY )?UPDATE/, pick);
      await source.dataSource.query(sql);
      expect([await onShelf(1), await onShelf(2), await onShelf(3)]).toEqual([one, two, three]);
    },
  );

  if (kind !== 'sqlite') {
    it('a row that comes to match between the look and the DELETE takes its own along', async () => {
      const pages = () => source.dataSource.getRepository(Page);
      await pages().insert({ id: 1, size: 1, book: { id: 1 } });
      const sized = (size: number) => pages().countBy({ size });
      interpose(source.dataSource, /FROM .?book.? .*FOR UPDATE/i, async () => {
        // MariaDB keeps others from inserting where it has looked.
        if (kind !== 'postgres') return;
        await books().insert({ id: 5, shelf: 1 });
        await pages().insert({ id: 5, size: 5, book: { id: 5 } });
        expect(await sized(5)).toBe(1);
      });
      expect([await sized(1), await sized(5)]).toEqual([1, 0]);
      await books().delete({ shelf: 1 });
      expect([await sized(1), await sized(5)]).toEqual([0, 0]);
    });
  }

  it.each([...writes.slice(0, 1), ...(kind === 'mariadb' ? [] : joined.slice(0, 2))])(
    'readers of other rows are left alone: %s',
    async (sql) => {
      await source.dataSource.query(sql);
      await source.services.invalidator.drain();
      expect(await source.log.readsDuring(() => onShelf(2))).toBe(0);
      expect(await onShelf(3)).toEqual([1]);
    },
  );
});
