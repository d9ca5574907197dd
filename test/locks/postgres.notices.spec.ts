// Who waits for a lock in PostgreSQL is told that it was released, on a connection that may be lost.
import { DataSource } from 'typeorm';
import { PostgresNotices } from '../../lib/locks/drivers/postgres.notices.js';
import { SqlLockDriver } from '../../lib/locks/drivers/sql.lock-driver.js';
import type { LockRequest, LockWatch } from '../../lib/locks/lock-driver.interface.js';
import { PollingLine } from '../../lib/locks/polling-line.js';
import { ManualClock } from '../../lib/testing/manual-clock.js';
import { createDatabase, type TestDatabase } from '../support/databases.js';
import { settled } from './lock-fixture.js';
import { request } from './requests.js';

const TEN_MINUTES = 600_000;
/** By the waiters' clock, which runs ahead. */
const FOR_EVER = 1e12;

let database: TestDatabase;
/** Of the waiters, and of somebody else. */
let source: DataSource;
let elsewhere: DataSource;
let driver: SqlLockDriver;
let other: SqlLockDriver;

beforeAll(async () => {
  database = await createDatabase('postgres');
  [source, elsewhere] = await Promise.all([open(), open()]);
  other = new SqlLockDriver({ dataSource: elsewhere });
  await other.inspect('makes the table');
});
afterAll(async () => {
  await other.close();
  await Promise.all([source, elsewhere].map((each) => each.destroy()));
  await database.drop();
});
beforeEach(() => {
  driver = new SqlLockDriver({ dataSource: source });
});
afterEach(async () => {
  await driver.close();
  await elsewhere.query('DELETE FROM cacheops_lock');
});

const open = () => new DataSource(database.options).initialize();
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const watched = async (names: readonly string[] = ['a'], heard = (): void => undefined) => {
  const watch = watchOf(driver)(names, heard);
  while (!watch.isUp) await turn();
  return watch;
};
const watchOf = (of: SqlLockDriver): NonNullable<SqlLockDriver['watch']> => {
  if (!of.watch) throw new Error('on PostgreSQL there is watch');
  return of.watch;
};

interface PgClient {
  on(event: string, listener: (notice: { payload: string }) => void): unknown;
  query(sql: string): Promise<unknown>;
}
interface Pooled {
  obtainMasterConnection(): Promise<[PgClient, () => void]>;
  readonly master: { Client: new (options: object) => PgClient };
}
const poolOf = (of: DataSource): Pooled => of.driver as unknown as Pooled;

/** From now on its new connections hear no notices. */
function makeDeaf(of: DataSource): void {
  const pool = poolOf(of).master;
  pool.Client = class extends pool.Client {
    override on(event: string, listener: (notice: { payload: string }) => void): unknown {
      return event === 'notification' ? this : super.on(event, listener);
    }
  };
}

/** The connections that share an advisory lock: those who are told. */
async function listening(): Promise<number[]> {
  const rows = await elsewhere.query<{ pid: number }[]>(
    `SELECT DISTINCT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND mode = 'ShareLock' AND ` +
      `database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
  );
  return rows.map(({ pid }) => pid);
}

/** Somebody elsewhere has the lock. */
async function heldElsewhere(): Promise<LockRequest> {
  const held = request({ ttl: TEN_MINUTES });
  expect((await other.acquire(held)).granted).toBe(true);
  return held;
}

/** A waiter whose time is ours; that of the database goes on. */
class Waiter {
  asked = 0;
  private answered = 0;
  private readonly clock = new ManualClock();
  private readonly line: PollingLine;
  watch: LockWatch | undefined;

  constructor() {
    const watch: SqlLockDriver['watch'] = (names, heard) => (this.watch = watchOf(driver)(names, heard));
    const acquire: SqlLockDriver['acquire'] = (asked) => {
      this.asked++;
      return driver.acquire(asked).finally(() => this.answered++);
    };
    const counting = Object.assign(Object.create(driver) as SqlLockDriver, { watch, acquire });
    this.line = new PollingLine(counting, { clock: this.clock, scheduler: this.clock, timeout: FOR_EVER });
  }

  wait() {
    return this.line.acquireInTurn(request({ names: ['a'] }), { wait: FOR_EVER });
  }

  async isUp(): Promise<void> {
    while (this.watch?.isUp !== true) await this.pass(50);
  }

  /** Resolves when it has heard the answer to all that it has asked. */
  async rests(): Promise<void> {
    do await settled();
    while (this.answered < this.asked);
    await settled();
  }

  /** Lets time pass until it has asked that many times more. */
  async asks(times: number): Promise<void> {
    const before = this.asked;
    while (this.asked < before + times) await this.pass(50);
  }

  async pass(ms: number): Promise<void> {
    this.clock.advance(ms);
    await settled();
  }
}

describe('a waiter in PostgreSQL', () => {
  it('asks no more once it is told, however long it waits, and has the lock as soon as it is released', async () => {
    const held = await heldElsewhere();
    const waiter = new Waiter();
    const waiting = waiter.wait();
    await waiter.isUp();
    // What it asked when it was told that it will be told.
    await waiter.rests();
    const { asked } = waiter;
    for (let i = 0; i < 60; i++) await waiter.pass(1_000);
    expect(waiter.asked).toBe(asked);
    await other.release(held);
    expect((await waiting).granted).toBe(true);
    expect(waiter.asked).toBe(asked + 1);
  });

  it('asks again and again while the connection is lost, and no more when it is back', async () => {
    const held = await heldElsewhere();
    const waiter = new Waiter();
    const waiting = waiter.wait();
    await waiter.isUp();
    const before = await listening();
    await elsewhere.query('SELECT pg_terminate_backend($1)', before);
    while (waiter.watch?.isUp) await turn();
    await waiter.asks(5);
    await waiter.isUp();
    expect(await listening()).not.toEqual(before);
    await other.release(held);
    expect((await waiting).granted).toBe(true);
  });

  it('asks again and again where nothing is heard, as behind a proxy that gives connections to anybody', async () => {
    const deaf = await open();
    try {
      makeDeaf(deaf);
      driver = new SqlLockDriver({ dataSource: deaf });
      const held = await heldElsewhere();
      const waiter = new Waiter();
      const waiting = waiter.wait();
      await waiter.asks(20);
      expect(waiter.watch?.isUp).toBe(false);
      await other.release(held);
      let granted: boolean | undefined;
      void waiting.then((reply) => (granted = reply.granted));
      while (granted === undefined) await waiter.pass(50);
      expect(granted).toBe(true);
    } finally {
      await driver.close();
      await deaf.destroy();
    }
  });

  it('needs no connection of the pool', async () => {
    const tight = await new DataSource({ ...database.options, poolSize: 1 } as never).initialize();
    driver = new SqlLockDriver({ dataSource: tight });
    const watch = await watched();
    const lease = request();
    expect((await driver.acquire(lease)).granted).toBe(true);
    expect(await driver.release(lease)).toBe('released');
    watch.close();
    await driver.close();
    await tight.destroy();
  });
});

describe('a release in PostgreSQL', () => {
  it('sends a notice if somebody watches that lock, and only then', async () => {
    const notices: string[] = [];
    const ear = await watched(['ear'], () => notices.push('ear'));
    notices.length = 0;
    const [client, giveBack] = await poolOf(source).obtainMasterConnection();
    client.on('notification', ({ payload }) => notices.push(payload));
    await client.query('LISTEN cacheops_lock');
    for (const name of ['nobody', 'ear']) {
      const lease = request({ names: [name] });
      await other.acquire(lease);
      await other.release(lease);
    }
    while (notices.length < 2) await turn();
    const ids = notices.filter((notice) => notice !== 'ear');
    expect(notices).toContain('ear');
    expect(ids).toHaveLength(1);
    await client.query('UNLISTEN *');
    giveBack();
    ear.close();
  });
});

describe('the connection for notices', () => {
  it('is opened when somebody waits, and ends some time after the last one does', async () => {
    const clock = new ManualClock();
    const notices = new PostgresNotices(source, clock);
    expect(await listening()).toEqual([]);
    const watch = notices.watch(['a'], () => undefined);
    while (!watch.isUp) await turn();
    expect(await listening()).toHaveLength(1);
    const [pid] = await listening();
    watch.close();
    const again = notices.watch(['b'], () => undefined);
    while (!again.isUp) await turn();
    expect(await listening()).toEqual([pid]);
    clock.advance(60_000);
    expect(again.isUp).toBe(true);
    again.close();
    clock.advance(60_000);
    while ((await alive(pid)) > 0) await turn();
    notices.close();
  });

  it('ends with the driver', async () => {
    await watched();
    const [pid] = await listening();
    await driver.close();
    while ((await alive(pid)) > 0) await turn();
  });
});

const alive = async (pid: number | undefined): Promise<number> =>
  (await elsewhere.query<unknown[]>('SELECT 1 FROM pg_stat_activity WHERE pid = $1', [pid])).length;
