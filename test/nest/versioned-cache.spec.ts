import { Redis } from 'ioredis';
import { DataSource } from 'typeorm';
import { CacheOpsModule, CacheOpsService, VersionedCache, type VersionVector } from '../../lib/index.js';
import { dropPrefix, redisUrl, uniquePrefix } from '../support/redis.js';
import { closeApps, KeptLog, sqlite, start } from './app.js';

const prefix = uniquePrefix();
const client = new Redis(redisUrl());
afterEach(async () => {
  await closeApps();
  await dropPrefix(client, prefix);
});
afterAll(() => client.disconnect());

/** A client that notes the commands it sends. */
function counting(commands: string[]): Redis {
  const own = new Redis(redisUrl());
  const send = own.sendCommand.bind(own);
  own.sendCommand = (command, stream) => {
    commands.push(command.name);
    return send(command, stream);
  };
  return own;
}

describe.each(['memory', 'Redis'])('VersionedCache on %s', (backend) => {
  let versions: VersionedCache;
  let cacheOps: CacheOpsService;
  let dataSource: DataSource;

  beforeEach(async () => {
    const options = backend === 'Redis' ? { redis: redisUrl(), prefix } : {};
    const app = await start({
      imports: [sqlite(), CacheOpsModule.forRoot({ logger: new KeptLog(), ...options })],
    });
    versions = app.get(VersionedCache);
    cacheOps = app.get(CacheOpsService);
    dataSource = app.get(DataSource);
  });

  it('incr makes what was stored under a key unreachable, and leaves the others', async () => {
    const [a, b] = [await versions.getSum(['a']), await versions.getSum(['b'])];
    await versions.setVersioned('of a', 1, a);
    await versions.setVersioned('of b', { list: [null] }, b);
    await versions.incr('a');
    expect(await versions.getVersioned('of a', a)).toBeUndefined();
    expect(await versions.getVersioned('of a', await versions.getSum(['a']))).toBeUndefined();
    expect(await versions.getVersioned('of b', await versions.getSum(['b']))).toEqual({ list: [null] });
  });

  it('incrMany reaches whoever depends on one of the keys', async () => {
    const store = async (...keys: string[]) => {
      await versions.setVersioned(keys.join('+'), keys, await versions.getSum(keys));
      return async () => versions.getVersioned(keys.join('+'), await versions.getSum(keys));
    };
    const reads = [await store('a', 'b'), await store('b', 'c'), await store('c')];
    await versions.incrMany(['a', 'b']);
    expect(await Promise.all(reads.map((read) => read()))).toEqual([undefined, undefined, ['c']]);
  });

  it('getSum is the same while nobody increments, in whatever order', async () => {
    const first = await versions.getSum(['a', 'b']);
    expect(String(await versions.getSum(['b', 'a']))).toBe(first.text);
    expect((await versions.getSum(['a'])).text).not.toBe(first.text);
    await versions.incr('b');
    expect((await versions.getSum(['a', 'b'])).text).not.toBe(first.text);
  });

  it('getVersioned gives nothing for another version than the one it was stored under', async () => {
    const old = await versions.getSum(['a']);
    await versions.incr('a');
    const current = await versions.getSum(['a']);
    await versions.setVersioned('k', 'new', current);
    expect(await versions.getVersioned('k', old)).toBeUndefined();
    expect(await versions.getVersioned('k', await versions.getSum(['b']))).toBeUndefined();
    expect(await versions.getVersioned('k', current)).toBe('new');
  });

  it('IC-X01 a key that is incremented while the value is made: it is never served', async () => {
    const version = await versions.getSum(['a']);
    await versions.incr('a');
    await versions.setVersioned('k', 'made of what was', version);
    expect(await versions.getVersioned('k', version)).toBeUndefined();
    expect(await versions.getVersioned('k', await versions.getSum(['a']))).toBeUndefined();
  });

  it('IC-X02 the first increment of a key that was never seen counts', async () => {
    await versions.incr('fresh');
    const before = await versions.getSum(['fresh', 'fresher']);
    await versions.incrMany(['fresher']);
    expect((await versions.getSum(['fresh', 'fresher'])).text).not.toBe(before.text);
  });

  it('IC-X04 the value of a key does not collide with its version', async () => {
    const version = await versions.getSum(['a']);
    await versions.setVersioned('a', 'value', version);
    await versions.incr('a');
    const next = await versions.getSum(['a']);
    await versions.setVersioned('a', 'other', next);
    expect(await versions.getVersioned('a', next)).toBe('other');
    expect(await cacheOps.get('a')).toBeUndefined();
  });

  it('compares every version: increments that would keep a sum the same do not', async () => {
    const seen = new Set<string>();
    for (let i = 0; i < 50; i++) {
      seen.add((await versions.getSum(['a', 'b'])).text);
      await versions.incr(i % 2 ? 'a' : 'b');
    }
    expect(seen.size).toBe(50);
  });

  it('has the keys in common with tags', async () => {
    await versions.setVersioned('k', 1, await versions.getSum(['menu']));
    await cacheOps.set('tagged', 1, { tags: ['menu'] });
    await versions.incr('menu');
    expect(await cacheOps.get('tagged')).toBeUndefined();
    const version = await versions.getSum(['menu']);
    await versions.setVersioned('k', 2, version);
    await cacheOps.invalidateAll();
    expect(await versions.getVersioned('k', version)).toBeUndefined();
  });

  it('increments with the commit of a transaction, and not after a rollback', async () => {
    const version = await versions.getSum(['a']);
    await versions.setVersioned('k', 1, version);
    const read = () => versions.getVersioned('k', version);
    await dataSource.transaction(async () => {
      await versions.incr('a');
      expect(await read()).toBe(1);
    });
    expect(await read()).toBeUndefined();
    const next = await versions.getSum(['a']);
    await versions.setVersioned('k', 2, next);
    const failed = dataSource.transaction(async () => {
      await versions.incr('a');
      throw new Error('no');
    });
    await expect(failed).rejects.toThrow('no');
    expect(await versions.getVersioned('k', next)).toBe(2);
  });

  it('passes by inside withoutCache', async () => {
    const version = await versions.getSum(['a']);
    await versions.setVersioned('k', 1, version);
    await cacheOps.withoutCache(async () => {
      expect(await versions.getVersioned('k', version)).toBeUndefined();
      const none = await versions.getSum(['a']);
      await versions.setVersioned('k', 2, none);
      expect(await versions.getVersioned('k', none)).toBeUndefined();
    });
    expect(await versions.getVersioned('k', version)).toBe(1);
  });

  it.each<[string, (version: VersionVector) => Promise<unknown>, RegExp]>([
    ['an empty key', () => versions.incr(''), /keys\[0\]: expected a text that is not empty/],
    ['keys that are no list', () => versions.getSum('a' as never), /keys: expected a list of texts/],
    ['a number as a version', () => versions.getVersioned('k', 1 as never), /version: expected what getSum/],
    ['a ttl that is none', (v) => versions.setVersioned('k', 1, v, { ttl: 'soon' }), /ttl: expected/],
    ['undefined', (v) => versions.setVersioned('k', undefined, v), /undefined is no value/],
    ['what cannot be stored', (v) => versions.setVersioned('k', () => 1, v), /\[1\]/],
  ])('refuses %s', async (_, act, message) => {
    const version = await versions.getSum(['a']);
    await expect((async () => act(version))()).rejects.toThrow(message);
  });
});

describe('VersionedCache in Redis', () => {
  it('takes one command for each call, however many keys there are', async () => {
    const commands: string[] = [];
    const own = counting(commands);
    const app = await start({ imports: [CacheOpsModule.forRoot({ redis: own, prefix })] });
    const versions = app.get(VersionedCache);
    const keys = Array.from({ length: 300 }, (_, i) => `key ${i}`);
    // The scripts are known to the server from now on.
    await versions.setVersioned('k', 0, await versions.getSum(keys));
    await versions.incrMany(keys);
    const during = async <T>(call: () => Promise<T>): Promise<T> => {
      commands.length = 0;
      const result = await call();
      expect(commands).toHaveLength(1);
      return result;
    };
    await during(() => versions.incr('key 7'));
    await during(() => versions.incrMany(keys));
    const version = await during(() => versions.getSum(keys));
    await during(() => versions.setVersioned('k', 1, version));
    expect(await during(() => versions.getVersioned('k', version))).toBe(1);
    expect(commands).toEqual(['mget']);
    own.disconnect();
  });

  it('IC-X03 a version that was evicted never comes back', async () => {
    const app = await start({ imports: [CacheOpsModule.forRoot({ redis: redisUrl(), prefix })] });
    const versions = app.get(VersionedCache);
    const version = await versions.getSum(['a', 'b']);
    await versions.setVersioned('k', 'old', version);
    expect(await client.unlink(`${prefix}s:g:a`)).toBe(1);
    expect(await versions.getVersioned('k', version)).toBeUndefined();
    const next = await versions.getSum(['a', 'b']);
    expect(next.text).not.toBe(version.text);
    expect(await versions.getVersioned('k', next)).toBeUndefined();
  });
});
