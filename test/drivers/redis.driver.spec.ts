import type { Redis } from 'ioredis';
import { EVERYTHING, tableToken } from '../../lib/core/token.js';
import { RedisDriver } from '../../lib/drivers/redis.driver.js';
import type { RedisClient } from '../../lib/drivers/redis.client.js';
import { RedisFixture } from './redis-fixture.js';

const redis = new RedisFixture();
const TTL = 60_000;
const TABLE = 'shop.item';
const ROWS = 't:{shop.item}:a=1';
const TOKENS = [EVERYTHING, tableToken(TABLE), ROWS];
const SHAPES = [{ table: TABLE, shape: 'a' }];

let driver: RedisDriver;
beforeEach(async () => {
  await redis.clear();
  driver = await RedisDriver.create({ redis: redis.client, prefix: redis.prefix });
});
afterAll(() => redis.dispose());

/** Names of the commands that the client sends during `work`. */
async function commands(work: () => Promise<unknown>): Promise<string[]> {
  const sent: string[] = [];
  const client = redis.client as { sendCommand: Redis['sendCommand'] };
  const original = client.sendCommand;
  client.sendCommand = function (this: Redis, ...args) {
    sent.push(args[0].name);
    return original.apply(this, args);
  };
  try {
    await work();
  } finally {
    client.sendCommand = original;
  }
  return sent;
}

const pin = async (tokens = TOKENS) => (await driver.pin({ tokens, shapes: SHAPES, ttl: TTL })) as string[];
const store = (stamps: string[], tokens = TOKENS) =>
  driver.write({ key: 'k', entry: Buffer.from('v'), tokens, stamps, ttl: TTL });
const pend = (version: string) =>
  driver.pend({ writer: 'w', tokens: [ROWS], registries: new Map([[TABLE, version]]), ttl: TTL });
const settle = () => driver.settle({ writer: 'w', tokens: [ROWS], tables: [TABLE] });

describe('round trips', () => {
  it('reads by one MGET, deletes by one UNLINK, does all else by one EVALSHA', async () => {
    await store(await pin());
    await pend('').then((registries) => pend(registries?.get(TABLE)?.version ?? ''));
    await settle();
    await driver.restamp(TOKENS);
    await driver.registries([TABLE]);
    const version = (await driver.registries([TABLE])).get(TABLE)?.version ?? '';
    let stamps: string[] = [];
    expect(await commands(async () => (stamps = await pin()))).toEqual(['evalsha']);
    expect(await commands(() => store(stamps))).toEqual(['evalsha']);
    expect(await commands(() => driver.read('k', TOKENS))).toEqual(['mget']);
    expect(await commands(() => driver.registries([TABLE, 'other']))).toEqual(['evalsha']);
    expect(await commands(() => pend(version))).toEqual(['evalsha']);
    expect(await commands(settle)).toEqual(['evalsha']);
    expect(await commands(() => driver.restamp(TOKENS))).toEqual(['evalsha']);
    expect(await commands(() => driver.delete(['k', 'l']))).toEqual(['unlink']);
  });

  it('sends nothing when there is nothing to do', async () => {
    const idle = async () => {
      await driver.pin({ tokens: [], shapes: [], ttl: TTL });
      await driver.pend({ writer: 'w', tokens: [], registries: new Map(), ttl: TTL });
      await driver.settle({ writer: 'w', tokens: [], tables: [] });
      await driver.restamp([]);
      await driver.registries([]);
      await driver.delete([]);
    };
    expect(await commands(idle)).toEqual([]);
  });

  it('sends the source of a script once to a server that does not know it', async () => {
    let missing = true;
    const forgetful = Object.assign(Object.create(redis.client) as RedisClient, {
      evalsha: async (sha: string, count: number, ...args: string[]) => {
        if (missing) throw new Error('NOSCRIPT No matching script. Please use EVAL.');
        return redis.client.evalsha(sha, count, ...args);
      },
    });
    const other = await RedisDriver.create({ redis: forgetful, prefix: redis.prefix });
    const sent = await commands(() => other.restamp(['g:x']));
    missing = false;
    expect(sent).toEqual(['eval']);
    expect(await commands(() => other.restamp(['g:x']))).toEqual(['evalsha']);
  });

  it('passes other errors of a script on', async () => {
    await redis.client.hset(`${redis.prefix}s:g:x`, 'not', 'a string');
    await expect(driver.restamp(['g:x'])).rejects.toThrow(/WRONGTYPE/);
  });
});

describe('layout', () => {
  it('uses the documented keys and nothing else', async () => {
    await driver.verify();
    await store(await pin());
    const keys = (await redis.keys()).map((key) => key.slice(redis.prefix.length)).sort();
    expect(keys).toEqual([
      'bus',
      'c:{shop.item}',
      'e:k',
      'id',
      's:*',
      's:t:{shop.item}',
      's:t:{shop.item}:a=1',
    ]);
  });

  it('lets everything but `id` run out, stamps and registry after the entry', async () => {
    await store(await pin());
    const life = (key: string) => redis.client.pttl(redis.prefix + key);
    const entry = await life('e:k');
    expect(entry).toBeGreaterThan(TTL - 5_000);
    expect(entry).toBeLessThanOrEqual(TTL);
    for (const token of TOKENS) expect(await life(`s:${token}`)).toBeGreaterThan(entry);
    expect(await life('c:{shop.item}')).toBeGreaterThan(entry);
  });

  it('extends stamps when an entry of a longer life pins them or is stored', async () => {
    const stamps = await pin();
    await redis.client.pexpire(`${redis.prefix}s:${ROWS}`, 1_000);
    await store(stamps);
    expect(await redis.client.pttl(`${redis.prefix}s:${ROWS}`)).toBeGreaterThan(TTL);
    await redis.client.pexpire(`${redis.prefix}s:${ROWS}`, 1_000);
    await pin();
    expect(await redis.client.pttl(`${redis.prefix}s:${ROWS}`)).toBeGreaterThan(TTL);
  });

  it('lets a registry of marks only run out with the last mark, and leaves nothing after settle', async () => {
    await pend('');
    expect(await redis.client.pttl(`${redis.prefix}c:{shop.item}`)).toBeLessThanOrEqual(TTL);
    await settle();
    expect(await redis.keys()).toEqual([`${redis.prefix}bus`]);
  });

  it('purges marks that ran out', async () => {
    const dead = `dead:${Date.now() - 1_000}`;
    await redis.client.set(`${redis.prefix}s:${ROWS}`, `!${dead}`, 'PX', TTL);
    await redis.client.hset(`${redis.prefix}c:{shop.item}`, '!', dead);
    await pend('');
    expect(await redis.client.get(`${redis.prefix}s:${ROWS}`)).toMatch(/^!w:\d+$/);
    expect(await redis.client.hget(`${redis.prefix}c:{shop.item}`, '!')).toMatch(/^w:\d+$/);
  });

  it('works for a writer of any name', async () => {
    const writer = 'a b,c:1!é';
    await driver.pend({ writer, tokens: [ROWS], registries: new Map([[TABLE, '']]), ttl: TTL });
    await driver.settle({ writer, tokens: [ROWS], tables: [TABLE] });
    expect(await redis.keys()).toEqual([`${redis.prefix}bus`]);
  });
});

describe('verify', () => {
  const stampOfEverything = async () => (await driver.read('', [EVERYTHING])).states[0];
  const server = (info: () => Promise<string>) =>
    RedisDriver.create({
      redis: Object.assign(Object.create(redis.client) as RedisClient, { info }),
      prefix: redis.prefix,
    });
  const INFO = 'run_id:aaa\r\nmaster_replid:bbb\r\n';

  it('restamps everything on a server it has not met, and only then', async () => {
    const known = await server(async () => INFO);
    await pin([EVERYTHING]);
    await known.verify();
    expect(await stampOfEverything()).toBeUndefined();
    const [stamp] = await pin([EVERYTHING]);
    await known.verify();
    expect(await stampOfEverything()).toBe(stamp);
  });

  it.each([
    ['run id', 'run_id:ccc\r\nmaster_replid:bbb\r\n'],
    ['replication id', 'run_id:aaa\r\nmaster_replid:ccc\r\n'],
  ])('restamps everything when the %s changes', async (_, info) => {
    await (await server(async () => INFO)).verify();
    await pin([EVERYTHING]);
    await (await server(async () => info)).verify();
    expect(await stampOfEverything()).toBeUndefined();
  });

  it('restamps everything each time when the server hides INFO', async () => {
    const shy = await server(async () => {
      throw new Error("NOPERM this user has no permissions to run the 'info' command");
    });
    for (let i = 0; i < 2; i++) {
      await pin([EVERYTHING]);
      await shy.verify();
      expect(await stampOfEverything()).toBeUndefined();
    }
  });

  it('fails when the server cannot be asked', async () => {
    const away = await server(async () => {
      throw new Error('Connection is closed.');
    });
    await expect(away.verify()).rejects.toThrow('Connection is closed.');
  });

  it('knows a real server again', async () => {
    await driver.verify();
    const [stamp] = await pin([EVERYTHING]);
    await driver.verify();
    expect(await stampOfEverything()).toBe(stamp);
  });
});

it('refuses a Cluster without a hash tag in the prefix', async () => {
  const cluster = Object.assign(Object.create(redis.client) as RedisClient, { isCluster: true });
  await expect(RedisDriver.create({ redis: cluster, prefix: 'shop:' })).rejects.toMatchObject({
    option: 'prefix',
  });
  await expect(RedisDriver.create({ redis: cluster, prefix: '{shop}:' })).resolves.toBeInstanceOf(
    RedisDriver,
  );
});

it('takes a stamp away whose soft part is used up', async () => {
  const driver = await RedisDriver.create({ redis: redis.client, prefix: redis.prefix });
  await redis.client.set(`${redis.prefix}s:g:old`, 'abcdefghijklfffe', 'PX', 60_000);
  const expire = () => driver.expire({ tokens: ['g:old'], registries: new Map() });
  await expire();
  expect(await redis.client.get(`${redis.prefix}s:g:old`)).toBe('abcdefghijklffff');
  await expire();
  expect(await redis.client.get(`${redis.prefix}s:g:old`)).toBeNull();
});
