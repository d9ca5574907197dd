import { Redis } from 'ioredis';
import { GuardedDriver } from '../../lib/drivers/guarded.driver.js';
import type { GuardState } from '../../lib/drivers/guard.options.js';
import { RedisDriver } from '../../lib/drivers/redis.driver.js';
import type { RedisOption } from '../../lib/drivers/redis.connection.js';
import { FaultyProxy } from './faulty-proxy.js';
import { REDIS_URL, RedisFixture } from './redis-fixture.js';

const redis = new RedisFixture();
const { hostname, port, pathname } = new URL(REDIS_URL);
const proxy = new FaultyProxy({ host: hostname, port: Number(port || 6379) });
const url = () => `redis://127.0.0.1:${proxy.port}${pathname}`;

const open: GuardedDriver[] = [];
async function guardOf(option: RedisOption) {
  const driver = await RedisDriver.create({ redis: option, prefix: redis.prefix });
  const changes: GuardState[] = [];
  const waiting = new Map<GuardState, () => void>();
  const guard = new GuardedDriver(driver, {
    readTimeout: 50,
    invalidationTimeout: 100,
    breaker: { failures: 2, cooldown: 20 },
    onStateChange: (state) => {
      changes.push(state);
      waiting.get(state)?.();
    },
  });
  open.push(guard);
  const next = (state: GuardState) => new Promise<void>((resolve) => waiting.set(state, resolve));
  return { guard, changes, next };
}

beforeEach(async () => {
  proxy.pass();
  await proxy.listen();
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((guard) => guard.close()));
  await proxy.refuse();
});
afterAll(() => redis.dispose());

const failed = { code: 'DRIVER' };

it('starts without a server, fails fast, and works as soon as there is one', async () => {
  await proxy.refuse();
  const { guard, changes, next } = await guardOf(url());
  expect(await guard.probe()).toBe(false);
  await expect(guard.read('k', [])).rejects.toMatchObject(failed);
  const up = next('up');
  await proxy.listen();
  await up;
  await expect(guard.read('k', [])).resolves.toEqual({ entry: undefined, states: [] });
  expect(changes).toEqual(['down', 'up']);
});

it('starts in front of a server that accepts and never answers', async () => {
  proxy.hang();
  const { guard } = await guardOf(url());
  await expect(guard.read('k', [])).rejects.toMatchObject(failed);
  expect(await guard.probe()).toBe(false);
});

it('goes down when a server stops answering, and makes a new connection', async () => {
  const { guard, changes, next } = await guardOf(url());
  await guard.probe();
  proxy.hang();
  const down = next('down');
  await expect(guard.read('k', [])).rejects.toMatchObject(failed);
  await expect(guard.read('k', [])).rejects.toMatchObject(failed);
  await down;
  const up = next('up');
  proxy.ignore();
  proxy.pass();
  await up;
  await guard.read('k', []);
  expect(changes).toEqual(['down', 'up']);
});

it('notices a cut connection without traffic, and comes back by itself', async () => {
  const { guard, changes, next } = await guardOf(url());
  await guard.probe();
  const up = next('up');
  proxy.cut();
  await up;
  expect(changes).toEqual(['down', 'up']);
});

it('delivers after the outage what was invalidated during it', async () => {
  const { guard, next } = await guardOf(url());
  await guard.probe();
  const [stamp] = await guard.pin({ tokens: ['g:x'], shapes: [], ttl: 60_000 });
  const down = next('down');
  await proxy.refuse();
  await down;
  await expect(guard.restamp(['g:x'])).rejects.toMatchObject(failed);
  expect(await redis.client.get(`${redis.prefix}s:g:x`)).toBe(stamp);
  const up = next('up');
  await proxy.listen();
  await up;
  expect(await redis.client.get(`${redis.prefix}s:g:x`)).toBeNull();
});

it('leaves a client of the application open and as it was', async () => {
  const client = new Redis(REDIS_URL);
  const listeners = () => [
    client.listenerCount('close'),
    client.listenerCount('ready'),
    client.listenerCount('error'),
  ];
  const before = listeners();
  const options = { ...client.options };
  const { guard } = await guardOf(client);
  await guard.probe();
  await guard.close();
  expect(await client.ping()).toBe('PONG');
  expect(listeners()).toEqual(before);
  expect(client.options).toEqual(options);
  client.disconnect();
});

it.each([
  ['a URL', () => url()],
  ['options', () => ({ host: '127.0.0.1', port: proxy.port, db: Number(pathname.slice(1) || 0) })],
])('closes a connection that it opened from %s', async (_, option) => {
  const { guard } = await guardOf(option());
  expect(await guard.probe()).toBe(true);
  await guard.close();
  await expect(guard.read('k', [])).rejects.toMatchObject(failed);
  await proxy.drained();
});

it.each([[42], [null], [undefined]])('refuses %p as option', async (option) => {
  await expect(RedisDriver.create({ redis: option as unknown as string })).rejects.toMatchObject({
    option: 'redis',
  });
});
