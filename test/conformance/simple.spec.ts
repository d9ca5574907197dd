import { Redis } from 'ioredis';
import { cachedSource } from '../support/cached-data-source.js';
import { DATABASES } from '../support/databases.js';
import { dropPrefix, redisUrl, uniquePrefix } from '../support/redis.js';
import { MemoryDriver } from '../../lib/drivers/memory.driver.js';
import { freePort, OwnRedis } from '../nest/redis-server.js';
import { openApp } from './app.js';
import { BLOG, Category, Extra, Post } from './entities/blog.js';
import { BLOG_ROWS } from './fixture.js';
import { useSuite } from './suite.js';

describe('cacheops SettingsTests, SimpleCacheTests and PrefixTests', () => {
  it('CO-118 switched off: every read reaches the database, writes tell nobody', async () => {
    const app = await openApp('sqlite', { enabled: false });
    try {
      const list = () => app.repo(Category).find();
      await list();
      expect(await app.log.readsDuring(list)).toBe(1);
      let calls = 0;
      const f = app.cacheOps.wrap(() => ++calls, { key: 'f', deps: [Category] });
      expect([await f(), await f()]).toEqual([1, 2]);
      await app.repo(Category).save({ title: 'x' });
      expect(app.events).toEqual([]);
    } finally {
      await app.close();
    }
  });

  it('CO-118 switched off for a scope', async () => {
    const app = await openApp('sqlite');
    try {
      const list = () => app.repo(Category).find();
      await list();
      expect(await app.log.readsDuring(() => app.cacheOps.withoutCache(list))).toBe(1);
      expect(await app.log.readsDuring(list)).toBe(0);
    } finally {
      await app.close();
    }
  });

  it('CO-136 degrade: while Redis is away the function runs at every call', async () => {
    const port = await freePort();
    const server = new OwnRedis(port);
    await server.start();
    const app = await openApp('sqlite', { redis: `redis://127.0.0.1:${port}`, timeouts: { read: '2s' } });
    try {
      let calls = 0;
      const f = app.cacheOps.wrap(() => ++calls, { key: 'f', ttl: '1m' });
      expect([await f(), await f()]).toEqual([1, 1]);
      await server.stop();
      expect([await f(), await f()]).toEqual([2, 3]);
    } finally {
      await app.close();
      await server.remove();
    }
  });

  it('CO-137 ttl: the entry lives as long as was asked for, its stamps longer', async () => {
    const prefix = uniquePrefix();
    const client = new Redis(redisUrl());
    const app = await openApp('sqlite', { redis: redisUrl(), prefix, timeouts: { read: '2s' } });
    const livesOf = async (pattern: string) => {
      const keys: string[] = [];
      for await (const some of client.scanStream({ match: prefix + pattern, count: 500 }))
        keys.push(...(some as string[]));
      return Promise.all(keys.map((key) => client.pttl(key)));
    };
    try {
      await app.repo(Post).createQueryBuilder('p').where('p.categoryId = 1').cache(100_000).getMany();
      const [entry, ...others] = await livesOf('e:*');
      expect(others).toEqual([]);
      expect(entry).toBeGreaterThan(90_000);
      expect(entry).toBeLessThanOrEqual(100_000);
      const stamps = await livesOf('s:*');
      expect(stamps.length).toBeGreaterThanOrEqual(3);
      for (const life of stamps) expect(life).toBeGreaterThan(100_000);
    } finally {
      await app.close();
      await dropPrefix(client, prefix);
      client.disconnect();
    }
  });

  it('CO-138 the prefix changes between two counts: two statements', async () => {
    let tenant = 'a';
    const app = await openApp('sqlite', { prefix: () => tenant });
    try {
      const count = () => app.repo(Post).count();
      expect(await app.log.readsDuring(count)).toBe(1);
      tenant = 'b';
      expect(await app.log.readsDuring(count)).toBe(1);
      expect(await app.log.readsDuring(count)).toBe(0);
      tenant = 'a';
      expect(await app.log.readsDuring(count)).toBe(0);
    } finally {
      await app.close();
    }
  });

  it('CO-143 the simple cache obeys the prefix', async () => {
    let tenant = 'a';
    const app = await openApp('sqlite', { prefix: () => tenant });
    try {
      await app.cacheOps.set('k', 1);
      tenant = 'b';
      expect(await app.cacheOps.get('k')).toBeUndefined();
      tenant = 'a';
      expect(await app.cacheOps.get('k')).toBe(1);
    } finally {
      await app.close();
    }
  });
});

describe.each(DATABASES)('cacheops sharding tests on %s', (kind) => {
  const suite = useSuite(kind, { entities: BLOG, rows: BLOG_ROWS });

  it('CO-139 prefix by database: each DataSource asks once', async () => {
    const driver = new MemoryDriver();
    const sources = [
      await cachedSource(kind, { entities: BLOG, driver }),
      await cachedSource(kind, { entities: BLOG, driver, name: 'slave' }),
    ];
    try {
      for (const expected of [1, 0]) {
        for (const { dataSource, log } of sources) {
          expect(await log.readsDuring(() => dataSource.getRepository(Post).count())).toBe(expected);
        }
      }
    } finally {
      for (const source of sources) await source.close();
    }
  });

  it('CO-141 a table joined with itself', async () => {
    const list = () =>
      suite
        .repo(Extra)
        .createQueryBuilder('e')
        .innerJoin('e.toTag', 't')
        .where('t.postId = 2')
        .orderBy('e.id')
        .getMany();
    expect(await suite.fresh(list)).toHaveLength(1);
    expect(await suite.q(list)).toBe(0);
    await suite.repo(Extra).update({ id: 2 }, { postId: 1 });
    expect(await suite.q(list)).toBe(1);
    expect(await suite.fresh(list)).toHaveLength(0);
  });

  it('CO-142 a union over one table', async () => {
    const escape = (name: string) => suite.source.dataSource.driver.escape(name);
    const side = (id: number) =>
      `SELECT ${escape('id')} FROM ${escape('post')} WHERE ${escape('categoryId')} = ${id}`;
    const list = () =>
      suite
        .repo(Post)
        .createQueryBuilder('p')
        .where(`p.id IN (SELECT u.id FROM (${side(1)} UNION ${side(3)}) u)`)
        .orderBy('p.id')
        .getMany();
    expect(await suite.fresh(list)).toHaveLength(3);
    expect(await suite.q(list)).toBe(0);
    await suite.repo(Post).update({ id: 1 }, { categoryId: 2 });
    expect(await suite.q(list)).toBe(1);
    expect(await suite.fresh(list)).toHaveLength(2);
  });
});
