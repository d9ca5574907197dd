import { execFileSync } from 'node:child_process';
import { DataSource } from 'typeorm';
import { systemClock } from '../../lib/core/clock.js';
import { MemoryDriver } from '../../lib/drivers/memory.driver.js';
import type { InvalidatorSettings } from '../../lib/invalidation/invalidator.js';
import { ChaosDriver } from '../../lib/testing/chaos.driver.js';
import { ObservedDataSource } from '../../lib/typeorm/observed-data-source.js';
import { FaultyProxy } from '../drivers/faulty-proxy.js';
import { freePort, OwnRedis } from '../nest/redis-server.js';
import { cachedSource, cacheServices } from '../support/cached-data-source.js';
import { createDatabase } from '../support/databases.js';
import { Category, ENTITIES } from '../nest/entities.js';
import { openWay, startProcess } from './redis-process.js';

/*
 * Redis is lost or replaced between pend and COMMIT: the marks are gone, and whoever reaches the new server first fills
 * it with what was there before the COMMIT.
 */

const closing: (() => Promise<unknown> | void)[] = [];
let redis: OwnRedis;
/** The writer's way to it. */
let proxy: FaultyProxy;

beforeEach(async () => {
  redis = new OwnRedis(await freePort());
  await redis.start();
  proxy = new FaultyProxy({ host: '127.0.0.1', port: redis.port });
  await proxy.listen();
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  await proxy.refuse();
  await redis.remove();
});

const direct = (): string => `redis://127.0.0.1:${redis.port}`;
const viaProxy = (): string => `redis://127.0.0.1:${proxy.port}`;

async function start(url: string, mode: 'checked' | false, writing?: Partial<InvalidatorSettings>) {
  const process = await startProcess(url, { mode, prefix: 'p:', ...(writing && { writing }) });
  closing.push(process.close);
  return process;
}

/** What has settled so far, after everything that is due has been done. */
async function soFar(work: Promise<unknown> | undefined): Promise<'waits' | 'returned'> {
  let state: 'waits' | 'returned' = 'waits';
  void work?.then(() => (state = 'returned'));
  for (let i = 0; i < 10; i++) await new Promise(setImmediate);
  return state;
}

/** Redis restarts empty; the writer cannot reach it yet. */
async function replace(...others: readonly { back(): Promise<void> }[]): Promise<void> {
  const back = others.map((other) => other.back());
  await proxy.refuse();
  await redis.stop();
  await redis.start();
  await Promise.all(back);
}

/** The reader fills the new server with what it reads, and is served that. */
async function fills(reader: { read(load: () => string): Promise<unknown> }, row: string): Promise<void> {
  expect(await reader.read(() => row)).toBe(row);
  expect(await reader.read(() => 'not cached')).toBe(row);
}

describe.each([['checked'], [false]] as const)('near cache: %s', (mode) => {
  it('a commit returns when its settle has reached the new server', async () => {
    const [reader, writer] = [await start(direct(), mode), await start(viaProxy(), mode)];
    await fills(reader, 'old');
    const pending = await writer.pend();
    await replace(reader);
    await fills(reader, 'old');
    // COMMIT. From here on readers that are served 'old' began before it has returned.
    const returns = writer.invalidator.settle(pending);
    expect(await soFar(returns)).toBe('waits');
    expect(await reader.read(() => 'new')).toBe('old');
    await proxy.listen();
    await returns;
    expect(await reader.read(() => 'new')).toBe('new');
  });

  it('likewise when the writer is back before its COMMIT', async () => {
    const [reader, writer] = [await start(direct(), mode), await start(viaProxy(), mode)];
    await fills(reader, 'old');
    const pending = await writer.pend();
    await replace(reader);
    const back = writer.back();
    await proxy.listen();
    await back;
    await fills(reader, 'old');
    await writer.invalidator.settle(pending);
    expect(await reader.read(() => 'new')).toBe('new');
  });
});

it('until the replicas have caught up, nothing is stored all the same', async () => {
  const lagging = { replicaLag: 3_600_000 };
  const [reader, writer] = [await start(direct(), false), await start(viaProxy(), false, lagging)];
  const pending = await writer.pend();
  await replace(reader);
  await fills(reader, 'old');
  const returns = writer.invalidator.settle(pending);
  await proxy.listen();
  await returns;
  expect(await reader.read(() => 'read from a replica')).toBe('read from a replica');
  expect(await reader.read(() => 'new')).toBe('new');
});

it('a process that stood still hears of its connection before it says that it has committed', async () => {
  const writer = await start(direct(), false);
  const pending = await writer.pend();
  const gone = writer.gone();
  // No turn of the event loop between the death of Redis and the end of the COMMIT.
  execFileSync('sh', ['-c', `kill -9 ${redis.pid}; sleep 0.05`]);
  const returns = writer.invalidator.settle(pending);
  await gone;
  expect(await soFar(returns)).toBe('waits');
  const back = writer.back();
  await redis.stop();
  await redis.start();
  await Promise.all([back, returns]);
  expect(writer.guard.available()).toBe(true);
});

it('nobody waits for ever for a Redis that does not come back; it is told when it does', async () => {
  const [reader, writer] = [
    await start(direct(), false),
    await start(viaProxy(), false, { settleTimeout: 30 }),
  ];
  const pending = await writer.pend();
  await replace(reader);
  await fills(reader, 'old');
  await writer.invalidator.settle(pending);
  // The bound that remains.
  expect(await reader.read(() => 'new')).toBe('old');
  const back = writer.back();
  await proxy.listen();
  await back;
  expect(await reader.read(() => 'new')).toBe('new');
});

it('what is lost without a transaction that was under way costs no commit a wait', async () => {
  const writer = await start(viaProxy(), false);
  const gone = writer.gone();
  await proxy.refuse();
  await gone;
  expect(writer.invalidator.settle(await writer.pend())).toBeUndefined();
});

describe('a commit on PostgreSQL', () => {
  /** An UPDATE that makes its COMMIT wait until nobody else holds the lock. */
  const SLOW_COMMIT = [
    `CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS
     $$ BEGIN PERFORM pg_advisory_xact_lock(1); RETURN NULL; END $$`,
    `CREATE CONSTRAINT TRIGGER slow AFTER UPDATE ON category DEFERRABLE INITIALLY DEFERRED
     FOR EACH ROW EXECUTE FUNCTION wait()`,
  ];

  it('waits for one command, the pend, also when it takes long', async () => {
    const driver = new ChaosDriver(new MemoryDriver());
    const { dataSource, close } = await cachedSource('postgres', { entities: ENTITIES, driver });
    closing.push(close);
    const categories = dataSource.getRepository(Category);
    const row = await categories.save({ name: 'warms up' });
    for (const statement of SLOW_COMMIT) await dataSource.query(statement);
    const others = dataSource.createQueryRunner();
    closing.push(() => others.release());
    for (const slow of [false, true]) {
      if (slow) await others.query('SELECT pg_advisory_lock(1)');
      const [before, began] = [{ ...driver.calls }, systemClock.monotonic()];
      const settle = driver.hold('settle');
      const saved = categories.save({ ...row, name: slow ? 'slow' : 'quick' });
      if (slow) {
        const takesLong = (): boolean =>
          driver.calls.pend > before.pend && systemClock.monotonic() - began > 30;
        while (!takesLong()) await new Promise(setImmediate);
        await others.query('SELECT pg_advisory_unlock(1)');
      }
      await settle.reached;
      expect(await soFar(saved)).toBe('returned');
      const after = { ...before, pend: before.pend + 1, settle: before.settle + 1 };
      expect(driver.calls).toEqual(after);
      settle.release();
    }
  });

  it('during which Redis is replaced returns when nobody is served what was before', async () => {
    const database = await createDatabase('postgres', { entities: ENTITIES, synchronize: true });
    const open = async (url: string) => {
      const dataSource = await new DataSource(database.options).initialize();
      const way = await openWay(url, { mode: 'checked', prefix: 'p:' });
      const services = await cacheServices({ driver: way.driver });
      const observed = await ObservedDataSource.attach(dataSource, 'default', services);
      closing.push(async () => {
        await services.invalidator.drain();
        observed?.detach();
        await way.driver.close();
        services.context.dispose();
        await dataSource.destroy();
      });
      const name = async () => (await dataSource.getRepository(Category).findOneByOrFail({ id: 1 })).name;
      return { ...way, dataSource, name, stats: () => services.instrumentation.stats() };
    };
    closing.push(() => database.drop());
    const [reader, writer] = [await open(direct()), await open(viaProxy())];
    await writer.dataSource.getRepository(Category).insert({ name: 'old' });
    for (const statement of SLOW_COMMIT) await writer.dataSource.query(statement);
    const locks = reader.dataSource.createQueryRunner();
    await locks.query('SELECT pg_advisory_lock(1)');
    const pend = writer.inner.pend.bind(writer.inner);
    const pended = new Promise<void>((done) => {
      writer.inner.pend = async (request) => {
        const reply = await pend(request);
        if (reply === undefined) done();
        return reply;
      };
    });
    const returns = writer.dataSource.transaction((manager) =>
      manager.update(Category, { id: 1 }, { name: 'new' }),
    );
    await pended;
    await replace(reader);
    expect(await reader.name()).toBe('old');
    const { hits } = reader.stats();
    expect(await reader.name()).toBe('old');
    expect(reader.stats().hits).toBe(hits + 1);
    await locks.query('SELECT pg_advisory_unlock(1)');
    // Committed: whoever looks into the database sees it.
    const committed = async (): Promise<boolean> =>
      ((await locks.query(`SELECT 1 FROM category WHERE name = 'new'`)) as unknown[]).length > 0;
    while (!(await committed()));
    await locks.release();
    expect(await soFar(returns)).toBe('waits');
    expect(await reader.name()).toBe('old');
    await proxy.listen();
    await returns;
    expect(await reader.name()).toBe('new');
  });
});
