import type { QueryRunner } from 'typeorm';
import { cachedSource, type CachedSource } from '../support/cached-data-source.js';
import type { DatabaseKind } from '../support/databases.js';
import { Shelf, SHOP } from './shop.entities.js';

/**
 * Found by the conformance suite: session state that outlives a statement (`SET SESSION ...`, autocommit) was not
 * followed, so a snapshot counted as READ COMMITTED and stored old rows, or a commit was not noticed at all.
 */
describe.each(['postgres', 'mariadb'] as const)('session state on %s', (kind: DatabaseKind) => {
  let source: CachedSource;
  let runner: QueryRunner;
  const name = async () => (await source.dataSource.getRepository(Shelf).findOneByOrFail({ id: 1 })).name;
  const nameInside = async () => (await runner.manager.findOneByOrFail(Shelf, { id: 1 })).name;

  beforeAll(async () => {
    source = await cachedSource(kind, { entities: SHOP });
    await source.dataSource.getRepository(Shelf).save({ name: 'first' });
  });
  beforeEach(async () => {
    await source.dataSource.getRepository(Shelf).update({ id: 1 }, { name: 'first' });
    runner = source.dataSource.createQueryRunner();
  });
  afterEach(() => runner.release());
  afterAll(() => source.close());

  /** A snapshot is taken, another connection commits, the snapshot is read: nobody may be served what it saw. */
  async function readOldSnapshot(before: string, after: string): Promise<void> {
    await runner.query('START TRANSACTION');
    await runner.query('SELECT * FROM shelf');
    await source.dataSource.getRepository(Shelf).update({ id: 1 }, { name: after });
    expect(await nameInside()).toBe(before);
    await runner.query('COMMIT');
    expect(await name()).toBe(after);
  }

  const levels: Record<string, readonly string[]> = {
    postgres: [
      'SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL REPEATABLE READ',
      `SET default_transaction_isolation = 'repeatable read'`,
    ],
    mariadb: [
      'SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ',
      `SET tx_isolation = 'REPEATABLE-READ'`,
      'SET GLOBAL TRANSACTION ISOLATION LEVEL REPEATABLE READ',
    ],
  };

  it.each(levels[kind] ?? [])('stores nothing from a snapshot after %s', async (statement) => {
    await runner.query(statement);
    await runner.query('START TRANSACTION');
    await nameInside();
    await runner.query('COMMIT');
    await readOldSnapshot('first', 'second');
    // The pool hands the same session to the next runner.
    await runner.release();
    runner = source.dataSource.createQueryRunner();
    await readOldSnapshot('second', 'third');
    if (kind === 'postgres') await runner.query('RESET ALL');
  });

  it('follows COMMIT AND CHAIN', async () => {
    await runner.query('START TRANSACTION');
    await runner.query(`UPDATE shelf SET name = 'chained' WHERE id = 1`);
    expect(await name()).toBe('first');
    await runner.query('COMMIT AND CHAIN');
    expect(await name()).toBe('chained');
    await runner.query(`UPDATE shelf SET name = 'again' WHERE id = 1`);
    expect(await nameInside()).toBe('again');
    expect(await name()).toBe('chained');
    await runner.query('ROLLBACK');
    expect(await name()).toBe('chained');
  });

  if (kind === 'mariadb') {
    it('takes writes without autocommit for uncommitted until the COMMIT', async () => {
      await runner.query('SET autocommit = 0');
      await runner.query(`UPDATE shelf SET name = 'manual' WHERE id = 1`);
      expect(await name()).toBe('first');
      await runner.query('COMMIT');
      expect(await name()).toBe('manual');
      await runner.query(`UPDATE shelf SET name = 'switched' WHERE id = 1`);
      expect(await name()).toBe('manual');
      await runner.query('SET autocommit = 1');
      expect(await name()).toBe('switched');
    });

    it('notices that DDL commits what is open', async () => {
      await runner.query('START TRANSACTION');
      await runner.query(`UPDATE shelf SET name = 'by ddl' WHERE id = 1`);
      expect(await name()).toBe('first');
      await runner.query('CREATE TABLE passing (id int)');
      expect(await name()).toBe('by ddl');
      await runner.query('DROP TABLE passing');
    });

    it('notices that BEGIN commits what is open', async () => {
      await runner.query('START TRANSACTION');
      await runner.query(`UPDATE shelf SET name = 'before' WHERE id = 1`);
      expect(await name()).toBe('first');
      await runner.query('START TRANSACTION');
      expect(await name()).toBe('before');
      await runner.query(`UPDATE shelf SET name = 'lost' WHERE id = 1`);
      await runner.query('ROLLBACK');
      expect(await name()).toBe('before');
    });
  }
});
