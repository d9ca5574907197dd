import { Column, Entity, ManyToOne, PrimaryColumn } from 'typeorm';
import { cachedSource, type CachedSource } from '../support/cached-data-source.js';
import { DATABASES } from '../support/databases.js';
import { interpose } from '../support/interpose.js';

@Entity()
class Item {
  @PrimaryColumn('int') id!: number;
  @Column({ length: 20, unique: true }) code!: string;
  @Column({ type: 'int', default: 1 }) shelf!: number;
  // MariaDB: a default makes TypeORM ask for RETURNING.
  @Column({ type: 'int', default: 0 }) rank!: number;
  @Column({ length: 20, nullable: true, type: 'varchar' }) name!: string | null;
}

@Entity()
class Part {
  @PrimaryColumn('int') id!: number;
  @ManyToOne(() => Item, { onDelete: 'CASCADE', onUpdate: 'CASCADE' }) item!: Item;
}

/** An upsert names no row: which rows were in its way, and what they were, must be found out. */
describe.each(DATABASES)('upserts on %s', (kind) => {
  let source: CachedSource;
  const items = () => source.dataSource.getRepository(Item);
  const parts = () => source.dataSource.getRepository(Part);
  const onShelf = (shelf: number) => items().find({ where: { shelf }, order: { id: 'ASC' } });
  const codes = async (shelf: number) => (await onShelf(shelf)).map(({ code }) => code);
  const ranked = (rank: number) => items().find({ select: { id: true, rank: true }, where: { rank } });
  const count = () => items().countBy({ shelf: 1 });

  /** Fills the cache with readers that `work` may or may not concern; tells which of them are still served from it. */
  async function survivors(
    readers: Readonly<Record<string, () => Promise<unknown>>>,
    work: () => Promise<unknown>,
  ): Promise<readonly string[]> {
    for (const read of Object.values(readers)) await read();
    await work();
    await source.services.invalidator.drain();
    const kept: string[] = [];
    for (const [name, read] of Object.entries(readers))
      if ((await source.log.readsDuring(read)) === 0) kept.push(name);
    return kept;
  }

  const shelves = {
    one: () => onShelf(1),
    two: () => onShelf(2),
    three: () => onShelf(3),
  };

  beforeEach(async () => {
    source = await cachedSource(kind, { entities: [Item, Part] });
    await items().insert([
      { id: 1, code: 'a', shelf: 1 },
      { id: 2, code: 'b', shelf: 2 },
      { id: 3, code: 'c', shelf: 3 },
    ]);
    await parts().insert([
      { id: 1, item: { id: 1 } },
      { id: 3, item: { id: 3 } },
    ]);
  });
  afterEach(() => source.close());

  it('a row that is new concerns those who look for such rows', async () => {
    const kept = await survivors({ ...shelves, count }, () =>
      items().upsert({ id: 4, code: 'd', shelf: 2 }, ['id']),
    );
    expect(kept).toEqual(['one', 'three', 'count']);
    expect(await codes(2)).toEqual(['b', 'd']);
  });

  it('a row that was there concerns them as it was and as it is, by the columns that were set', async () => {
    const kept = await survivors({ ...shelves, ranked: () => ranked(0), count }, () =>
      items().upsert({ id: 3, code: 'c', shelf: 2 }, ['id']),
    );
    expect(kept).toEqual(['one', 'ranked', 'count']);
    expect(await codes(2)).toEqual(['b', 'c']);
    expect(await codes(3)).toEqual([]);
  });

  it('some rows are new and some were there', async () => {
    const kept = await survivors({ ...shelves, four: () => onShelf(4) }, () =>
      items().upsert(
        [
          { id: 3, code: 'c', shelf: 4 },
          { id: 5, code: 'e', shelf: 2 },
        ],
        ['id'],
      ),
    );
    expect(kept).toEqual(['one']);
    expect([await codes(2), await codes(3), await codes(4)]).toEqual([['b', 'e'], [], ['c']]);
  });

  if (kind !== 'postgres') {
    it('the same key twice in one statement leaves the last row', async () => {
      const sql = `INSERT INTO item (id, code, shelf) VALUES (4, 'd', 1), (4, 'e', 2), (3, 'c', 2)`;
      const kept = await survivors(shelves, () =>
        source.dataSource.query(
          kind === 'sqlite'
            ? `${sql} ON CONFLICT (id) DO UPDATE SET code = excluded.code, shelf = excluded.shelf`
            : `${sql} ON DUPLICATE KEY UPDATE code = VALUES(code), shelf = VALUES(shelf)`,
        ),
      );
      expect(kept).toEqual(kind === 'sqlite' ? ['one'] : []);
      expect([await codes(1), await codes(2), await codes(3)]).toEqual([['a'], ['b', 'c', 'e'], []]);
    });
  }

  it('a row is met by another key than the primary one, which may change with it', async () => {
    const byId = { first: () => items().findOneBy({ id: 1 }), ninth: () => items().findOneBy({ id: 9 }) };
    await parts().clear();
    const kept = await survivors({ ...byId, ...shelves }, () =>
      items().upsert({ id: 9, code: 'a', shelf: 3 }, ['code']),
    );
    expect(kept).toEqual(['two']);
    expect(await items().findOneBy({ id: 1 })).toBeNull();
    expect(await codes(3)).toEqual(['c', 'a']);
  });

  it('a key that changes takes the rows along that hang on it', async () => {
    const of = (id: number) => () => parts().findBy({ item: { id } });
    const kept = await survivors({ one: of(1), three: of(3), nine: of(9) }, () =>
      items().upsert({ id: 9, code: 'c', shelf: 3 }, ['code']),
    );
    expect(kept.filter((name) => name !== 'one')).toEqual([]);
    expect(await of(9)()).toHaveLength(1);
    const upsert = () => items().upsert({ id: 1, code: 'a', rank: 7 }, ['id']);
    expect(await survivors({ parts: of(1), ...shelves }, upsert)).toEqual(['parts', 'two', 'three']);
  });

  it('within a transaction, and not when it is rolled back', async () => {
    const upsert = (end: Error | undefined) =>
      source.dataSource
        .transaction(async (manager) => {
          await manager.upsert(Item, { id: 1, code: 'a', shelf: 2 }, ['id']);
          if (end) throw end;
        })
        .catch((error: unknown) => expect(error).toBe(end));
    expect(await survivors(shelves, () => upsert(new Error('no')))).toEqual(['one', 'two', 'three']);
    expect(await survivors(shelves, () => upsert(undefined))).toEqual(['three']);
  });

  it('returns what it would have returned', async () => {
    await onShelf(1);
    const upsert = () =>
      items().upsert(
        [
          { id: 1, code: 'a', shelf: 2 },
          { id: 6, code: 'f' },
        ],
        ['id'],
      );
    const seen = await upsert();
    await source.dataSource.query('DELETE FROM item WHERE id = 6');
    const plain = await source.services.context.withoutInvalidation(upsert);
    expect({ ...seen, raw: JSON.stringify(seen.raw) }).toEqual({ ...plain, raw: JSON.stringify(plain.raw) });
  });

  it('a refusal is passed on and leaves nothing open', async () => {
    await onShelf(1);
    await expect(items().upsert({ id: 1, code: 'b' }, ['id'])).rejects.toThrow();
    await items().upsert({ id: 1, code: 'a', shelf: 2 }, ['id']);
    expect([await codes(1), await codes(2)]).toEqual([[], ['a', 'b']]);
  });

  /** Statements of the application; `?` is a parameter. */
  const raw = (sql: string, ...params: readonly unknown[]) => {
    let i = 0;
    const own = kind === 'postgres' ? sql.replace(/\?/g, () => `$${++i}`) : sql;
    return source.dataSource.query(own, [...params]);
  };
  const onDuplicate = (key: string, set: string) =>
    kind === 'mariadb' ? `ON DUPLICATE KEY UPDATE ${set}` : `ON CONFLICT (${key}) DO UPDATE SET ${set}`;

  it('a value that is computed is read back', async () => {
    const shelf = kind === 'mariadb' ? 'shelf' : 'item.shelf';
    const kept = await survivors(shelves, () =>
      raw(`INSERT INTO item (id, code) VALUES (?, 'x') ${onDuplicate('id', `shelf = ${shelf} + 2`)}`, 1),
    );
    // MySQL: two keys are given, and it does not tell by which of them the row was met.
    expect(kept).toEqual(kind === 'mariadb' ? [] : ['two']);
    expect(await codes(3)).toEqual(['a', 'c']);
  });

  it('a key that is computed makes it any row', async () => {
    await onShelf(1);
    await raw(
      `INSERT INTO item (id, code) VALUES (?, ?) ${onDuplicate('id', `id = 8, code = 'moved', shelf = 3`)}`,
      2,
      'y',
    );
    expect([await codes(2), await codes(3)]).toEqual([[], ['c', 'moved']]);
  });

  if (kind !== 'mariadb') {
    it('a row that its condition spares is not changed', async () => {
      const sql = `INSERT INTO item (id, code, shelf) VALUES (?, ?, 2) ON CONFLICT (id) DO UPDATE SET shelf = EXCLUDED.shelf WHERE item.rank > 0`;
      const kept = await survivors(shelves, () => raw(sql, 1, 'a'));
      expect(kept).toContain('three');
      expect(await codes(1)).toEqual(['a']);
    });
  }

  if (kind === 'mariadb') {
    it('the row that is changed may be that of any unique key', async () => {
      const sql = `INSERT INTO item (id, code, shelf) VALUES (?, ?, 2) ${onDuplicate('', 'shelf = VALUES(shelf)')}`;
      await survivors(shelves, () => raw(sql, 7, 'c'));
      expect([await codes(2), await codes(3)]).toEqual([['b', 'c'], []]);
    });

    it('also that of a key which no entity declares', async () => {
      await raw('CREATE UNIQUE INDEX by_name ON item (name)');
      await items().update({ id: 3 }, { name: 'n' });
      const sql = `INSERT INTO item (id, code, name, shelf) VALUES (7, 'new', 'n', 2) ${onDuplicate('', 'shelf = VALUES(shelf)')}`;
      await survivors(shelves, () => raw(sql));
      expect([await codes(2), await codes(3)]).toEqual([['b', 'c'], []]);
    });
  }

  if (kind === 'sqlite') {
    it('a key that compares in its own way finds the row', async () => {
      await raw('CREATE TABLE copy AS SELECT * FROM item');
      await raw('DROP TABLE item');
      await raw(
        'CREATE TABLE item (id int primary key, code varchar, shelf int default 1, rank int default 0, name varchar)',
      );
      await raw('CREATE UNIQUE INDEX by_code ON item (code COLLATE NOCASE)');
      await raw('INSERT INTO item SELECT id, code, shelf, rank, name FROM copy');
      await survivors(shelves, () => items().upsert({ id: 3, code: 'C', shelf: 2 }, ['code']));
      expect([await codes(2), await codes(3)]).toEqual([['b', 'C'], []]);
    });
  }

  if (kind === 'postgres') {
    it('a partitioned table tells less, and is followed as a whole', async () => {
      await raw('DROP TABLE part, item');
      await raw(
        'CREATE TABLE item (id int primary key, code varchar, shelf int default 1, rank int default 0, name varchar) PARTITION BY RANGE (id)',
      );
      await raw('CREATE TABLE item_low PARTITION OF item FOR VALUES FROM (0) TO (100)');
      await items().insert({ id: 1, code: 'a' });
      await survivors(shelves, () => items().upsert({ id: 1, code: 'a', shelf: 2 }, ['id']));
      expect([await codes(1), await codes(2)]).toEqual([[], ['a']]);
    });
  }

  if (kind !== 'postgres') {
    it('REPLACE deletes the rows of all its keys, and what hangs on them', async () => {
      const of = (id: number) => () => parts().findBy({ item: { id } });
      await items().insert({ id: 4, code: 'd', shelf: 4 });
      const readers = { ...shelves, four: () => onShelf(4), parts: of(1), others: of(4) };
      const kept = await survivors(readers, () =>
        raw(`REPLACE INTO item (id, code, shelf) VALUES (?, 'b', 3)`, 1),
      );
      expect(kept).toEqual(['four', 'others']);
      expect([await codes(1), await codes(2), await codes(3)]).toEqual([[], [], ['b', 'c']]);
      expect(await of(1)()).toEqual([]);
    });
  }

  if (kind !== 'sqlite') {
    const lookedFor =
      kind === 'postgres' ? /FROM "item" WHERE .* FOR NO KEY UPDATE/ : /^SELECT `id` FROM `item`/;

    it('a row that another connection inserts meanwhile is not missed', async () => {
      interpose(source.dataSource, lookedFor, async () => {
        await items().insert({ id: 4, code: 'd', shelf: 3 });
        expect(await codes(3)).toEqual(['c', 'd']);
      });
      await survivors(shelves, () => items().upsert({ id: 4, code: 'd', shelf: 2 }, ['id']));
      expect([await codes(2), await codes(3)]).toEqual([['b', 'd'], ['c']]);
    });

    it('nor beside others that were seen', async () => {
      interpose(source.dataSource, lookedFor, async () => {
        await items().insert({ id: 4, code: 'd', shelf: 3 });
        expect(await codes(3)).toEqual(['c', 'd']);
      });
      const rows = [
        // Nothing of it changes: MySQL counts it like a new one.
        { id: 1, code: 'a', shelf: 1 },
        { id: 4, code: 'd', shelf: 2 },
      ];
      await survivors(shelves, () => items().upsert(rows, ['id']));
      expect([await codes(2), await codes(3)]).toEqual([['b', 'd'], ['c']]);
    });

    it('two connections that upsert rows which are not there do not wait for each other', async () => {
      await onShelf(1);
      interpose(source.dataSource, lookedFor, () => items().upsert({ id: 11, code: 'k' }, ['id']));
      await items().upsert({ id: 12, code: 'l' }, ['id']);
      expect(await codes(1)).toEqual(['a', 'k', 'l']);
    });
  }
});
