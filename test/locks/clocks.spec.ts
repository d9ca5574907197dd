// What becomes of locks when the clock by which they run out is set; docs/locks.md promises it.
import { DataSource } from 'typeorm';
import type { LockService } from '../../lib/locks/lock.service.js';
import type { LockDriver } from '../../lib/locks/lock-driver.interface.js';
import { RedisLockDriver } from '../../lib/locks/drivers/redis.lock-driver.js';
import { RedisQuorumLockDriver } from '../../lib/locks/drivers/redis-quorum.lock-driver.js';
import { SqlLockDriver } from '../../lib/locks/drivers/sql.lock-driver.js';
import { MovableClock } from '../support/movable-clock.js';
import { ownServer } from '../support/own-server.js';
import { mariadb } from '../support/servers/mariadb.mjs';
import { postgres } from '../support/servers/postgres.mjs';
import { redis } from '../support/servers/redis.mjs';
import { request } from './requests.js';
import { serviceOver } from './services.js';

const MINUTE = 60_000;

interface Opened {
  readonly driver: LockDriver;
  readonly end: () => Promise<unknown>;
}

async function overSql(type: 'postgres' | 'mariadb', url: string): Promise<Opened> {
  const dataSource = await new DataSource({ type, url }).initialize();
  return { driver: new SqlLockDriver({ dataSource }), end: () => dataSource.destroy() };
}

const SERVERS = [
  [
    'Redis',
    redis,
    async (url: string): Promise<Opened> => ({
      driver: await RedisLockDriver.create({ redis: url }),
      end: () => Promise.resolve(),
    }),
  ],
  ['PostgreSQL', postgres, (url: string) => overSql('postgres', url)],
  ['MariaDB', mariadb, (url: string) => overSql('mariadb', `${url}/mysql`)],
] as const;

describe.each(SERVERS)('when the clock of %s is set', (name, server, open) => {
  const clock = new MovableClock();
  let opened: Opened;
  let locks: LockService;
  let stop: () => Promise<void>;

  beforeAll(async () => {
    const own = await ownServer(clock.server(server));
    stop = own.stop;
    opened = await open(own.url);
    locks = serviceOver(opened.driver);
  });
  afterAll(async () => {
    await locks.close();
    await opened.end();
    await stop();
    clock.remove();
  });
  beforeEach(() => clock.set(0));

  it('forward, a holder whose lease that has ended is told at its next renewal', async () => {
    const lock = await locks.acquire('told', { ttl: 900 });
    clock.set(50 * MINUTE);
    const lost = new Promise<void>((resolve) => lock.signal.addEventListener('abort', () => resolve()));
    await lost;
    expect(lock.signal.reason).toMatchObject({ code: 'LOCK_LOST', reason: 'expired' });
    expect(await lock.release()).toBe('expired');
  });

  it('to and fro, tokens rise all the same', async () => {
    const tokens: number[] = [];
    for (const minutes of [0, 50, -5, 30, -25, 0]) {
      clock.set(minutes * MINUTE);
      await locks.using('tokens', async ({ fencingToken }) => void tokens.push(fencingToken ?? NaN));
    }
    expect(tokens).toEqual([...new Set(tokens)].sort((a, b) => a - b));
    expect(tokens).toHaveLength(6);
  });

  it('back, a holder goes on, and others go on waiting for no longer than they want to', async () => {
    const lock = await locks.acquire('kept', { ttl: 900 });
    clock.set(-50 * MINUTE);
    await lock.extend();
    expect(await locks.tryAcquire('kept', { wait: 300 })).toBeNull();
    expect(lock.isHeld()).toBe(true);
    expect(await lock.release()).toBe('released');
    expect(await locks.tryAcquire('kept')).not.toBeNull();
  });

  if (name !== 'Redis') {
    it('back, what a dead holder has left is in the way for one ttl more, not until the clock has caught up', async () => {
      await opened.driver.acquire(request({ names: ['dead'], ttl: 200 }));
      clock.set(-50 * MINUTE);
      const refused = await opened.driver.acquire(request({ names: ['dead'] }));
      expect(refused).toMatchObject({ granted: false });
      expect((refused as { retryAfter: number }).retryAfter).toBeLessThanOrEqual(200);
      await (await locks.acquire('dead')).release();
    });
  }
});

describe('when the clock of one of three masters is set', () => {
  it.each([0, 1, 2])('nobody gets what the others know is held (the one at place %i)', async (place) => {
    const clock = new MovableClock();
    const servers = await Promise.all(
      [0, 1, 2].map((i) => ownServer(i === place ? clock.server(redis) : redis)),
    );
    const masters = servers.map(({ url }) => url);
    const driver = await RedisQuorumLockDriver.create({ masters, nodeTimeout: '2s' });
    try {
      const lease = request({ ttl: 30 * MINUTE });
      const grant = await driver.acquire(lease);
      for (const ahead of [50 * MINUTE, -50 * MINUTE]) {
        clock.set(ahead);
        expect((await driver.acquire(request())).granted).toBe(false);
        expect(await driver.renew([lease])).toEqual(['renewed']);
      }
      expect(await driver.release(lease)).toBe('released');
      const next = await driver.acquire(request());
      const [first, second] = [grant, next] as { fencingToken: number }[];
      expect(second?.fencingToken).toBeGreaterThan(first?.fencingToken ?? NaN);
    } finally {
      await driver.close();
      await Promise.all(servers.map(({ stop }) => stop()));
      clock.remove();
    }
  });
});
