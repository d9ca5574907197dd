import { jest } from '@jest/globals';
import { DataSource, EntitySchema, type DataSourceOptions } from 'typeorm';
import { CacheOpsConfigError } from '../../lib/cacheops.errors.js';
import { SqlLockDriver } from '../../lib/locks/drivers/sql.lock-driver.js';
import { fence } from '../../lib/locks/typeorm/fence.js';
import { cachedSource } from '../support/cached-data-source.js';
import { createDatabase, DATABASES, type TestDatabase } from '../support/databases.js';
import { request } from './requests.js';

const Thing = new EntitySchema<{ id: number }>({
  name: 'Thing',
  columns: { id: { type: Number, primary: true } },
});

describe.each(['postgres', 'mariadb'] as const)('SqlLockDriver beside transactions of %s', (kind) => {
  let database: TestDatabase;
  let source: DataSource;
  let driver: SqlLockDriver;

  const open = async (extra: Partial<DataSourceOptions> = {}) => {
    const options = { ...database.options, ...extra } as DataSourceOptions;
    return new DataSource(options).initialize();
  };
  beforeAll(async () => {
    database = await createDatabase(kind);
    source = await open();
    driver = new SqlLockDriver({ dataSource: source });
  });
  afterAll(async () => {
    await driver.close();
    await source.destroy();
    await database.drop();
  });

  it('takes part in none: what is locked in one is seen at once, and outlives its rollback', async () => {
    const lease = request({ names: ['rolled back'] });
    const rolledBack = source.transaction(async () => {
      expect((await driver.acquire(lease)).granted).toBe(true);
      expect((await driver.acquire(request({ names: ['rolled back'] }))).granted).toBe(false);
      throw new Error('rolled back');
    });
    await expect(rolledBack).rejects.toThrow('rolled back');
    expect((await driver.acquire(request({ names: ['rolled back'] }))).granted).toBe(false);
    expect(await driver.release(lease)).toBe('released');
  });

  it('tells the time by the database, and by its clock rather than the beginning of a transaction', async () => {
    const now = jest.spyOn(Date, 'now').mockReturnValue(Date.now() + 86_400_000);
    const lease = request({ names: ['time'] });
    await driver.acquire(lease);
    now.mockReturnValue(Date.now() - 2 * 86_400_000);
    expect((await driver.acquire(request({ names: ['time'] }))).granted).toBe(false);
    const [holder] = (await driver.inspect('time')).holders;
    now.mockRestore();
    expect(holder?.remaining).toBeGreaterThan(50_000);
    expect(holder?.remaining).toBeLessThanOrEqual(60_000);
  });

  it.each(['+05:00', '-11:00'])('is not impressed by the time zone %s of a connection', async (zone) => {
    const elsewhere = await open({ poolSize: 1 });
    const name = `zone ${zone}`;
    await driver.acquire(request({ names: [name], ttl: 3_000 }));
    const runner = elsewhere.createQueryRunner();
    await runner.query(kind === 'mariadb' ? `SET time_zone = '${zone}'` : `SET TIME ZONE '${zone}'`);
    await runner.release();
    const there = new SqlLockDriver({ dataSource: elsewhere });
    const reply = await there.acquire(request({ names: [name] }));
    expect(reply.granted ? NaN : reply.retryAfter).toBeLessThanOrEqual(3_000);
    await elsewhere.destroy();
  });

  it('keeps the token of a name when it is free', async () => {
    const lease = request({ names: ['kept'] });
    const reply = await driver.acquire(lease);
    await driver.release(lease);
    const rows = await source.query<{ token: unknown; holders: string }[]>(
      `SELECT token, holders FROM cacheops_lock WHERE name = '"kept"'`,
    );
    expect(rows.map(({ token, holders }) => [Number(token), holders])).toEqual([
      [reply.granted && reply.fencingToken, '[]'],
    ]);
  });

  it('finds its table again after it was dropped', async () => {
    await source.query('DROP TABLE cacheops_lock');
    await expect(driver.acquire(request({ names: ['dropped'] }))).rejects.toThrow();
    expect((await driver.acquire(request({ names: ['dropped'] }))).granted).toBe(true);
  });

  it('makes its table once when many begin at the same time', async () => {
    await source.query('DROP TABLE cacheops_lock');
    const drivers = Array.from({ length: 8 }, () => new SqlLockDriver({ dataSource: source }));
    const replies = await Promise.all(drivers.map((each) => each.acquire(request({ names: ['first'] }))));
    expect(replies.filter(({ granted }) => granted)).toHaveLength(1);
  });
});

it('refuses connections of MariaDB that do not commit by themselves', async () => {
  const database = await createDatabase('mariadb');
  const source = await new DataSource({
    ...database.options,
    extra: { connectionLimit: 1 },
  }).initialize();
  const driver = new SqlLockDriver({ dataSource: source });
  await driver.inspect('makes the table');
  await source.query('SET autocommit = 0');
  await expect(driver.acquire(request())).rejects.toThrow(/autocommit = 1/);
  await source.destroy();
  await database.drop();
});

it('grants locks where PostgreSQL is told to make every statement serializable', async () => {
  const database = await createDatabase('postgres');
  const extra = { options: '-c default_transaction_isolation=serializable' };
  const source = await new DataSource({ ...database.options, extra }).initialize();
  const driver = new SqlLockDriver({ dataSource: source });
  let count = 0;
  const work = async (): Promise<void> => {
    for (let done = 0; done < 5;) {
      const lease = request();
      if (!(await driver.acquire(lease)).granted) continue;
      const seen = count;
      await source.query('SELECT 1');
      count = seen + 1;
      done++;
      expect(await driver.release(lease)).toBe('released');
    }
  };
  await Promise.all([work(), work(), work(), work()]);
  expect(count).toBe(20);
  await source.destroy();
  await database.drop();
});

it("refuses to put locks into the transaction of SQLite's only connection", async () => {
  const source = await new DataSource({ type: 'sqljs' }).initialize();
  const driver = new SqlLockDriver({ dataSource: source });
  await source.transaction(async () => {
    await expect(driver.acquire(request())).rejects.toMatchObject({ code: 'DRIVER' });
    await expect(driver.acquire(request())).rejects.toThrow(/give the lock driver a DataSource of its own/);
  });
  expect((await driver.acquire(request())).granted).toBe(true);
  await source.destroy();
});

it.each([[undefined], [{}], [{ options: { type: 'mongodb' } }]])(
  'refuses the DataSource %p',
  (dataSource) => {
    const make = () => new SqlLockDriver({ dataSource: dataSource as DataSource });
    expect(make).toThrow(CacheOpsConfigError);
    expect(make).toThrow(/^dataSource: expected a DataSource of type postgres, /);
  },
);

it.each(DATABASES)('makes nothing stale in the cache of a DataSource of %s', async (kind) => {
  const cached = await cachedSource(kind, { entities: [Thing] });
  const { dataSource, events } = cached;
  await dataSource.getRepository(Thing).find();
  const driver = new SqlLockDriver({ dataSource });
  const lease = request({ names: ['a', 'b'] });
  const reply = await driver.acquire(lease);
  await driver.renew([{ ...lease, ttl: 1_000 }]);
  const fencingToken = reply.granted ? reply.fencingToken : NaN;
  await dataSource.transaction((manager) => fence(manager, { names: lease.names, fencingToken }));
  await driver.release(lease);
  await dataSource.getRepository(Thing).find();
  const types = events.map(({ type }) => type);
  expect(types).toContain('hit');
  expect(types).not.toContain('invalidate');
  await cached.close();
});
