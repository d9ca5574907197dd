import { Redis } from 'ioredis';
import type { BusLoss, InvalidationBus } from '../../lib/drivers/bus.interface.js';
import { RedisDriver } from '../../lib/drivers/redis.driver.js';
import type { RedisOption } from '../../lib/drivers/redis.connection.js';
import { FaultyProxy } from './faulty-proxy.js';
import { REDIS_URL, RedisFixture } from './redis-fixture.js';

const redis = new RedisFixture();
const { hostname, port, pathname } = new URL(REDIS_URL);
const TTL = 60_000;
/** Long: what a test sees must not come from a look that happens to be due. */
const RARELY = 3_600_000;
const OFTEN = 60;

/** Everything a listener hears, and a way to wait for it. */
class Ear {
  readonly heard: string[] = [];
  readonly #waiting: { text: string; resolve: () => void }[] = [];

  joined = (): void => this.#hear('joined');
  invalidated = (tokens: readonly string[]): void => tokens.forEach((token) => token && this.#hear(token));
  lost = (reason: BusLoss): void => this.#hear(`lost: ${reason}`);

  /** Resolves when the text is heard the next time. */
  next(text: string): Promise<void> {
    return new Promise((resolve) => this.#waiting.push({ text, resolve }));
  }

  #hear(text: string): void {
    this.heard.push(text);
    for (const waiting of this.#waiting.splice(0)) {
      if (waiting.text === text) waiting.resolve();
      else this.#waiting.push(waiting);
    }
  }
}

let writer: RedisDriver;
const buses: InvalidationBus[] = [];
const drivers: RedisDriver[] = [];
const proxies: FaultyProxy[] = [];
beforeEach(async () => {
  await redis.clear();
  writer = await RedisDriver.create({ redis: redis.client, prefix: redis.prefix });
});
afterEach(async () => {
  for (const bus of buses.splice(0)) await bus.close();
  for (const driver of drivers.splice(0)) await driver.close();
  for (const proxy of proxies.splice(0)) await proxy.refuse();
});
afterAll(() => redis.dispose());

async function listen(option: RedisOption = REDIS_URL, maxLag = RARELY, prefix = redis.prefix) {
  const driver = await RedisDriver.create({ redis: option, prefix });
  drivers.push(driver);
  const ear = new Ear();
  const joined = ear.next('joined');
  const bus = driver.openBus(ear, { maxLag });
  buses.push(bus);
  await joined;
  return { ear, bus, driver };
}

async function viaProxy(): Promise<{ proxy: FaultyProxy; url: string }> {
  const proxy = new FaultyProxy({ host: hostname, port: Number(port || 6379) });
  proxies.push(proxy);
  await proxy.listen();
  return { proxy, url: `redis://127.0.0.1:${proxy.port}${pathname}` };
}

/** Waits for a message that is sent after all that the test has caused, and returns what came before it. */
async function until(ear: Ear, token = 'g:end'): Promise<string[]> {
  const heard = ear.next(token);
  await writer.restamp([token]);
  await heard;
  return ear.heard.slice(1, -1);
}

const pend = (tokens: string[], ttl = TTL, registries = new Map<string, string>()) =>
  writer.pend({ writer: 'w', tokens, registries, ttl });

describe('what is told', () => {
  it('tells what is marked, and not again when the writer settles', async () => {
    const { ear } = await listen();
    await pend(['g:a', 't:{x}:a=1'], TTL, new Map([['x', '']]));
    await writer.settle({ writer: 'w', tokens: ['g:a', 't:{x}:a=1'], tables: ['x'] });
    expect(await until(ear)).toEqual(['g:a', 't:{x}:a=1']);
  });

  it('tells what was settled without its mark', async () => {
    await pend(['g:a', 'g:b'], TTL, new Map([['x', '']]));
    await redis.client.del(`${redis.prefix}s:g:b`, `${redis.prefix}c:{x}`);
    const { ear } = await listen();
    await writer.settle({ writer: 'w', tokens: ['g:a', 'g:b'], tables: ['x'] });
    expect(await until(ear)).toEqual(['g:b', 't:{x}']);
  });

  it('tells what is restamped, and a table whose registry is made', async () => {
    const { ear } = await listen();
    await writer.restamp(['g:a', 'g:b']);
    await writer.pin({ tokens: ['*'], shapes: [{ table: 'x', shape: 'a' }], ttl: TTL });
    await writer.pin({ tokens: ['*'], shapes: [{ table: 'x', shape: 'b' }], ttl: TTL });
    expect(await until(ear)).toEqual(['g:a', 'g:b', 't:{x}']);
  });

  it('tells what was expired', async () => {
    await writer.pin({ tokens: ['g:a'], shapes: [], ttl: TTL });
    const { ear } = await listen();
    await writer.expire({ tokens: ['g:a', 'g:none'], registries: new Map([['x', '']]) });
    await writer.expire({ tokens: ['g:b'], registries: new Map([['x', 'old']]) });
    expect(await until(ear)).toEqual(['g:a', 'g:none']);
  });

  it('tells that a lease was given back, by its owner', async () => {
    const { ear } = await listen();
    const told = ear.next('r:q:ü 1');
    await writer.lease({ key: 'q:ü 1', owner: 'o', ttl: TTL });
    await writer.unlease({ key: 'q:ü 1', owner: 'other' });
    await writer.unlease({ key: 'q:ü 1', owner: 'o' });
    await told;
    expect(ear.heard).toEqual(['joined', 'r:q:ü 1']);
  });

  it('tells nothing when a writer has to compute its tokens again', async () => {
    const { ear } = await listen();
    await pend(['g:a'], TTL, new Map([['x', 'old']]));
    expect(await until(ear)).toEqual([]);
  });

  it('tells that everything is gone when the server is another one', async () => {
    const { ear } = await listen();
    await redis.client.set(`${redis.prefix}id`, 'another');
    await writer.verify();
    expect(await until(ear)).toEqual(['*']);
  });

  it.each(['with\nnewline', '"quoted" \\', 'ünï/😀', '\u0000'])(
    'tells tokens as they are: %j',
    async (text) => {
      const { ear } = await listen();
      await writer.restamp([`g:${text}`]);
      expect(await until(ear)).toEqual([`g:${text}`]);
    },
  );

  it('stays in step through very many messages of several writers', async () => {
    const { ear } = await listen();
    const { driver } = await listen();
    await Promise.all(Array.from({ length: 500 }, (_, i) => (i % 2 ? writer : driver).restamp([`g:${i}`])));
    const heard = await until(ear);
    expect(heard.length).toBe(500);
    expect(new Set(heard).size).toBe(500);
  });
});

describe('which messages', () => {
  it('does not hear those of another prefix, nor those of the same prefix in another database', async () => {
    const { ear } = await listen();
    const other = await RedisDriver.create({ redis: redis.client, prefix: `${redis.prefix}x` });
    await other.restamp(['g:prefix']);
    const database = new URL(REDIS_URL);
    database.pathname = '/9';
    const elsewhere = new Redis(database.href);
    const there = await RedisDriver.create({ redis: elsewhere, prefix: redis.prefix });
    await listen(elsewhere);
    await there.restamp(['g:database']);
    await there.restamp(['g:database']);
    const heard = await until(ear);
    await elsewhere.del(`${redis.prefix}bus`);
    elsewhere.disconnect();
    expect(heard.filter((text) => text.startsWith('g:'))).toEqual([]);
  });

  it('hears those of a client with a keyPrefix', async () => {
    const client = new Redis(REDIS_URL, { keyPrefix: `${redis.prefix}kp:` });
    const { ear, driver } = await listen(client, RARELY, 'p:');
    const heard = ear.next('g:a');
    await driver.restamp(['g:a']);
    await heard;
    client.disconnect();
  });

  it('leaves the connection of the application to its commands', async () => {
    const { ear, driver } = await listen(redis.client);
    const heard = ear.next('g:a');
    await driver.restamp(['g:a']);
    await heard;
    expect(await redis.client.ping()).toBe('PONG');
  });

  it('says which client cannot be used', async () => {
    const bare = Object.assign(Object.create(redis.client) as Redis, { duplicate: undefined });
    const driver = await RedisDriver.create({ redis: bare, prefix: redis.prefix });
    expect(() => driver.openBus(new Ear(), { maxLag: OFTEN })).toThrow('duplicate');
  });
});

describe('what is lost', () => {
  it('tells of a connection that was killed, and hears again', async () => {
    const connectionName = redis.prefix.replace(/\W/g, '');
    const { hostname: host, port: at } = new URL(REDIS_URL);
    const { ear } = await listen({ host, port: Number(at || 6379), connectionName });
    const lost = ear.next('lost: disconnected');
    const listed = String(await redis.client.call('CLIENT', 'LIST', 'TYPE', 'pubsub'));
    const mine = listed.split('\n').find((line) => line.includes(`name=${connectionName}`));
    await redis.client.client('KILL', 'ID', /id=(\d+)/.exec(mine ?? '')?.[1] ?? '');
    await lost;
    await ear.next('joined');
    await writer.restamp(['g:a']);
    expect((await until(ear)).slice(-1)).toEqual(['g:a']);
  });

  it('tells of a message that never came when the next one does', async () => {
    const { ear } = await listen();
    const lost = ear.next('lost: gap');
    // As if it had been published by a node that this one was cut off from.
    await redis.client.setrange(`${redis.prefix}bus`, 16, 'x'.repeat(16));
    await writer.restamp(['g:next']);
    await lost;
    await ear.next('joined');
    expect(ear.heard).not.toContain('g:next');
  });

  it('tells of a message that never came although none follows', async () => {
    const { ear, bus } = await listen(REDIS_URL, OFTEN);
    await redis.client.setrange(`${redis.prefix}bus`, 16, 'x'.repeat(16));
    await ear.next('lost: late');
    expect(bus.validUntil).toBe(0);
    await ear.next('joined');
  });

  it('tells of a server that was emptied, at the next message', async () => {
    const { ear } = await listen();
    const lost = ear.next('lost: flushed');
    await redis.clear();
    await writer.restamp(['g:a']);
    await lost;
    await ear.next('joined');
  });

  it('tells of a server that was emptied, without a message', async () => {
    const { ear } = await listen(REDIS_URL, OFTEN);
    await redis.clear();
    await ear.next('lost: flushed');
    await ear.next('joined');
  });

  it('survives a user who may not publish', async () => {
    const client = Object.assign(Object.create(redis.client) as Redis, {});
    const name = `near${process.pid}`;
    await redis.client.call('ACL', 'SETUSER', name, 'on', '>pw', '~*', '+@all', 'resetchannels');
    const mute = new Redis(REDIS_URL, { username: name, password: 'pw' });
    const driver = await RedisDriver.create({ redis: mute, prefix: redis.prefix });
    const { ear } = await listen(client, OFTEN);
    const [stamp] = await driver.pin({ tokens: ['g:a'], shapes: [], ttl: TTL });
    await driver.restamp(['g:a']);
    expect((await driver.pin({ tokens: ['g:a'], shapes: [], ttl: TTL }))[0]).not.toBe(stamp);
    await ear.next('lost: late');
    mute.disconnect();
    await redis.client.call('ACL', 'DELUSER', name);
  });
});

/** Resolves when the bus says that it is valid until a later time than this. */
const validBeyond = (bus: InvalidationBus, time: number): Promise<void> =>
  new Promise((resolve) => {
    let value = bus.validUntil;
    const set = (next: number): void => {
      value = next;
      if (next > time) resolve();
    };
    Object.defineProperty(bus, 'validUntil', { get: () => value, set, configurable: true });
    set(value);
  });

describe('how long it is valid', () => {
  it('is confirmed again and again while the server answers', async () => {
    const { bus } = await listen(REDIS_URL, OFTEN);
    const first = bus.validUntil;
    expect(first).toBeGreaterThan(performance.now() - OFTEN);
    await validBeyond(bus, first + 2 * OFTEN);
  });

  it('runs out while messages are held up, and goes on when they arrive', async () => {
    const { proxy, url } = await viaProxy();
    // Commands take the direct way; only the subscription passes the proxy.
    const slow = new Redis(url, { lazyConnect: true });
    const client = Object.assign(Object.create(redis.client) as Redis, {
      duplicate: (override: object) => slow.duplicate(override),
    });
    const { ear, bus } = await listen(client, OFTEN);
    proxy.pause();
    await writer.restamp(['g:held']);
    const held = ear.next('g:held');
    // A look that was under way may have lengthened it.
    for (let left = 1; left > 0; left = bus.validUntil - performance.now()) {
      await new Promise((resolve) => setTimeout(resolve, left));
    }
    expect(ear.heard).not.toContain('g:held');
    proxy.resume();
    await held;
    await validBeyond(bus, performance.now());
    slow.disconnect();
  });

  it('is not valid any more once it is closed', async () => {
    const { bus } = await listen();
    await bus.close();
    expect(bus.validUntil).toBe(0);
  });
});

describe('connecting', () => {
  it('joins a server that comes up later', async () => {
    const { proxy, url } = await viaProxy();
    await proxy.refuse();
    const driver = await RedisDriver.create({ redis: url, prefix: redis.prefix });
    drivers.push(driver);
    const ear = new Ear();
    buses.push(driver.openBus(ear, { maxLag: OFTEN }));
    const joined = ear.next('joined');
    await proxy.listen();
    await joined;
    expect(ear.heard).toEqual(['joined']);
  });
});
