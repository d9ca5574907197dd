import { jest } from '@jest/globals';
import { CACHE_MANAGER, CacheModule } from '@nestjs/cache-manager';
import KeyvRedis from '@keyv/redis';
import { type Cache, createCache } from 'cache-manager';
import { Redis } from 'ioredis';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Keyv } from 'keyv';
import { DataSource } from 'typeorm';
import { type CachedValues, CacheOpsModule, CacheOpsService, dep, type EntryStore } from '../../lib/index.js';
import { createKeyv, ForeignStore } from '../../lib/integrations/cache-manager.js';
import { FileStore } from '../../lib/integrations/file.js';
import { closeApps, KeptLog, sqlite, start } from '../nest/app.js';
import { Article } from '../nest/entities.js';
import { dropPrefix, redisUrl, uniquePrefix } from '../support/redis.js';

const cleanUp: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  await closeApps();
  for (const each of cleanUp.splice(0).reverse()) await each();
});

async function temporary(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'cacheops-store-'));
  cleanUp.push(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

function redisPrefix(): string {
  const prefix = uniquePrefix();
  cleanUp.push(async () => {
    const client = new Redis(redisUrl());
    await dropPrefix(client, prefix);
    client.disconnect();
  });
  return prefix;
}

const STORES: [string, () => Promise<EntryStore>][] = [
  ['a cache of cache-manager', async () => new ForeignStore(createCache())],
  ['a Keyv', async () => new ForeignStore(new Keyv())],
  [
    'a Keyv in Redis',
    async () => {
      const keyv = new Keyv(new KeyvRedis(redisUrl()), { namespace: redisPrefix() });
      cleanUp.push(() => keyv.disconnect());
      return new ForeignStore(keyv);
    },
  ],
  ['files', async () => new FileStore({ directory: await temporary() })],
];

describe.each(STORES)('values in %s', (_, open) => {
  let store: EntryStore;
  let values: CachedValues;
  let cacheOps: CacheOpsService;
  let dataSource: DataSource;
  beforeEach(async () => {
    const app = await start({ imports: [sqlite(), CacheOpsModule.forRoot({ logger: new KeptLog() })] });
    cacheOps = app.get(CacheOpsService);
    dataSource = app.get(DataSource);
    store = await open();
    values = cacheOps.storedIn(store);
  });
  const article = (title: string) =>
    dataSource.manager.save(Article, { title, address: { city: 'c', street: 's' } });

  it('are kept, found and forgotten, and are not those of the cache', async () => {
    const value = { date: new Date(0), bytes: Buffer.from('x'), map: new Map([[1, null]]) };
    await values.set('k', value);
    expect(await values.get('k')).toStrictEqual(value);
    expect(await cacheOps.get('k')).toBeUndefined();
    expect(cacheOps.storedIn(store)).toBe(values);
    await values.delete('k');
    expect(await values.get('k')).toBeUndefined();
    expect(await values.getOrSet('k', () => null)).toBeNull();
    expect(await values.getOrSet('k', () => 1)).toBeNull();
  });

  it('are made stale by rows, tags and queries, as all others are', async () => {
    let calls = 0;
    const count = values.wrap(
      (title: string) => dataSource.manager.countBy(Article, { title }).finally(() => calls++),
      {
        key: 'count',
        deps: (title) => [dep(Article, { title })],
        tags: ['counts'],
      },
    );
    const tracked = () =>
      values.getOrSet('tracked', () => dataSource.manager.countBy(Article, { title: 'a' }), { track: true });
    expect([await count('a'), await count('b'), await tracked()]).toEqual([0, 0, 0]);
    await article('a');
    expect([await count('a'), await count('b'), await tracked(), calls]).toEqual([1, 0, 1, 3]);
    await cacheOps.invalidate('counts');
    expect([await count('b'), calls]).toEqual([0, 4]);
    await cacheOps.invalidateAll();
    expect([await count('a'), calls]).toEqual([1, 5]);
  });

  it('are loaded once for those who come together', async () => {
    let open = (): void => undefined;
    const gate = new Promise<void>((resolve) => (open = resolve));
    let calls = 0;
    const read = () => values.getOrSet('k', async () => (await gate, { n: ++calls }));
    const readers = [read(), read(), read()];
    // Each of them has looked.
    while (cacheOps.stats().misses < 3) await new Promise(setImmediate);
    open();
    expect(await Promise.all(readers)).toEqual([{ n: 1 }, { n: 1 }, { n: 1 }]);
  });

  it('that change while they are loaded are not kept', async () => {
    let change = true;
    const read = () =>
      values.getOrSet(
        'k',
        async () => {
          if (change) await cacheOps.invalidate('t');
          return change;
        },
        { tags: ['t'] },
      );
    expect(await read()).toBe(true);
    change = false;
    expect([await read(), await read()]).toEqual([false, false]);
  });

  it('of other bytes than an entry are misses', async () => {
    await store.set(`${store.name.length + 1}:${store.name} :v:k`, Buffer.from('rubbish'), 60_000);
    const decoded = jest.spyOn(store, 'get');
    expect(await values.getOrSet('k', () => 'made')).toBe('made');
    expect(await values.getOrSet('k', () => 'again')).toBe('made');
    expect(await decoded.mock.results[0]!.value).toEqual(Buffer.from('rubbish'));
  });

  it('run out', async () => {
    await values.set('k', 1, { ttl: '1ms' });
    while ((await values.get('k')) !== undefined) await new Promise(setImmediate);
    expect(await values.getOrSet('k', () => 2)).toBe(2);
  });

  it('pass errors on, and keep none', async () => {
    await expect(values.getOrSet('k', () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(await values.getOrSet('k', () => 'yes')).toBe('yes');
  });
});

describe('a store that fails', () => {
  const failing = (how: () => Promise<never>): EntryStore => ({
    name: 'failing',
    get: how,
    set: how,
    delete: how,
  });

  it.each<[string, () => Promise<never>]>([
    ['at once', () => Promise.reject(new Error('disk'))],
    ['by hanging', () => new Promise(() => undefined)],
  ])('%s costs misses', async (_, how) => {
    const app = await start({
      imports: [CacheOpsModule.forRoot({ logger: new KeptLog(), timeouts: { read: '20ms', write: '20ms' } })],
    });
    const values = app.get(CacheOpsService).storedIn(failing(how));
    let calls = 0;
    expect(await values.getOrSet('k', () => ++calls)).toBe(1);
    expect(await values.getOrSet('k', () => ++calls)).toBe(2);
    await values.set('k', 1);
    await values.delete('k');
    expect(await values.get('k')).toBeUndefined();
  });

  it('to be one is refused', async () => {
    const app = await start({ imports: [CacheOpsModule.forRoot()] });
    expect(() => app.get(CacheOpsService).storedIn({} as never)).toThrow(/storedIn: expected a store/);
    expect(() => new ForeignStore({} as never)).toThrow(/ForeignStore: expected a cache/);
    expect(() => new FileStore({ directory: '' })).toThrow(/FileStore.directory: expected the path/);
  });
});

describe.each(['memory', 'Redis'])('CACHE_MANAGER over the cache on %s', (backend) => {
  async function application(more: object = {}) {
    const prefix = redisPrefix();
    const app = await start({
      imports: [
        sqlite(),
        CacheOpsModule.forRoot({
          logger: new KeptLog(),
          near: { mode: 'tracked' },
          ...(backend === 'Redis' && { redis: redisUrl(), prefix }),
        }),
        CacheModule.registerAsync({
          inject: [CacheOpsService],
          useFactory: (cacheOps: CacheOpsService) => ({ stores: [createKeyv(cacheOps, more)] }),
        }),
      ],
    });
    return {
      cache: app.get<Cache>(CACHE_MANAGER),
      cacheOps: app.get(CacheOpsService),
      dataSource: app.get(DataSource),
    };
  }

  it('keeps what JSON would not', async () => {
    const { cache } = await application();
    const value = { date: new Date(0), map: new Map([[1, 2n]]), none: undefined, bytes: Buffer.from('x') };
    await cache.set('k', value);
    expect(await cache.get('k')).toStrictEqual(value);
    expect(await cache.mget(['k', 'none'])).toStrictEqual([value, undefined]);
    await expect(cache.set('k', { open: () => 1 })).rejects.toMatchObject({ code: 'SERIALIZATION' });
    await cache.del('k');
    expect(await cache.get('k')).toBeUndefined();
    expect(await cache.wrap('w', () => 'made')).toBe('made');
    expect(await cache.wrap('w', () => 'again')).toBe('made');
    await cache.clear();
    expect(await cache.get('w')).toBeUndefined();
  });

  it('has tags and dependencies, and hits of the near cache', async () => {
    const { cache, cacheOps, dataSource } = await application({
      tags: (key: string) => [`user ${key.split(':')[1]}`],
      deps: (key: string) => (key.startsWith('articles') ? [Article] : []),
    });
    await cache.set('profile:1', 'one');
    await cache.set('profile:2', 'two');
    await cache.set('articles:2', []);
    await cacheOps.invalidate('user 1');
    expect(await cache.mget(['profile:1', 'profile:2', 'articles:2'])).toEqual([undefined, 'two', []]);
    await dataSource.manager.save(Article, { title: 't', address: { city: 'c', street: 's' } });
    expect(await cache.mget(['profile:2', 'articles:2'])).toEqual(['two', undefined]);
    const { nearHits } = cacheOps.stats();
    while (cacheOps.stats().nearHits === nearHits) await cache.get('profile:2');
  });
});
