import { Redis } from 'ioredis';
import { EVERYTHING } from '../../lib/core/token.js';
import { GuardedDriver } from '../../lib/drivers/guarded.driver.js';
import { RedisDriver } from '../../lib/drivers/redis.driver.js';
import { freePort, OwnRedis } from '../nest/redis-server.js';
import { FaultyProxy } from './faulty-proxy.js';

const TAG = 'g:x';
const TOKENS = [EVERYTHING, TAG];

let primary: OwnRedis;
let ports: { primary: number; replica: number };
let replica: OwnRedis;
const open: { close(): Promise<void> | void }[] = [];

beforeEach(async () => {
  ports = { primary: await freePort(), replica: await freePort() };
  primary = new OwnRedis(ports.primary);
  replica = new OwnRedis(ports.replica);
  await primary.start();
});
afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each.close();
  await primary.remove();
  await replica.remove();
});

/** An address that leads to one server now, and to another later. */
async function proxyTo(target: { port: number }): Promise<FaultyProxy> {
  const proxy = new FaultyProxy({
    host: '127.0.0.1',
    get port() {
      return target.port;
    },
  });
  await proxy.listen();
  open.push({ close: () => proxy.refuse() });
  return proxy;
}

async function guardAt(port: number) {
  const driver = await RedisDriver.create({ redis: `redis://127.0.0.1:${port}`, prefix: 'p:' });
  let up: () => void = () => undefined;
  const guard = new GuardedDriver(driver, {
    breaker: { cooldown: 20 },
    onStateChange: (state) => state === 'up' && up(),
  });
  open.push(guard);
  await guard.probe();
  return { guard, back: () => new Promise<void>((resolve) => (up = resolve)) };
}

function clientOf(port: number): Redis {
  const client = new Redis(port, { disconnectTimeout: 100 });
  open.push({ close: () => client.disconnect() });
  return client;
}

async function store(guard: GuardedDriver): Promise<string[]> {
  const stamps = (await guard.pin({ tokens: TOKENS, shapes: [], ttl: 60_000 })) as string[];
  await guard.write({ key: 'k', entry: Buffer.from('old'), tokens: TOKENS, stamps, ttl: 60_000 });
  return stamps;
}

it('a replica that is promoted without the last invalidation serves nothing of before', async () => {
  await replica.start();
  const at = { port: ports.primary };
  const proxy = await proxyTo(at);
  const { guard, back } = await guardAt(proxy.port);
  const second = clientOf(ports.replica);
  const first = clientOf(ports.primary);
  await second.replicaof('127.0.0.1', ports.primary);
  const stamps = await store(guard);
  while ((await second.mget('p:e:k', 'p:s:*', `p:s:${TAG}`)).includes(null)) await first.wait(1, 100);
  // Asynchronous replication: the primary answers, and the replica never hears of it.
  await second.replicaof('NO', 'ONE');
  await guard.restamp([TAG]);
  expect(await first.get(`p:s:${TAG}`)).toBeNull();
  await primary.stop();
  // What the replica holds looks fresh to anybody who does not know that it was another server's.
  expect(await second.mget('p:s:*', `p:s:${TAG}`)).toEqual(stamps);
  const up = back();
  at.port = ports.replica;
  proxy.cut();
  await up;
  const { entry, states } = await guard.read('k', TOKENS);
  expect([entry?.toString(), states]).toEqual(['old', [undefined, stamps[1]]]);
}, 30_000);

it('a server that is restarted from an old snapshot serves nothing of before', async () => {
  const { guard, back } = await guardAt(ports.primary);
  const stamps = await store(guard);
  const admin = clientOf(ports.primary);
  await admin.save();
  await guard.restamp([TAG]);
  const up = back();
  await primary.stop();
  await primary.start();
  await up;
  expect((await guard.read('k', TOKENS)).states).toEqual([undefined, stamps[1]]);
}, 30_000);

it('a server that is only reached again serves as before', async () => {
  const proxy = await proxyTo({ port: ports.primary });
  const { guard, back } = await guardAt(proxy.port);
  const stamps = await store(guard);
  const up = back();
  proxy.cut();
  await up;
  expect((await guard.read('k', TOKENS)).states).toEqual(stamps);
}, 30_000);
