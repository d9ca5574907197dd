import { DataSource, type EntityManager } from 'typeorm';
import { CacheOpsConfigError } from '../../lib/cacheops.errors.js';
import { FenceError } from '../../lib/locks/fence.error.js';
import { fence } from '../../lib/locks/typeorm/fence.js';
import { CacheOpsLockTables } from '../../lib/locks/typeorm/lock-tables.js';
import { createDatabase, DATABASES, type TestDatabase } from '../support/databases.js';

const lock = (fencingToken: number | undefined, ...names: string[]) => ({ names, fencingToken });

describe.each(DATABASES)('fence() on %s', (kind) => {
  let database: TestDatabase;
  let source: DataSource;

  beforeAll(async () => {
    database = await createDatabase(kind);
    source = await new DataSource(database.options).initialize();
    await source.query('CREATE TABLE work (token bigint)');
  });
  afterAll(async () => {
    await source.destroy();
    await database.drop();
  });

  const write = (token: number, names: string[], between?: (manager: EntityManager) => Promise<unknown>) =>
    source.transaction(async (manager) => {
      await fence(manager, lock(token, ...names));
      await manager.query(`INSERT INTO work (token) VALUES (${token})`);
      await between?.(manager);
    });
  const written = async () => {
    const rows = await source.query<{ token: unknown }[]>('SELECT token FROM work ORDER BY token');
    return rows.map((row) => Number(row.token));
  };

  beforeEach(() => source.query('DELETE FROM work'));

  it('lets holders write in their order, each as often as it likes', async () => {
    for (const token of [1, 1, 2, 7, 7]) await write(token, ['order']);
    expect(await written()).toEqual([1, 1, 2, 7, 7]);
  });

  it('refuses a holder after whom another one has written, and nothing of it stays', async () => {
    await write(5, ['stale']);
    const refused = write(4, ['stale']);
    await expect(refused).rejects.toThrow(FenceError);
    await expect(refused).rejects.toMatchObject({ code: 'FENCED', lock: 'stale', fencingToken: 4 });
    expect(await written()).toEqual([5]);
  });

  it('compares names exactly, and tokens as numbers', async () => {
    await write(10, ['name']);
    for (const name of ['Name', 'name ', 'na\u0000me', 'näme', '🔒']) await write(9, [name]);
    await expect(write(9, ['name'])).rejects.toThrow(FenceError);
    await write(Number.MAX_SAFE_INTEGER - 1, ['large']);
    await expect(write(Number.MAX_SAFE_INTEGER - 2, ['large'])).rejects.toThrow(FenceError);
  });

  it('refuses a lock of several names if one of them has moved on', async () => {
    await write(3, ['x', 'y']);
    await write(6, ['y']);
    await expect(write(5, ['x', 'y'])).rejects.toMatchObject({ lock: 'y' });
    await write(4, ['x']);
    await expect(write(3, ['y', 'x'])).rejects.toThrow(FenceError);
  });

  it('forgets the token of a transaction that is rolled back', async () => {
    const failed = write(9, ['rollback'], () => Promise.reject(new Error('no')));
    await expect(failed).rejects.toThrow('no');
    await write(8, ['rollback']);
    expect(await written()).toEqual([8]);
  });

  it.each([
    ['no transaction', () => fence(source.manager, lock(1, 'a')), /^manager: expected the EntityManager/],
    ['no manager', () => fence(undefined as never, lock(1, 'a')), /^manager: /],
    ['no token', () => inTransaction(lock(undefined, 'a')), /^lock.fencingToken: /],
    ['a token that is no integer', () => inTransaction(lock(NaN, 'a')), /^lock.fencingToken: /],
    ['no names', () => inTransaction(lock(1)), /^lock.names: /],
    ['an empty name', () => inTransaction(lock(1, '')), /^lock.names: /],
  ])('refuses %s', async (_, call, message) => {
    const refused = call();
    await expect(refused).rejects.toThrow(CacheOpsConfigError);
    await expect(refused).rejects.toThrow(message);
  });
  const inTransaction = (bad: Parameters<typeof fence>[1]) =>
    source.transaction((manager) => fence(manager, bad));

  it('finds its table again after it was dropped', async () => {
    await source.query('DROP TABLE cacheops_fence');
    await write(1, ['dropped']).catch(() => undefined);
    await write(1, ['dropped']);
    await expect(write(0, ['dropped'])).rejects.toThrow(FenceError);
  });

  it('has tables that a migration makes and removes', async () => {
    const migration = new CacheOpsLockTables();
    const runner = source.createQueryRunner();
    await migration.down(runner);
    await migration.up(runner);
    await migration.up(runner);
    expect(await source.query('SELECT token FROM cacheops_lock')).toEqual([]);
    await write(1, ['migrated']);
    await migration.down(runner);
    await expect(source.query('SELECT token FROM cacheops_fence')).rejects.toThrow();
    await runner.release();
  });
});

/** How many connections wait for a row that another one has locked. */
const WAITING = {
  postgres: `SELECT COUNT(*) AS n FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`,
  mariadb: `SELECT COUNT(*) AS n FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'`,
};

describe.each([
  ['postgres', 'READ COMMITTED'],
  ['postgres', 'REPEATABLE READ'],
  ['postgres', 'SERIALIZABLE'],
  ['mariadb', 'READ COMMITTED'],
  ['mariadb', 'REPEATABLE READ'],
] as const)('fence() of two holders at once on %s, %s', (kind, isolation) => {
  let database: TestDatabase;
  let source: DataSource;

  beforeAll(async () => {
    database = await createDatabase(kind);
    source = await new DataSource(database.options).initialize();
    await source.transaction((manager) => fence(manager, lock(1, 'a')));
  });
  afterAll(async () => {
    await source.destroy();
    await database.drop();
  });

  it('lets the earlier one wait for the later one, and refuses it', async () => {
    const stale = source.createQueryRunner();
    await stale.startTransaction(isolation);
    // Its snapshot, if it has one, is older than what the other one commits.
    await stale.query('SELECT token FROM cacheops_fence');
    const events: string[] = [];
    const note = (event: string) => () => void events.push(event);
    let behind = Promise.resolve();
    await source.transaction(isolation, async (manager) => {
      await fence(manager, lock(3, 'a'));
      behind = fence(stale.manager, lock(2, 'a')).then(note('passed'), note('refused'));
      let waiting = 0;
      while (waiting === 0) waiting = Number((await source.query(WAITING[kind]))[0].n);
      note('commit')();
    });
    await behind;
    await stale.rollbackTransaction();
    await stale.release();
    expect(events).toEqual(['commit', 'refused']);
  });
});
