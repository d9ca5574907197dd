import { DataSource, type EntityManager } from 'typeorm';
import { CacheOpsConfigError } from '../../lib/cacheops.errors.js';
import { LockBusyError } from '../../lib/locks/lock.errors.js';
import { advisoryLock } from '../../lib/locks/typeorm/advisory-lock.js';
import { createDatabase, type TestDatabase } from '../support/databases.js';

let database: TestDatabase;
let source: DataSource;

beforeAll(async () => {
  database = await createDatabase('postgres');
  source = await new DataSource(database.options).initialize();
  await source.query('CREATE TABLE thing (n int)');
});
afterAll(async () => {
  await source.destroy();
  await database.drop();
});

const inTransaction = <T>(work: (manager: EntityManager) => Promise<T>): Promise<T> =>
  source.transaction(work);
const isFree = (...names: string[]): Promise<boolean> =>
  inTransaction((manager) =>
    advisoryLock(manager, names, { wait: 0 }).then(
      () => true,
      (error: unknown) => {
        if (error instanceof LockBusyError) return false;
        throw error;
      },
    ),
  );
/** Resolves when a transaction waits for a lock in the database. */
async function somebodyWaits(): Promise<void> {
  const sql = `SELECT COUNT(*) AS n FROM pg_locks WHERE NOT granted AND locktype = 'advisory'
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`;
  while (Number((await source.query<[{ n: string }]>(sql))[0].n) === 0);
}

describe('advisoryLock()', () => {
  it('is held until the end of the transaction, whether that commits or not', async () => {
    await inTransaction(async (manager) => {
      await advisoryLock(manager, 'a');
      expect(await isFree('a')).toBe(false);
      expect(await isFree('b')).toBe(true);
    });
    expect(await isFree('a')).toBe(true);
    const rolledBack = inTransaction(async (manager) => {
      await advisoryLock(manager, 'a');
      throw new Error('no');
    });
    await expect(rolledBack).rejects.toThrow('no');
    expect(await isFree('a')).toBe(true);
  });

  it('hands over to a waiter, who sees what was committed', async () => {
    let waiter: Promise<number> | undefined;
    await inTransaction(async (manager) => {
      await advisoryLock(manager, 'a');
      waiter = inTransaction(async (other) => {
        await advisoryLock(other, 'a');
        return (await other.query<unknown[]>('SELECT n FROM thing')).length;
      });
      await somebodyWaits();
      await manager.query('INSERT INTO thing VALUES (1)');
    });
    expect(await waiter).toBe(1);
  });

  it.each([0, 50])(
    'leaves the transaction usable and nothing locked when it gives up: wait %p',
    async (wait) => {
      await inTransaction(async (holder) => {
        await advisoryLock(holder, 'b');
        await inTransaction(async (manager) => {
          await manager.query(`SET LOCAL lock_timeout = '7s'`);
          await expect(advisoryLock(manager, ['a', 'b', 'c'], { wait })).rejects.toThrow(LockBusyError);
          expect(await isFree('a', 'c')).toBe(true);
          expect(await manager.query('SHOW lock_timeout')).toEqual([{ lock_timeout: '7s' }]);
          await manager.query('INSERT INTO thing VALUES (2)');
        });
      });
      expect(await source.query('SELECT n FROM thing WHERE n = 2')).not.toEqual([]);
    },
  );

  it('puts lock_timeout back as it was', async () => {
    await inTransaction(async (manager) => {
      await manager.query(`SET LOCAL lock_timeout = '7s'`);
      await advisoryLock(manager, ['a', 'b'], { wait: '1m' });
      expect(await manager.query('SHOW lock_timeout')).toEqual([{ lock_timeout: '7s' }]);
    });
  });

  it('can be shared, and entered again', async () => {
    await inTransaction(async (one) => {
      await advisoryLock(one, 'a', { shared: true });
      await advisoryLock(one, 'a', { shared: true });
      await inTransaction((two) => advisoryLock(two, 'a', { shared: true, wait: 0 }));
      expect(await isFree('a')).toBe(false);
    });
  });

  it('keeps namespaces apart', async () => {
    await inTransaction(async (manager) => {
      await advisoryLock(manager, 'a', { namespace: 'shop' });
      expect(await isFree('a')).toBe(true);
    });
  });

  it('says so when transactions wait for each other', async () => {
    const outcomes: string[] = [];
    const note = (outcome: string) => () => void outcomes.push(outcome);
    let two: Promise<void> | undefined;
    await inTransaction(async (one) => {
      await advisoryLock(one, 'a');
      two = inTransaction(async (other) => {
        await advisoryLock(other, 'b');
        await advisoryLock(other, 'a').then(note('granted'), note('refused'));
      });
      await somebodyWaits();
      await advisoryLock(one, 'b').then(note('granted'), note('refused'));
    });
    await two;
    expect(outcomes.sort()).toEqual(['granted', 'refused']);
  }, 30_000);

  it.each([
    ['no transaction', () => advisoryLock(source.manager, 'a'), /^manager: /],
    ['no name', () => inTransaction((manager) => advisoryLock(manager, [])), /^lock.name: /],
    ['a negative wait', () => inTransaction((m) => advisoryLock(m, 'a', { wait: -1 })), /^lock.wait: /],
    ['an unknown option', () => inTransaction((m) => advisoryLock(m, 'a', { ttl: 1 } as never)), /ttl: /],
    [
      'no text',
      () => inTransaction((m) => advisoryLock(m, 'a', { namespace: 1 as never })),
      /^lock.namespace: /,
    ],
  ])('refuses %s', async (_, call, message) => {
    const refused = call();
    await expect(refused).rejects.toThrow(CacheOpsConfigError);
    await expect(refused).rejects.toThrow(message);
  });

  it('refuses other databases', async () => {
    const sqlite = await new DataSource({ type: 'sqljs' }).initialize();
    const refused = sqlite.transaction((manager) => advisoryLock(manager, 'a'));
    await expect(refused).rejects.toThrow('manager: expected a transaction of PostgreSQL, got "sqljs"');
    await sqlite.destroy();
  });
});
