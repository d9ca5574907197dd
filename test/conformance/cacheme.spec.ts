import { jest } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import {
  Cached,
  CachedAs,
  CacheKey,
  CacheOpsModule,
  CacheOpsService,
  dep,
  InvalidateOn,
  NoCache,
} from '../../lib/index.js';
import { closeApps, KeptLog, sqlite, start } from '../nest/app.js';
import { Article, Category } from '../nest/entities.js';
import { DataSource } from 'typeorm';

afterEach(closeApps);

/** Makes it known when it is entered, and waits. */
function gate(): { readonly wait: Promise<void>; readonly open: () => void } {
  let open = (): void => undefined;
  const wait = new Promise<void>((resolve) => (open = resolve));
  return { wait, open };
}

let cacheOps: CacheOpsService;
let dataSource: DataSource;
let calls: number;
const counted = () => ++calls;

async function application(providers: (new () => object)[] = [], options: object = {}) {
  const app = await start({
    imports: [sqlite(), CacheOpsModule.forRoot({ logger: new KeptLog(), ...options })],
    providers,
  });
  cacheOps = app.get(CacheOpsService);
  dataSource = app.get(DataSource);
  return app;
}
beforeEach(() => {
  calls = 0;
});

const article = (title: string, id?: number): Promise<Article> =>
  dataSource.manager.save(Object.assign(new Article(), { id, title, address: { city: 'c', street: 's' } }));

describe('the decorator of django-cacheme', () => {
  it('CM-01 the row of one user makes the value new, that of another does not', async () => {
    await application();
    const [one, two] = [await article('one'), await article('two')];
    const f = () => cacheOps.getOrSet('f', counted, { deps: [one] });
    expect([await f(), await f()]).toEqual([1, 1]);
    await article('changed', one.id);
    expect([await f(), await f()]).toEqual([2, 2]);
    await article('changed', two.id);
    expect(await f()).toBe(2);
  });

  it('CM-02 and CM-24 the key is made of the instance, arguments and options', async () => {
    @Injectable()
    class Service {
      pp = 3;
      @Cached()
      @CacheKey((ctx) => {
        const [a, more, { ff }] = ctx.args as unknown as [number, number, { ff: number }];
        return `test:${(ctx.instance as Service).pp}:${a}:${more}:${ff}`;
      })
      async sum(a: number, more: number, { ff }: { ff: number }) {
        return this.pp + a + more + ff;
      }
    }
    const app = await application([Service]);
    expect(await app.get(Service).sum(5, 10, { ff: 2 })).toBe(20);
    expect(await cacheOps.get('test:3:5:10:2')).toBe(20);
  });

  it('CM-03 and CM-25 and CM-48 onMiss once, then onHit', async () => {
    const told: string[] = [];
    @Injectable()
    class Service {
      @Cached({
        onHit: ({ key }) => void told.push(`hit ${key}`),
        onMiss: ({ key }) => void told.push(`miss ${key}`),
      })
      @CacheKey('test')
      async f() {
        return counted();
      }
    }
    const service = (await application([Service])).get(Service);
    await service.f();
    await service.f();
    expect(told).toEqual(['miss test', 'hit test']);
  });

  it('CM-06 and CM-26 and CM-43 all values of a tag are made new, and no others', async () => {
    await application();
    const f = cacheOps.wrap((_: number) => counted(), { key: 'f', tags: (n) => [`user ${n}`, 'all'] });
    await f(1);
    await f(2);
    await cacheOps.invalidate('user 1');
    expect([await f(1), await f(2)]).toEqual([3, 2]);
    await cacheOps.invalidate('all');
    await cacheOps.invalidate('all');
    expect([await f(1), await f(2)]).toEqual([4, 5]);
  });

  it('CM-08 and CM-27 a call that is skipped runs, and leaves what is stored as it is', async () => {
    let isSkipped = false;
    @Injectable()
    class Service {
      @Cached({ when: () => !isSkipped })
      async f() {
        return counted();
      }
      @NoCache()
      async never() {
        return cacheOps.getOrSet('never', counted);
      }
    }
    const service = (await application([Service])).get(Service);
    expect([await service.never(), await service.never()]).toEqual([1, 2]);
    expect(await service.f()).toBe(3);
    isSkipped = true;
    expect(await service.f()).toBe(4);
    isSkipped = false;
    expect(await service.f()).toBe(3);
  });

  it('CM-09 and CM-28 each value lives for its own time', async () => {
    await application();
    await cacheOps.set('short', 1, { ttl: '1ms' });
    await cacheOps.set('long', 2, { ttl: '3s' });
    while ((await cacheOps.get('short')) !== undefined) await new Promise(setImmediate);
    expect(await cacheOps.get('long')).toBe(2);
  });

  it('CM-10 a value ends by a change, or by its time', async () => {
    await application();
    const row = await article('one');
    const f = () => cacheOps.getOrSet('f', counted, { deps: [row], ttl: calls === 0 ? '1h' : '1ms' });
    expect([await f(), await f()]).toEqual([1, 1]);
    await article('changed', row.id);
    expect(await f()).toBe(2);
    let value: number;
    do value = await f();
    while (value === 2);
    expect(value).toBe(3);
  });

  it('CM-12 what makes a value stale may follow from the value', async () => {
    @Injectable()
    class Service {
      @CachedAs({ track: false })
      @InvalidateOn(
        () => Article,
        (ctx) => (ctx.result as unknown as number[]).map((id) => dep(Article, { id })),
      )
      async ids(): Promise<number[]> {
        calls++;
        const rows = await dataSource.manager.find(Article, { where: { title: 'in' }, order: { id: 'ASC' } });
        return rows.map(({ id }) => id);
      }
    }
    const service = (await application([Service])).get(Service);
    const rows = [await article('in'), await article('in'), await article('out')];
    expect(await service.ids()).toEqual([1, 2]);
    await article('still out', rows[2]!.id);
    expect([await service.ids(), calls]).toEqual([[1, 2], 1]);
    await article('out', rows[0]!.id);
    expect([await service.ids(), calls]).toEqual([[2], 2]);
  });

  it('CM-14 and CM-15 and CM-41 by a row, a condition, a tag, and what is written', async () => {
    await application();
    const row = await article('one');
    const f = () => cacheOps.getOrSet('f', counted, { deps: [row], tags: ['InvalidUserNode:1'] });
    await f();
    await cacheOps.invalidate(row);
    expect(await f()).toBe(2);
    await cacheOps.invalidate(dep(Article, { id: row.id }));
    expect(await f()).toBe(3);
    await cacheOps.invalidate('InvalidUserNode:1');
    expect([await f(), await f()]).toEqual([4, 4]);
    await article('changed', row.id);
    expect(await f()).toBe(5);
  });

  it('CM-17 what is no entity is refused, an entity is not', async () => {
    await application();
    const row = await article('one');
    const f = () => cacheOps.getOrSet('f', counted, { deps: [row] });
    await f();
    await expect(cacheOps.invalidate({ id: row.id })).rejects.toMatchObject({ code: 'UNKNOWN_ENTITY' });
    expect(await f()).toBe(1);
    await cacheOps.invalidateEntity(row);
    expect(await f()).toBe(2);
  });

  it('CM-19 options are those that are given, and an unknown one is an error', async () => {
    await application([], { ttl: '1h' });
    await cacheOps.set('k', 1);
    expect(await cacheOps.get('k')).toBe(1);
    await expect(application([], { foo: 'bar' })).rejects.toThrow(/foo: expected one of/);
  });

  it('CM-20 switched off, every call runs', async () => {
    await application([], { enabled: false });
    const f = cacheOps.wrap(counted, { key: 'f' });
    expect([await f(), await f()]).toEqual([1, 2]);
  });

  it.each([
    ['CM-21 a list of tags', ['test:1', 'test:2']],
    ['CM-22 one tag', ['test:1']],
    ['CM-23 tags made of lists', [['test:1'], ['test:2']].flat()],
  ])('%s', async (_, tags) => {
    await application();
    const f = cacheOps.wrap(counted, { key: 'f', tags });
    await f();
    await cacheOps.invalidate('test:1');
    expect([await f(), await f()]).toEqual([2, 2]);
  });

  it('CM-31 by key', async () => {
    await application();
    await cacheOps.getOrSet('test>me', counted);
    await cacheOps.delete('test>me');
    expect(await cacheOps.getOrSet('test>me', counted)).toBe(2);
  });

  it('CM-32 ten thousand values under one tag', async () => {
    await application();
    const keys = Array.from({ length: 10_000 }, (_, i) => `test:${i}`);
    for (const key of keys) await cacheOps.set(key, key, { tags: ['test'] });
    await cacheOps.set('other', 1);
    await cacheOps.invalidate('test');
    for (const key of [keys[0]!, keys[5_000]!, keys[9_999]!]) expect(await cacheOps.get(key)).toBeUndefined();
    expect(await cacheOps.get('other')).toBe(1);
  });
});

describe('stale values of cacheme', () => {
  const f = () => cacheOps.getOrSet('f', counted, { tags: ['t'], grace: '1h' });
  const pair = () => Promise.all([f(), f()]);

  it('CM-34 a second call is a hit', async () => {
    await application();
    expect([await f(), await f()]).toEqual([1, 1]);
  });

  it('CM-35 after expire() the old value is served while one call makes the new one', async () => {
    await application();
    await f();
    await cacheOps.expire('t');
    for (const value of await pair()) expect([1, 2]).toContain(value);
    while ((await f()) === 1) await new Promise(setImmediate);
    expect([await f(), calls]).toEqual([2, 2]);
  });

  it('CM-36 and CM-37 after invalidate() nobody gets the old one', async () => {
    await application();
    await f();
    await cacheOps.invalidate('t');
    expect([await pair(), calls]).toEqual([[2, 2], 2]);
  });
});

describe('functions in place of nodes', () => {
  it('CM-39 without a name and a key there is nothing to store under', async () => {
    await application();
    expect(() => cacheOps.wrap(() => 1)).toThrow(/wrap.key: expected a key for the results/);
  });

  it('CM-40 one key for all arguments, or one for each', async () => {
    await application();
    const one = cacheOps.wrap((n: number) => n, { key: () => 'constant' });
    const each = cacheOps.wrap((n: number) => n, { key: 'dynamic' });
    expect([await one(1), await one(2), await each(1), await each(2)]).toEqual([1, 1, 1, 2]);
  });

  it('CM-42 a property that the entity has not is an error that names it', async () => {
    await application();
    const missing = dep('Article', { nothing: 1 });
    await expect(cacheOps.invalidate(missing)).rejects.toThrow(/nothing/);
  });

  it('CM-44 and CM-47 all results of a function, or those of some arguments', async () => {
    await application();
    const f = cacheOps.wrap((_: number) => counted(), { key: 'f', tags: ['all of f'] });
    expect([await f(1), await f(2)]).toEqual([1, 2]);
    await f.invalidate(2);
    expect([await f(1), await f(2)]).toEqual([1, 3]);
    await cacheOps.invalidate('all of f');
    expect([await f(1), await f(2)]).toEqual([4, 5]);
  });

  it('CM-45 and CM-46 the stored result without a call, or undefined', async () => {
    await application();
    const f = cacheOps.wrap((_: number) => counted(), { key: 'f' });
    expect(await f.key(1).get()).toBeUndefined();
    await f(1);
    expect([await f.key(1).get(), calls]).toEqual([1, 1]);
  });

  it('CM-50 functions and methods; arguments that do not count share the entry', async () => {
    @Injectable()
    class Service {
      @Cached()
      async f(@CacheKey() id: number, _trace: string) {
        return [id, counted()];
      }
    }
    const service = (await application([Service])).get(Service);
    expect([await service.f(1, 'a'), await service.f(1, 'b'), await service.f(2, 'a')]).toEqual([
      [1, 1],
      [1, 1],
      [2, 2],
    ]);
    const f = cacheOps.wrap((id: number, _trace: string) => [id, counted()], { key: (id) => `f ${id}` });
    expect([await f(1, 'a'), await f(1, 'b')]).toEqual([
      [1, 3],
      [1, 3],
    ]);
  });

  it('CM-51 and CM-52 a value is loaded once, by whoever comes first', async () => {
    await application();
    const [own, other] = [jest.fn(() => 'a-1-10'), jest.fn(() => 'other')];
    expect([await cacheOps.getOrSet('k', own), await cacheOps.getOrSet('k', other)]).toEqual([
      'a-1-10',
      'a-1-10',
    ]);
    expect([own.mock.calls.length, other.mock.calls.length]).toEqual([1, 0]);
  });

  it('CM-53 several at once keep their order, and only what is missing is loaded', async () => {
    await application();
    const f = cacheOps.wrap((n: number) => (calls++, `v${n}`), { key: 'f' });
    const all = (...ns: number[]) => Promise.all(ns.map((n) => f(n)));
    expect([await all(3, 1, 2), calls]).toEqual([['v3', 'v1', 'v2'], 3]);
    expect([await all(1, 2, 3), calls]).toEqual([['v1', 'v2', 'v3'], 3]);
    expect([await all(4, 1), calls]).toEqual([['v4', 'v1'], 4]);
  });

  it.each([
    ['CM-54 fifty callers', 50, 1],
    ['CM-55 two hundred callers', 200, 1],
    ['CM-56 two hundred callers of three', 200, 3],
  ])('%s', async (_, callers, keys) => {
    await application();
    const { wait, open } = gate();
    const f = cacheOps.wrap(async (n: number) => (calls++, await wait, n), { key: 'f' });
    const all = Array.from({ length: callers * keys }, (_each, i) => f(i % keys));
    open();
    expect((await Promise.all(all)).slice(0, keys)).toEqual([0, 1, 2].slice(0, keys));
    expect(calls).toBe(keys);
    // Nothing of the loads is left: the next invalidation is followed by another.
    await cacheOps.invalidateAll();
    await f(0);
    expect(calls).toBe(keys + 1);
  });

  it('CM-57 statistics', async () => {
    await application();
    const f = cacheOps.wrap((n: number) => n, { key: 'f' });
    for (const n of [1, 2, 3, 4, 1]) await f(n);
    expect(cacheOps.stats()).toMatchObject({ hits: 1, misses: 4 });
    for (const n of [1, 2, 5]) await f(n);
    expect(cacheOps.stats()).toMatchObject({ hits: 3, misses: 5 });
  });

  it('CM-58 and CM-59 forgotten, and made anew at once', async () => {
    await application();
    const f = cacheOps.wrap(counted, { key: 'f' });
    await f();
    await f.invalidate();
    expect(await f()).toBe(2);
    await f.key().set(counted());
    expect([await f(), calls]).toEqual([3, 3]);
  });

  it('CM-63 and CM-64 made at run time; two of one name are refused', async () => {
    await application();
    const build = () =>
      cacheOps.wrap(function built(n: number) {
        return [n, counted()];
      });
    const f = build();
    for (let round = 0; round < 2; round++)
      for (let n = 0; n < 10; n++) expect(await f(n)).toEqual([n, n + 1]);
    expect(cacheOps.stats()).toMatchObject({ hits: 10, misses: 10 });
    expect(build).toThrow(/another function named built is wrapped already/);
  });

  it.each<[string, unknown]>([
    ['null', null],
    ['true', true],
    ['an integer', 12],
    ['a large integer', 2 ** 53 - 1],
    ['a bigint', 2n ** 70n],
    ['a fraction', 1.5],
    ['infinity', Infinity],
    ['an empty text', ''],
    ['a text', 'ünï\0'],
    ['bytes', Buffer.from([0, 255])],
    ['a list', [1, 'a', [null]]],
    ['a map', new Map([[1, 'a']])],
    ['a set', new Set(['a'])],
    ['an object', { a: { b: [undefined] } }],
    ['a date', new Date(1)],
    ['a regular expression', /a/i],
    ['a typed array', new Float64Array([0.1])],
  ])('CM-65 comes back as it was: %s', async (_, value) => {
    await application();
    await cacheOps.set('k', value);
    expect(await cacheOps.get('k')).toStrictEqual(value);
  });

  it('CM-66 stores: set, get, run out, several, remove', async () => {
    await application();
    for (const n of [1, 2, 3]) await cacheOps.set(`k${n}`, n);
    await cacheOps.set('short', 1, { ttl: '1ms' });
    while ((await cacheOps.get('short')) !== undefined) await new Promise(setImmediate);
    const all = await Promise.all(['k1', 'k2', 'k3', 'k4'].map((key) => cacheOps.get(key)));
    expect(all).toEqual([1, 2, 3, undefined]);
    await cacheOps.delete('k1');
    expect(await cacheOps.get('k1')).toBeUndefined();
  });
});

describe('what cacheme did wrong', () => {
  it('CM-X01 a load that fails fails for all who wait, and leaves nothing behind', async () => {
    await application();
    const { wait, open } = gate();
    const failing = () => cacheOps.getOrSet('k', async () => (await wait, Promise.reject(new Error('no'))));
    const all = Promise.allSettled([failing(), failing(), failing()]);
    open();
    for (const outcome of await all) expect(outcome).toMatchObject({ reason: { message: 'no' } });
    expect(await cacheOps.getOrSet('k', () => 'yes')).toBe('yes');
  });

  it('CM-X02 of several loads those that fail leave nothing behind', async () => {
    await application();
    let isBroken = true;
    const f = cacheOps.wrap((n: number) => (n === 2 && isBroken ? Promise.reject(new Error('no')) : n), {
      key: 'f',
    });
    const outcomes = await Promise.allSettled([1, 2, 3].map((n) => f(n)));
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    isBroken = false;
    expect(await Promise.all([1, 2, 3].map((n) => f(n)))).toEqual([1, 2, 3]);
  });

  it('CM-X03 what is invalidated during a load is not stored', async () => {
    await application();
    const row = await dataSource.manager.save(Category, { name: 'a' });
    const f = () =>
      cacheOps.getOrSet(
        'f',
        async () => {
          const made = counted();
          if (made === 1) await dataSource.manager.save(Category, { id: row.id, name: 'b' });
          return made;
        },
        { deps: [Category] },
      );
    expect([await f(), await f(), await f()]).toEqual([1, 2, 2]);
  });
});
