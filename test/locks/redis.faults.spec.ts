import { Redis } from 'ioredis';
import { connectRedis } from '../../lib/drivers/redis.connection.js';
import { RedisCalls } from '../../lib/drivers/redis.calls.js';
import { RedisLockDriver } from '../../lib/locks/drivers/redis.lock-driver.js';
import { acquireScript } from '../../lib/locks/drivers/redis.lock-acquire.js';
import type { LockService } from '../../lib/locks/lock.service.js';
import { FaultyProxy } from '../drivers/faulty-proxy.js';
import { dropPrefix, redisUrl, uniquePrefix } from '../support/redis.js';
import { inLine, request } from './requests.js';
import { serviceOver } from './services.js';

const prefix = uniquePrefix();
const client = new Redis(redisUrl());
const { hostname, port, pathname } = new URL(redisUrl());
const proxy = new FaultyProxy({ host: hostname, port: Number(port || 6379) });
const throughProxy = () => `redis://127.0.0.1:${proxy.port}${pathname}`;

const closing: (() => Promise<void>)[] = [];

async function driverOn(redis: string | Redis): Promise<RedisLockDriver> {
  const driver = await RedisLockDriver.create({ redis, prefix });
  closing.push(() => driver.close());
  return driver;
}

function serviceOn(driver: RedisLockDriver, ttl = 60_000): LockService {
  const locks = serviceOver(driver, { defaults: { ttl, wait: 5_000 }, timeout: 200 });
  closing.push(() => locks.close());
  return locks;
}

beforeEach(async () => {
  proxy.pass();
  await proxy.listen();
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  await proxy.refuse();
  await dropPrefix(client, prefix);
});
afterAll(() => client.disconnect());

it('passes over a waiter whose process has died', async () => {
  const [near, far] = [await driverOn(redisUrl()), await driverOn(throughProxy())];
  const held = request();
  await near.acquire(held);
  const dead = far.acquireInTurn(request(), { wait: 60_000 }).catch((error: unknown) => error);
  await inLine(near, 1);
  const next = near.acquireInTurn(request(), { wait: 60_000 });
  await inLine(near, 2);
  await proxy.refuse();
  await far.close();
  await dead;
  // The server learns of a closed connection by itself.
  await near.release(held);
  expect((await next).granted).toBe(true);
});

it('waits for a process that stands still once, for its ttl, however many of its waiters are in line', async () => {
  const driver = await driverOn(redisUrl());
  const held = request();
  await driver.acquire(held);
  const channel = `${prefix}frozen`;
  const frozen = client.duplicate();
  const heard: string[] = [];
  frozen.on('message', (_, text) => heard.push(text));
  await frozen.subscribe(channel);
  const connection = await connectRedis(redisUrl());
  const stuck = [request({ ttl: 300 }), request(), request()];
  for (const [i, each] of stuck.entries()) {
    const call = { request: each, wait: 60_000, channel, countsListeners: true, floor: 0 };
    await new RedisCalls(connection, prefix).run(acquireScript, call);
    await inLine(driver, i + 1);
  }
  const next = driver.acquireInTurn(request(), { wait: 30_000 });
  await inLine(driver, 4);
  await driver.release(held);
  expect((await next).granted).toBe(true);
  await client.ping();
  // The first was told its token; the others, when they had been passed over, that they may ask.
  expect(heard[0]).toMatch(new RegExp(`^${stuck[0]?.owner} \\d{16} \\d+$`));
  expect(heard.slice(1)).toEqual([stuck[1]?.owner, stuck[2]?.owner]);
  expect((await driver.inspect('a')).waiting).toBe(0);
  await connection.close();
  frozen.disconnect();
});

it('keeps waiting, in its place, when the connections break', async () => {
  const [near, far] = [await driverOn(redisUrl()), await driverOn(throughProxy())];
  const held = request();
  await near.acquire(held);
  const waiting = serviceOn(far).acquire('a', { wait: 30_000 });
  await inLine(near, 1);
  proxy.cut();
  const lock = near.release(held).then(() => waiting);
  expect((await lock).isHeld()).toBe(true);
});

it('asks from time to time when it cannot listen, and keeps its place', async () => {
  const near = await driverOn(redisUrl());
  const deaf = Object.assign(Object.create(client) as Redis, {
    duplicate: () => {
      throw new Error('too many connections');
    },
  });
  const far = await driverOn(deaf);
  const held = request();
  await near.acquire(held);
  const waiting = far.acquireInTurn(request(), { wait: 30_000 });
  await inLine(near, 1);
  const later = near.acquireInTurn(request(), { wait: 30_000 });
  await inLine(near, 2);
  await near.release(held);
  expect((await waiting).granted).toBe(true);
  expect((await near.inspect('a')).waiting).toBe(1);
  const [holder] = (await near.inspect('a')).holders;
  await near.release({ names: ['a'], owner: holder?.owner ?? '' });
  expect((await later).granted).toBe(true);
});

it('loses no lock to a flushed server without saying so, and gives no smaller token after it', async () => {
  const driver = await driverOn(redisUrl());
  const locks = serviceOn(driver, 600);
  const lock = await locks.acquire('a');
  const lost = new Promise((resolve) => lock.signal.addEventListener('abort', resolve));
  await dropPrefix(client, prefix);
  const other = await locks.acquire('a');
  expect(other.fencingToken).toBeGreaterThan(lock.fencingToken as number);
  await lost;
  expect(lock.isHeld()).toBe(false);
  expect(other.isHeld()).toBe(true);
});

it('is lost in time when the server hangs', async () => {
  const far = await driverOn(throughProxy());
  const locks = serviceOn(far, 300);
  const lock = await locks.acquire('a');
  proxy.hang();
  await new Promise((resolve) => lock.signal.addEventListener('abort', resolve));
  expect(lock.signal.reason).toMatchObject({ code: 'LOCK_LOST', reason: 'expired' });
  await expect(locks.tryAcquire('b')).rejects.toMatchObject({ code: 'DRIVER' });
  await expect(locks.acquire('b', { wait: 50 })).rejects.toBeDefined();
});

it('serves 32 waiters of two processes in their order, with at most three commands for each', async () => {
  let commands = 0;
  const counting = (): Redis =>
    Object.assign(Object.create(client) as Redis, {
      evalsha: (...args: Parameters<Redis['evalsha']>) => {
        commands++;
        return client.evalsha(...args);
      },
    });
  const drivers = [await driverOn(counting()), await driverOn(counting())];
  const looking = await driverOn(redisUrl());
  const held = request();
  await looking.acquire(held);
  const served: string[] = [];
  const requests = Array.from({ length: 32 }, () => request());
  const waits: Promise<void>[] = [];
  for (const [i, each] of requests.entries()) {
    const driver = drivers[i % 2] as RedisLockDriver;
    const passThrough = async (): Promise<void> => {
      await driver.acquireInTurn(each, { wait: 60_000 });
      served.push(each.owner);
      await new Promise((resolve) => setTimeout(resolve, 2));
      await driver.release(each);
    };
    waits.push(passThrough());
    await inLine(looking, i + 1);
  }
  await looking.release(held);
  await Promise.all(waits);
  expect(served).toEqual(requests.map(({ owner }) => owner));
  // One to stand in line, one to let go; and one again for those that came before their process had begun to listen.
  expect(commands).toBeLessThanOrEqual(32 * 3);
});
