// A name that nobody else seems to want is taken and let go of by shorter scripts. What if somebody does want it?
import { Redis } from 'ioredis';
import { RedisLockDriver } from '../../lib/locks/drivers/redis.lock-driver.js';
import { acquireIdleScript } from '../../lib/locks/drivers/redis.lock-acquire.js';
import { dropPrefix, redisUrl, uniquePrefix } from '../support/redis.js';
import { inLine, request } from './requests.js';

const prefix = uniquePrefix();
const client = new Redis(redisUrl());
let far: RedisLockDriver;
let near: RedisLockDriver;
/** Scripts that the near driver runs, by their hash. */
let scripts: string[];
/** Whether the next of them fails. */
let isBroken = false;
/** Short attempts are sent when it resolves. */
let gate: Promise<void> | undefined;

beforeEach(async () => {
  scripts = [];
  const counting = Object.assign(Object.create(client) as Redis, {
    evalsha: (...args: Parameters<Redis['evalsha']>) => {
      scripts.push(String(args[0]));
      if (gate && args[0] === acquireIdleScript.sha) return gate.then(() => client.evalsha(...args));
      if (!isBroken) return client.evalsha(...args);
      isBroken = false;
      return Promise.reject(new Error('the connection broke'));
    },
  });
  near = await RedisLockDriver.create({ redis: counting, prefix });
  far = await RedisLockDriver.create({ redis: redisUrl(), prefix });
});
afterEach(async () => {
  await Promise.all([near.close(), far.close()]);
  await dropPrefix(client, prefix);
});
afterAll(() => client.disconnect());

const PATIENCE = { wait: 60_000 };
const idleAttempts = (): number => scripts.filter((sha) => sha === acquireIdleScript.sha).length;

it('costs two commands when nobody else wants it', async () => {
  const lock = request();
  expect((await near.acquireInTurn(lock, PATIENCE)).granted).toBe(true);
  expect(await near.release(lock)).toBe('released');
  expect(scripts).toHaveLength(2);
});

it('is handed to one of another process that came to wait meanwhile', async () => {
  const lock = request();
  await near.acquireInTurn(lock, PATIENCE);
  const next = request();
  const turn = far.acquireInTurn(next, PATIENCE);
  await inLine(near, 1);
  expect(await near.release(lock)).toBe('released');
  expect((await turn).granted).toBe(true);
});

it('is told when a lease ran out that had become shorter', async () => {
  const lock = request();
  await near.acquireInTurn(lock, PATIENCE);
  await near.renew([{ ...lock, ttl: 1 }]);
  while ((await near.inspect('a')).holders.length > 0) await client.ping();
  expect(await near.release(lock)).toBe('expired');
});

it('is told when the lease ran out or was taken, as ever', async () => {
  const lost = request({ ttl: 1 });
  await near.acquireInTurn(lost, PATIENCE);
  while ((await near.inspect('a')).holders.length > 0) await client.ping();
  expect(await near.release(lost)).toBe('expired');
  const stolen = request({ ttl: 1 });
  await near.acquireInTurn(stolen, PATIENCE);
  await far.acquireInTurn(request(), PATIENCE);
  expect(await near.release(stolen)).toBe('stolen');
});

// Found by thought: the second one went straight to the end of the line, while the first one was still being told that
// the name is not idle, and then stood behind it.
it('keeps the order of those who ask at once, however they wait', async () => {
  const held = request();
  await far.acquire(held);
  const requests = Array.from({ length: 6 }, () => request());
  const served: string[] = [];
  const waits = requests.map(async (each, i) => {
    const signal = i % 2 === 0 ? new AbortController().signal : undefined;
    await near.acquireInTurn(each, { ...PATIENCE, signal });
    served.push(each.owner);
    await near.release(each);
  });
  await inLine(far, requests.length);
  expect(idleAttempts()).toBe(1);
  await far.release(held);
  await Promise.all(waits);
  expect(served).toEqual(requests.map(({ owner }) => owner));
});

it('does not keep others waiting for an attempt that failed', async () => {
  isBroken = true;
  const failing = near.acquireInTurn(request(), PATIENCE);
  const next = request();
  const turn = near.acquireInTurn(next, PATIENCE);
  await expect(failing).rejects.toThrow('the connection broke');
  expect((await turn).granted).toBe(true);
  isBroken = true;
  await expect(near.acquire(request({ names: ['b'] }))).rejects.toThrow('the connection broke');
  expect((await near.acquireInTurn(request({ names: ['b'] }), PATIENCE)).granted).toBe(true);
});

it('is taken by the short script again after a guess that was wrong', async () => {
  isBroken = true;
  await expect(near.acquireInTurn(request(), PATIENCE)).rejects.toThrow('the connection broke');
  for (let i = 0; i < 3; i++) {
    const lock = request();
    await near.acquireInTurn(lock, PATIENCE);
    await near.release(lock);
  }
  expect(idleAttempts()).toBe(3);
});

// Found by reading: who was granted several names by the long script took the one who was asking for one of them out of
// the books, and those who had asked after that one were never told that they may stand in line.
it('lets those who wait for an attempt stand in line although it was forgotten', async () => {
  let open: () => void = () => undefined;
  gate = new Promise((resolve) => (open = resolve));
  const [asking, both, after] = [request(), request({ names: ['a', 'b'] }), request()];
  const first = near.acquireInTurn(asking, PATIENCE);
  const second = near.acquireInTurn(after, PATIENCE);
  expect((await near.acquireInTurn(both, PATIENCE)).granted).toBe(true);
  open();
  gate = undefined;
  await inLine(far, 2);
  await near.release(both);
  expect((await first).granted).toBe(true);
  await near.release(asking);
  expect((await second).granted).toBe(true);
});
