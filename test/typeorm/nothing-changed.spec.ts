import { Column, Entity, PrimaryColumn } from 'typeorm';
import { cachedSource, type CachedSource } from '../support/cached-data-source.js';
import { DATABASES } from '../support/databases.js';

@Entity()
class Coin {
  @PrimaryColumn('int') id!: number;
  @Column({ type: 'int' }) value!: number;
}

/** A write that changed nothing need not make anything stale, where the database says so in time. */
describe.each(DATABASES)('a write that changes nothing on %s', (kind) => {
  let source: CachedSource;
  const coins = () => source.dataSource.getRepository(Coin);
  const worth = (value: number) => coins().countBy({ value });

  beforeEach(async () => {
    source = await cachedSource(kind, { entities: [Coin] });
    await coins().insert({ id: 1, value: 5 });
    await worth(5);
    await worth(7);
  });
  afterEach(() => source.close());

  const readsOf = async (value: number): Promise<number> => {
    await source.services.invalidator.drain();
    return source.log.readsDuring(() => worth(value));
  };

  it('refused by the database', async () => {
    await expect(coins().insert({ id: 1, value: 7 })).rejects.toThrow();
    expect(await readsOf(5)).toBe(0);
    // On a server the statement has announced itself before, since nobody else waits for its end.
    expect(await readsOf(7)).toBe(kind === 'sqlite' ? 0 : 1);
    expect(await worth(7)).toBe(0);
  });

  it('of rows that are not there, in a transaction', async () => {
    await source.dataSource.transaction(async (manager) => {
      await manager.delete(Coin, { id: 9, value: 5 });
      await manager.update(Coin, { id: 9, value: 5 }, { value: 7 });
    });
    expect([await readsOf(5), await readsOf(7)]).toEqual(kind === 'postgres' ? [1, 1] : [0, 0]);
  });

  it('not when it was counted out, and some rows are there', async () => {
    await source.dataSource.transaction(async (manager) => {
      await manager.update(Coin, { id: 9, value: 5 }, { value: 7 });
      await manager.update(Coin, { id: 1, value: 5 }, { value: 7 });
    });
    expect([await worth(5), await worth(7)]).toEqual([0, 1]);
  });

  if (kind === 'sqlite') {
    it('not OR FAIL, which keeps the rows before the refusal', async () => {
      const sql = 'INSERT OR FAIL INTO coin (id, value) VALUES (2, 7), (1, 7), (3, 7)';
      await expect(source.dataSource.query(sql)).rejects.toThrow(/UNIQUE/);
      expect(await worth(7)).toBe(1);
      await expect(
        source.dataSource.transaction((manager) => manager.query(sql.replace('(2', '(4'))),
      ).rejects.toThrow(/UNIQUE/);
      expect(await worth(7)).toBe(1);
    });
  }
});
