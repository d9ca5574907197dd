import { once } from 'node:events';
import { createConnection } from 'node:net';
import { jest } from '@jest/globals';
import { MemcacheClient } from 'memcache-client';
import { CacheOpsConfigError } from '../../lib/cacheops.errors.js';
import { MemcachedLockDriver } from '../../lib/locks/drivers/memcached.lock-driver.js';
import { serverUrl } from '../support/databases.js';
import { ownServer } from '../support/own-server.js';
import { uniquePrefix } from '../support/redis.js';
import type { StartedServer } from '../support/servers/find.mjs';
import { memcached } from '../support/servers/memcached.mjs';
import { request } from './requests.js';

const hostOf = (url: string) => new URL(url).host;

jest.setTimeout(30_000);

describe('MemcachedLockDriver, when memcached forgets', () => {
  let server: StartedServer;
  let driver: MemcachedLockDriver;

  beforeEach(async () => {
    server = await ownServer(memcached);
    driver = new MemcachedLockDriver({ server: hostOf(server.url) });
  });
  afterEach(async () => {
    await driver.close();
    await server.stop();
  });

  const granted = async (asked = request()): Promise<number> => {
    const reply = await driver.acquire(asked);
    return (reply.granted && reply.fencingToken) || NaN;
  };

  it('gives greater tokens after a flush', async () => {
    const before = await granted();
    const socket = createConnection({ host: '127.0.0.1', port: Number(new URL(server.url).port) });
    socket.write('flush_all\r\n');
    expect(String((await once(socket, 'data'))[0])).toBe('OK\r\n');
    socket.destroy();
    expect(await granted()).toBeGreaterThan(before);
  });

  it('gives greater tokens after a restart, and fails in between', async () => {
    const lease = request();
    const before = await granted(lease);
    for (let i = 0; i < 5; i++) await driver.release(request({ names: ['warm'] }));
    await server.restart();
    // The first command may meet the connection that is gone.
    const after = await granted().catch(() => granted());
    expect(after).toBeGreaterThan(before);
    expect(await driver.release(lease)).toBe('stolen');
    expect(await driver.renew([{ ...lease, ttl: 60_000 }])).toEqual(['stolen']);
  });

  it('fails with DRIVER while the server is away', async () => {
    await granted();
    await server.stop();
    await expect(granted()).rejects.toMatchObject({ code: 'DRIVER' });
    await expect(granted()).rejects.toMatchObject({ code: 'DRIVER' });
  });
});

describe('MemcachedLockDriver', () => {
  const host = () => hostOf(serverUrl('TEST_MEMCACHED_URL'));

  it('uses a client that it is given, and leaves it open', async () => {
    const client = new MemcacheClient({ server: host() });
    const driver = new MemcachedLockDriver({ server: client, prefix: uniquePrefix() });
    const lease = request();
    expect((await driver.acquire(lease)).granted).toBe(true);
    expect(await driver.release(lease)).toBe('released');
    await driver.close();
    await expect(client.version()).resolves.toBeDefined();
    client.shutdown();
  });

  it('keeps prefixes apart', async () => {
    const drivers = [1, 2].map(() => new MemcachedLockDriver({ server: host(), prefix: uniquePrefix() }));
    const replies = await Promise.all(drivers.map((driver) => driver.acquire(request())));
    expect(replies.map(({ granted }) => granted)).toEqual([true, true]);
    await Promise.all(drivers.map((driver) => driver.close()));
  });

  it('shows one token on all names of a lock, and keeps it when it is renewed', async () => {
    const driver = new MemcachedLockDriver({ server: host(), prefix: uniquePrefix() });
    const lease = request({ names: ['a', 'b', 'c'] });
    const reply = await driver.acquire(lease);
    const token = reply.granted && reply.fencingToken;
    const shown = async () => {
      const states = await Promise.all(lease.names.map((name) => driver.inspect(name)));
      return states.flatMap(({ holders }) => holders.map(({ fencingToken }) => fencingToken));
    };
    expect(await shown()).toEqual([token, token, token]);
    expect(await driver.renew([{ ...lease, ttl: 60_000 }])).toEqual(['renewed']);
    expect(await shown()).toEqual([token, token, token]);
    await driver.close();
  });

  it('refuses leases that memcached would take for a date', async () => {
    const driver = new MemcachedLockDriver({ server: host(), prefix: uniquePrefix() });
    const long = driver.acquire(request({ ttl: 30 * 24 * 3_600_000 }));
    await expect(long).rejects.toThrow(CacheOpsConfigError);
    await expect(long).rejects.toThrow(/^ttl: expected less than 30 days with memcached/);
    await driver.close();
  });

  it.each([
    [{ server: '' }, /^server: expected "host:port"/],
    [{ server: 'localhost' }, /^server: /],
    [{ server: 'memcached://localhost:11211' }, /^server: /],
    [{ server: ['a:1', 'b:1'] }, /^server: /],
    [{ server: 'localhost:11211', prefix: '' }, /^prefix: /],
    [{ server: 'localhost:11211', prefix: 'a b' }, /^prefix: /],
    [{ server: 'localhost:11211', prefix: 'p'.repeat(151) }, /^prefix: /],
  ])('refuses %p', (options, message) => {
    const make = () => new MemcachedLockDriver(options as { server: string });
    expect(make).toThrow(CacheOpsConfigError);
    expect(make).toThrow(message);
  });

  it('needs a memcached that counts writes', async () => {
    const server = await ownServer(memcached, '-C');
    const driver = new MemcachedLockDriver({ server: hostOf(server.url) });
    await expect(driver.acquire(request())).rejects.toThrow('this memcached has no CAS, which locks need');
    await driver.close();
    await server.stop();
  });
});
