// A Redis of our own, that crashes, forgets, and hangs up; and holders in processes of their own, that stand still.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import { RedisLockDriver } from '../../lib/locks/drivers/redis.lock-driver.js';
import type { LockService } from '../../lib/locks/lock.service.js';
import { ownServer } from '../support/own-server.js';
import type { StartedServer } from '../support/servers/find.mjs';
import { redis } from '../support/servers/redis.mjs';
import { serviceOver } from './services.js';

const TTL = 600;
const LOADER = fileURLToPath(new URL('../../tools/typescript.mjs', import.meta.url));
const SCRIPT = fileURLToPath(new URL('children/hold-redis.ts', import.meta.url));

let server: StartedServer;
let client: Redis;
let locks: LockService;
let others: LockService;
beforeAll(async () => {
  server = await ownServer(redis);
});
afterAll(() => server.stop());
beforeEach(async () => {
  client = new Redis(server.url);
  client.on('error', () => undefined);
  const defaults = { ttl: TTL, wait: 20_000 };
  const open = async () => serviceOver(await RedisLockDriver.create({ redis: server.url }), { defaults });
  [locks, others] = [await open(), await open()];
});
afterEach(async () => {
  await Promise.all([locks.close(), others.close()]);
  await client.flushall();
  client.disconnect();
});

const inLine = async (count: number): Promise<void> => {
  while ((await locks.whoHolds('a')).waiting !== count);
};
const loss = (signal: AbortSignal): Promise<unknown> =>
  signal.aborted ? Promise.resolve(signal.reason) : once(signal, 'abort').then(() => signal.reason);

describe('a Redis', () => {
  it('that hangs up on all who listen costs a waiter neither its place nor its turn', async () => {
    const lock = await locks.acquire('a', { ttl: '1m' });
    const first = others.acquire('a', { label: 'first' });
    await inLine(1);
    const next = others.acquire('a', { label: 'second' });
    await inLine(2);
    // The moment at which the last of them has begun to listen does not matter: it asks again, either way.
    await client.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await lock.release();
    const held = await first;
    expect((await locks.whoHolds('a')).holders).toMatchObject([{ label: 'first' }]);
    await held.release();
    expect((await next).isHeld()).toBe(true);
  });

  it('that forgets everything tells the holder at its next renewal, and gives greater tokens', async () => {
    const lock = await locks.acquire('a');
    await client.flushall();
    const next = await others.acquire('a');
    expect(await loss(lock.signal)).toMatchObject({ code: 'LOCK_LOST' });
    expect(lock.isHeld()).toBe(false);
    expect(next.fencingToken).toBeGreaterThan(lock.fencingToken as number);
    expect(await lock.release()).toBe('stolen');
    expect(next.isHeld()).toBe(true);
  });

  it('that crashes and forgets is waited for, and gives greater tokens', async () => {
    const lock = await locks.acquire('a');
    const waiting = others.acquire('a');
    await inLine(1);
    await server.restart();
    expect(await loss(lock.signal)).toMatchObject({ code: 'LOCK_LOST' });
    const next = await waiting;
    expect(next.fencingToken).toBeGreaterThan(lock.fencingToken as number);
  });
});

describe('a process that stood still while its lease ended', () => {
  let child: ChildProcess;
  let token: number;
  const answer = async <T>(): Promise<T> => (await once(child, 'message'))[0] as T;
  beforeEach(async () => {
    child = fork(SCRIPT, [server.url, String(TTL)], { execArgv: ['--import', LOADER] });
    token = (await answer<{ fencingToken: number }>()).fencingToken;
  });
  afterEach(() => child.kill('SIGKILL'));

  const lost = { isHeld: false, reason: 'LOCK_LOST', released: 'stolen' };

  it('blocked by a computation: does not believe that it holds the lock', async () => {
    const report = answer();
    child.send('block');
    const next = await others.acquire('a');
    expect(next.fencingToken).toBeGreaterThan(token);
    expect(await report).toEqual(lost);
    expect(next.isHeld()).toBe(true);
  });

  it('stopped by a signal: does not believe that it holds the lock', async () => {
    child.kill('SIGSTOP');
    const next = await others.acquire('a');
    child.kill('SIGCONT');
    const report = answer();
    child.send('report');
    expect(await report).toEqual(lost);
    expect(next.isHeld()).toBe(true);
  });
});
