import { Redis } from 'ioredis';
import { DataSource, type EntityManager } from 'typeorm';
import {
  type CacheEvent,
  CacheOpsDependencyError,
  CacheOpsModule,
  type CacheOpsOptions,
  CacheOpsSerializationError,
  CacheOpsService,
  dep,
  type Dependency,
} from '../../lib/index.js';
import { dropPrefix, redisUrl, uniquePrefix } from '../support/redis.js';
import { closeApps, KeptLog, sqlite, start } from './app.js';
import { Article, Category, Pair } from './entities.js';

let cleanUp: (() => Promise<void>) | undefined;
afterEach(async () => {
  await closeApps();
  await cleanUp?.();
  cleanUp = undefined;
});

type Backend = (name: string) => CacheOpsOptions;

const BACKENDS: [string, Backend][] = [
  ['memory', () => ({})],
  [
    'Redis',
    () => {
      const prefix = uniquePrefix();
      cleanUp = async () => {
        const client = new Redis(redisUrl());
        await dropPrefix(client, prefix);
        client.disconnect();
      };
      return { redis: redisUrl(), prefix };
    },
  ],
];

/** A promise and its resolution: holds a factory where it is. */
function barrier(): { wait: Promise<void>; open: () => void } {
  let open = (): void => undefined;
  const wait = new Promise<void>((resolve) => (open = resolve));
  return { wait, open };
}

describe.each(BACKENDS)('CacheOpsService on %s', (name, backend) => {
  let cacheOps: CacheOpsService;
  let dataSource: DataSource;

  beforeEach(async () => {
    const options = { logger: new KeptLog(), ...backend(name) };
    const app = await start({ imports: [sqlite(), CacheOpsModule.forRoot(options)] });
    cacheOps = app.get(CacheOpsService);
    dataSource = app.get(DataSource);
  });

  /** Whether something stored with `deps` is still there after `change`. */
  async function survives(deps: Dependency[], change: () => Promise<unknown>): Promise<boolean> {
    await cacheOps.set('kept', 1, { deps });
    expect(await cacheOps.get('kept')).toBe(1);
    await change();
    return (await cacheOps.get('kept')) === 1;
  }

  describe('values', () => {
    it('are made once, until they are deleted', async () => {
      let calls = 0;
      const read = () => cacheOps.getOrSet('k', async () => ++calls);
      expect([await read(), await read()]).toEqual([1, 1]);
      await cacheOps.delete('k');
      expect(await cacheOps.get('k')).toBeUndefined();
      expect(await read()).toBe(2);
    });

    it.each([
      ['null', null],
      ['false', false],
      [
        'a graph of everything',
        { d: new Date(0), m: new Map([[1, new Set(['a'])]]), b: Buffer.from('x'), n: 10n, u: undefined },
      ],
    ])('may be %s', async (_, value) => {
      await cacheOps.set('k', value);
      expect(await cacheOps.get('k')).toStrictEqual(value);
      expect(await cacheOps.getOrSet<unknown>('k', () => 'other')).toStrictEqual(value);
    });

    it('of undefined are not stored', async () => {
      let calls = 0;
      const read = () => cacheOps.getOrSet('k', () => void calls++);
      expect([await read(), await read(), calls]).toEqual([undefined, undefined, 2]);
      await expect(cacheOps.set('k', undefined)).rejects.toThrow(/value: expected a value/);
    });

    it('are copies of their own on every hit', async () => {
      const made = { list: [1] };
      const first = await cacheOps.getOrSet('k', () => made);
      first.list.push(2);
      const second = await cacheOps.getOrSet('k', () => made);
      second.list.push(3);
      expect(await cacheOps.get('k')).toEqual({ list: [1] });
    });

    it('may hold entities, which come back as such', async () => {
      const saved = await dataSource.manager.save(Article, {
        title: 't',
        address: { city: 'Ulm', street: 's' },
      });
      const found = await dataSource.manager.findOneByOrFail(Article, { id: saved.id });
      const read = () =>
        cacheOps.getOrSet('k', () => ({ articles: [found], by: new Map([[saved.id, found]]) }));
      await read();
      const hit = await read();
      expect(cacheOps.stats().hits).toBe(1);
      expect(hit.articles[0]).toBeInstanceOf(Article);
      expect(hit).toEqual({ articles: [found], by: new Map([[saved.id, found]]) });
      expect(hit.articles[0]).not.toBe(found);
    });

    it.each<[string, unknown, string]>([
      ['a function', { a: [1, () => 1] }, 'a[1]'],
      ['an instance of another class', { a: new (class Money {})() }, 'a'],
    ])('that hold %s are refused with their path', async (_, value, path) => {
      const refused = expect.objectContaining({
        code: 'SERIALIZATION',
        path: expect.stringContaining(path),
      }) as Error;
      await cacheOps.set('k', 'old');
      await expect(cacheOps.set('k', value)).rejects.toThrow(refused);
      expect(await cacheOps.get('k')).toBe('old');
      await expect(cacheOps.getOrSet('other', () => value)).rejects.toThrow(CacheOpsSerializationError);
    });

    it('live for their ttl', async () => {
      await cacheOps.set('k', 1, { ttl: '1ms' });
      const expired = async (): Promise<boolean> => (await cacheOps.get('k')) === undefined;
      while (!(await expired())) await new Promise(setImmediate);
      await expect(cacheOps.set('k', 1, { ttl: 'soon' })).rejects.toThrow(/ttl: expected a duration/);
    });

    it('that were set are found by getOrSet, whatever else they depend on', async () => {
      await cacheOps.set('k', 'set', { tags: ['a', 'b'] });
      expect(await cacheOps.getOrSet('k', () => 'made', { tags: ['a'] })).toBe('set');
      expect(await cacheOps.getOrSet('k', () => 'made')).toBe('set');
      await cacheOps.invalidate('b');
      expect(await cacheOps.getOrSet('k', () => 'made', { tags: ['a'] })).toBe('made');
    });

    it('are made anew for a reader who depends on more than they did', async () => {
      await cacheOps.set('k', 'set', { tags: ['a'] });
      expect(await cacheOps.getOrSet('k', () => 'made', { tags: ['a', 'b'] })).toBe('made');
      expect(await cacheOps.get('k')).toBe('made');
      await cacheOps.invalidate('b');
      expect(await cacheOps.get('k')).toBeUndefined();
    });

    it('are loaded once for readers who come together', async () => {
      const { wait, open } = barrier();
      let calls = 0;
      const read = () => cacheOps.getOrSet('k', async () => (await wait, { n: ++calls }));
      const readers = [read(), read(), read()];
      open();
      const values = await Promise.all(readers);
      expect(values).toEqual([{ n: 1 }, { n: 1 }, { n: 1 }]);
      expect(new Set(values).size).toBe(3);
    });

    it('pass errors on and store none', async () => {
      const failing = () => cacheOps.getOrSet('k', () => Promise.reject(new Error('no')));
      await expect(failing()).rejects.toThrow('no');
      expect(await cacheOps.getOrSet('k', () => 'yes')).toBe('yes');
    });
  });

  describe('with track', () => {
    it('depend on the queries of their factory', async () => {
      await dataSource.manager.save(Article, { title: 'a', address: { city: 'c', street: 's' } });
      const count = () => dataSource.manager.countBy(Article, { title: 'a' });
      const tracked = () => cacheOps.getOrSet('tracked', count, { track: true });
      const plain = () => cacheOps.getOrSet('plain', count);
      expect([await tracked(), await plain()]).toEqual([1, 1]);
      await dataSource.manager.save(Article, { title: 'b', address: { city: 'c', street: 's' } });
      expect((await cacheOps.explain('tracked')).stored).toBe(true);
      await dataSource.manager.save(Article, { title: 'a', address: { city: 'c', street: 's' } });
      expect([await tracked(), await plain()]).toEqual([2, 1]);
    });

    it('depend on the queries of a function that is wrapped', async () => {
      const titled = (title: string) => ({ title, address: { city: 'c', street: 's' } });
      const count = cacheOps.wrap((title: string) => dataSource.manager.countBy(Article, { title }), {
        key: 'count',
        track: true,
      });
      expect([await count('a'), await count('b')]).toEqual([0, 0]);
      await dataSource.manager.save(Article, titled('a'));
      expect([await count('a'), await count('b')]).toEqual([1, 0]);
      expect((await cacheOps.explain(count.key('b').key)).stored).toBe(true);
    });

    it('are stored in spite of what cannot be attributed only if dependencies are named', async () => {
      const random = () => dataSource.query('SELECT random() AS r');
      await cacheOps.getOrSet('exact', random, { track: true });
      await cacheOps.getOrSet('known', random, { track: true, tags: ['t'] });
      const stored = async (key: string) => (await cacheOps.explain(key)).stored;
      expect([await stored('exact'), await stored('known')]).toEqual([false, true]);
    });
  });

  describe('a load under way', () => {
    it.each<[string, () => Promise<unknown>, unknown]>([
      ['delete', () => cacheOps.delete('k'), undefined],
      ['set', () => cacheOps.set('k', 'newer'), 'newer'],
      ['invalidate', () => cacheOps.invalidate('t'), undefined],
      ['invalidateAll', () => cacheOps.invalidateAll(), undefined],
    ])('loses against %s', async (_, change, left) => {
      const [started, held] = [barrier(), barrier()];
      const load = async () => (started.open(), await held.wait, 'older');
      const reader = cacheOps.getOrSet('k', load, { tags: ['t'] });
      await started.wait;
      await change();
      held.open();
      expect(await reader).toBe('older');
      expect(await cacheOps.get('k')).toBe(left);
    });
  });

  describe('dependencies', () => {
    const save = <E extends object>(entity: new () => E, fields: object): Promise<E> =>
      dataSource.manager.save(Object.assign(new entity(), fields));
    let first: Category;
    let second: Category;
    let article: Article;
    beforeEach(async () => {
      [first, second] = (await dataSource.manager.save(Category, [{ name: 'a' }, { name: 'b' }])) as [
        Category,
        Category,
      ];
      article = await save(Article, {
        title: 't',
        categoryId: first.id,
        address: { city: 'Ulm', street: '' },
      });
    });
    const rename = (id: number) => dataSource.manager.update(Article, { id }, { title: 'u' });

    it('on a class end with any write of it, and with no other', async () => {
      expect(await survives([Category], () => rename(article.id))).toBe(true);
      expect(await survives([Category, Article], () => rename(article.id))).toBe(false);
    });

    it('on an entity object end with its row', async () => {
      const other = await save(Article, { title: 'o', address: { city: '', street: '' } });
      expect(await survives([article], () => rename(other.id))).toBe(true);
      expect(await survives([article], () => rename(article.id))).toBe(false);
    });

    it('on a composite key end with its row', async () => {
      const pair = await save(Pair, { left: 1, right: 2 });
      expect(await survives([pair], () => dataSource.manager.save(Pair, { left: 2, right: 1 }))).toBe(true);
      expect(await survives([pair], () => dataSource.manager.delete(Pair, { left: 1, right: 2 }))).toBe(
        false,
      );
    });

    it.each<[string, (a: Category, b: Category) => Dependency, (a: Category, b: Category) => Dependency]>([
      ['a column', (a) => dep(Article, { categoryId: a.id }), (_, b) => dep(Article, { categoryId: b.id })],
      [
        'a relation by id',
        (a) => dep(Article, { category: a.id }),
        (_, b) => dep(Article, { category: b.id }),
      ],
      ['a relation by entity', (a) => dep(Article, { category: a }), (_, b) => dep(Article, { category: b })],
      [
        'an embedded path',
        () => dep(Article, { 'address.city': 'Ulm' }),
        () => dep(Article, { 'address.city': 'Bonn' }),
      ],
      [
        'an embedded object',
        () => dep(Article, { address: { city: 'Ulm' } }),
        () => dep(Article, { address: { city: 'ulm' } }),
      ],
      [
        'a list',
        (a, b) => dep(Article, { categoryId: [a.id, b.id] }),
        (_, b) => dep(Article, { categoryId: [b.id, 99] }),
      ],
      ['an empty list', () => dep(Article, {}), () => dep(Article, { categoryId: [] })],
      ['null', () => dep(Article, { extra: null }), () => dep(Article, { categoryId: null })],
      [
        'two columns',
        (a) => dep(Article, { categoryId: a.id, visible: true }),
        (a) => dep(Article, { categoryId: a.id, visible: false }),
      ],
      [
        'a column that cannot be compared',
        () => dep(Article, { extra: { x: 1 } }),
        () => dep(Article, { extra: { x: 1 }, categoryId: 99 }),
      ],
      ['a name', () => dep('Article', { visible: true }), () => dep('Article', { visible: false })],
    ])('on rows by %s end with these', async (_, hit, missed) => {
      // A table that nobody reads rows of is restamped as a whole: there is no registry of shapes yet.
      await cacheOps.set('reader', 1, { deps: [dep(Article, { id: 0 })] });
      expect(await survives([missed(first, second)], () => rename(article.id))).toBe(true);
      expect(await survives([hit(first, second)], () => rename(article.id))).toBe(false);
    });

    it('end with rows that come and rows that go', async () => {
      const inSecond = [dep(Article, { categoryId: second.id })];
      const move = (id: number) => dataSource.manager.update(Article, { id: article.id }, { categoryId: id });
      expect(await survives(inSecond, () => move(second.id))).toBe(false);
      expect(await survives(inSecond, () => move(first.id))).toBe(false);
      expect(await survives(inSecond, () => move(first.id))).toBe(true);
    });

    it('on a text end with the tag, and with the entity of that name', async () => {
      expect(await survives(['tag'], () => rename(article.id))).toBe(true);
      expect(await survives(['tag'], () => cacheOps.invalidate('tag'))).toBe(false);
      expect(await survives(['Article'], () => rename(article.id))).toBe(false);
    });

    it.each<[string, () => unknown, string, RegExp]>([
      [
        'a class that is no entity',
        () => class Money {},
        'UNKNOWN_ENTITY',
        /got function Money.*Article, Category, Pair/,
      ],
      [
        'an object that is no entity',
        () => ({ id: 1 }),
        'UNKNOWN_ENTITY',
        /an object of an entity class .*got \{"id":1\}/,
      ],
      ['a name that is no entity', () => dep('Artikel'), 'UNKNOWN_ENTITY', /got "Artikel"/],
      ['null', () => null, 'UNKNOWN_DEPENDENCY', /got null/],
      ['a number', () => 5, 'UNKNOWN_DEPENDENCY', /a tag, got 5/],
      ['an empty tag', () => '', 'UNKNOWN_DEPENDENCY', /not empty, got ""/],
      ['an unsaved entity', () => new Article(), 'UNKNOWN_DEPENDENCY', /primary key \(id\).*Is it saved yet/],
      [
        'an unknown property',
        () => dep(Article, { name: 1 } as never),
        'UNKNOWN_DEPENDENCY',
        /Article\.name.*title/,
      ],
      [
        'an undefined value',
        () => dep(Article, { title: undefined }),
        'UNKNOWN_DEPENDENCY',
        /Article\.title: a value/,
      ],
      [
        'the other side of a relation',
        () => dep(Category, { articles: 1 } as never),
        'UNKNOWN_DEPENDENCY',
        /foreign key/,
      ],
      [
        'a relation by another property',
        () => dep(Article, { category: { name: 'a' } }),
        'UNKNOWN_DEPENDENCY',
        /with id/,
      ],
    ])('refuse %s', async (_, bad, code, message) => {
      const refused = expect.objectContaining({ code, message: expect.stringMatching(message) }) as Error;
      const deps = [bad() as Dependency];
      await expect(cacheOps.getOrSet('k', () => 1, { deps })).rejects.toThrow(refused);
      await expect(cacheOps.invalidate(...deps)).rejects.toThrow(CacheOpsDependencyError);
    });

    it('refuse deps and tags that are no lists', async () => {
      await expect(cacheOps.set('k', 1, { deps: Article as never })).rejects.toThrow(
        /a list of dependencies/,
      );
      await expect(cacheOps.set('k', 1, { tags: [1 as never] })).rejects.toThrow(/a tag/);
    });
  });

  describe('invalidation by hand', () => {
    const counting = () => ({ where: { categoryId: 1 }, cache: true });
    const isFresh = async (change: () => Promise<void>, options: object = counting()): Promise<boolean> => {
      await dataSource.manager.count(Article, options);
      const { hits } = cacheOps.stats();
      await change();
      await dataSource.manager.count(Article, options);
      return cacheOps.stats().hits > hits;
    };
    const article = (fields: Partial<Article>) =>
      Object.assign(new Article(), { id: 7, title: 't', visible: true }, fields);

    it.each<[string, () => Promise<void>, boolean]>([
      ['the class', () => cacheOps.invalidate(Article), false],
      ['another class', () => cacheOps.invalidate(Category), true],
      ['rows that match', () => cacheOps.invalidate(dep(Article, { categoryId: 1 })), false],
      ['rows that do not', () => cacheOps.invalidate(dep(Article, { categoryId: 2 })), true],
      ['rows by another column', () => cacheOps.invalidate(dep(Article, { title: 't' })), false],
      ['the model by name', () => cacheOps.invalidateModel('Article'), false],
      ['another model', () => cacheOps.invalidateModel(Category), true],
      ['an entity that matches', () => cacheOps.invalidateEntity(article({ categoryId: 1 })), false],
      ['an entity that does not', () => cacheOps.invalidateEntity(article({ categoryId: 2 })), true],
      ['everything', () => cacheOps.invalidateAll(), false],
      [
        'nothing, inside withoutInvalidation',
        () => cacheOps.withoutInvalidation(() => cacheOps.invalidate(Article)),
        true,
      ],
    ])('of %s', async (_, change, kept) => {
      expect(await isFresh(change)).toBe(kept);
    });

    it('of a row reaches a reader whose shape this process does not know yet', async () => {
      await cacheOps.invalidate(dep(Article, { categoryId: 1 }));
      expect(await isFresh(() => cacheOps.invalidate(dep(Article, { categoryId: 1 })))).toBe(false);
    });
  });

  describe('invalidation by hand inside a transaction', () => {
    const isStored = async () => (await cacheOps.explain('k')).stored;
    const INVALIDATIONS: [string, () => Promise<void>][] = [
      ['a tag', () => cacheOps.invalidate('t')],
      ['rows', () => cacheOps.invalidate(dep(Article, { categoryId: 1 }))],
      ['a tag, gently,', () => cacheOps.expire('t')],
    ];
    const store = () => cacheOps.set('k', 1, { tags: ['t'], deps: [dep(Article, { categoryId: 1 })] });

    it.each(INVALIDATIONS)('of %s waits for the commit', async (_, invalidate) => {
      await dataSource.transaction(async (manager) => {
        await manager.save(Category, { name: 'c' });
        await store();
        await invalidate();
        expect(await isStored()).toBe(true);
      });
      expect(await isStored()).toBe(false);
    });

    it.each(INVALIDATIONS)('of %s is dropped by a rollback, of a savepoint too', async (_, invalidate) => {
      await store();
      const failing = (manager: EntityManager) =>
        manager.transaction(async () => {
          await invalidate();
          throw new Error('no');
        });
      await expect(failing(dataSource.manager)).rejects.toThrow('no');
      await dataSource.transaction((manager) => failing(manager).catch(() => undefined));
      expect(await isStored()).toBe(true);
    });

    it('of a key is made at once, and again with the commit', async () => {
      await dataSource.transaction(async () => {
        await store();
        await cacheOps.delete('k');
        expect(await isStored()).toBe(false);
        await store();
      });
      expect(await isStored()).toBe(false);
    });

    it('is made at once by what outlives the transaction', async () => {
      const over = barrier();
      let late = Promise.resolve();
      await dataSource.transaction(async () => {
        late = over.wait.then(() => cacheOps.invalidate('t'));
      });
      await store();
      await dataSource.transaction(async () => {
        over.open();
        await late;
        expect(await isStored()).toBe(false);
      });
    });
  });

  describe('wrap', () => {
    it('caches by arguments', async () => {
      const calls: unknown[][] = [];
      const wrapped = cacheOps.wrap(function sum(a: number, b: number | string) {
        calls.push([a, b]);
        return `${a}${b}`;
      });
      const results = [
        await wrapped(1, 2),
        await wrapped(1, 2),
        await wrapped(1, '2'),
        await wrapped(12, ''),
      ];
      expect(results).toEqual(['12', '12', '12', '12']);
      expect(calls).toEqual([
        [1, 2],
        [1, '2'],
        [12, ''],
      ]);
    });

    it('forgets one call, and lets its entry be read and written', async () => {
      let calls = 0;
      const wrapped = cacheOps.wrap((id: number) => ({ id, n: ++calls }), { key: 'one' });
      await wrapped(1);
      await wrapped(2);
      await wrapped.invalidate(1);
      expect([(await wrapped(1)).n, (await wrapped(2)).n]).toEqual([3, 2]);
      const entry = wrapped.key(1);
      expect(await entry.get()).toEqual({ id: 1, n: 3 });
      await entry.set({ id: 1, n: 9 });
      expect(await wrapped(1)).toEqual({ id: 1, n: 9 });
      await entry.delete();
      expect(await entry.get()).toBeUndefined();
    });

    it('takes dependencies and tags from the arguments, and keeps this', async () => {
      const host = {
        n: 1,
        read: cacheOps.wrap(
          async function read(this: unknown, id: number) {
            return (this as { n: number }).n + id;
          },
          { deps: (id) => [dep(Article, { categoryId: id })], tags: (id) => [`c${id}`], ttl: '1m' },
        ),
      };
      expect([await host.read(1), await host.read(2)]).toEqual([2, 3]);
      host.n = 10;
      await cacheOps.invalidate(dep(Article, { categoryId: 1 }));
      expect([await host.read(1), await host.read(2)]).toEqual([11, 3]);
      await cacheOps.invalidate('c2');
      expect(await host.read(2)).toBe(12);
    });

    it('asks for a key where a name would not do', () => {
      function twice() {
        return 1;
      }
      cacheOps.wrap(twice);
      expect(() => cacheOps.wrap(twice)).toThrow(/wrap.key.*named twice is wrapped already/);
      expect(() =>
        cacheOps.wrap(
          (
            () => () =>
              1
          )(),
        ),
      ).toThrow(/the function has no name/);
      expect(cacheOps.wrap(twice, { key: 'other' }).key().key).toBe('other()');
    });

    it('refuses arguments that make no key', () => {
      const wrapped = cacheOps.wrap((_: unknown) => 1, { key: 'f' });
      expect(() => wrapped(new (class Money {})())).toThrow(expect.objectContaining({ path: 'args[0]' }));
      const byId = cacheOps.wrap((user: Article) => user.id, { key: (user) => `u${user.id}` });
      expect(byId.key(Object.assign(new Article(), { id: 4 })).key).toBe('u4');
    });
  });

  describe('switches', () => {
    it('withoutCache reads the source, stores nothing, and follows the call only', async () => {
      await cacheOps.set('k', 'old');
      const inside = await cacheOps.withoutCache(async () => {
        await new Promise(setImmediate);
        return [await cacheOps.get('k'), await cacheOps.getOrSet('k', () => 'fresh')];
      });
      expect(inside).toEqual([undefined, 'fresh']);
      expect(await cacheOps.get('k')).toBe('old');
    });

    it('set inside withoutCache only removes the old value', async () => {
      await cacheOps.set('k', 'old');
      await cacheOps.withoutCache(() => cacheOps.set('k', 'new'));
      expect(await cacheOps.get('k')).toBeUndefined();
    });
  });

  describe('explain', () => {
    it('tells of a key what is stored and what became of its tokens', async () => {
      expect(await cacheOps.explain('k')).toEqual({ key: 'k', stored: false });
      await cacheOps.set('k', 'value', { tags: ['a', 'b'] });
      const stored = await cacheOps.explain('k');
      expect(stored).toMatchObject({
        key: 'k',
        stored: true,
        fresh: true,
        createdAt: expect.any(Date),
        bytes: expect.any(Number),
      });
      expect(stored.tokens).toEqual(
        ['*', 'g:a', 'g:b', 'k:k'].map((token) => ({ token, state: 'unchanged' })),
      );
      await cacheOps.invalidate('a');
      await cacheOps.set('other', 1, { tags: ['b'] });
      const stale = await cacheOps.explain('k');
      expect(stale.stored).toBe(false);
      expect(stale.tokens).toContainEqual({ token: 'g:a', state: 'missing' });
      await cacheOps.set('third', 1, { tags: ['a'] });
      expect((await cacheOps.explain('k')).tokens).toContainEqual({ token: 'g:a', state: 'changed' });
    });

    it('tells of a query whether, under what and until when it is cached', async () => {
      await dataSource.manager.insert(Category, { name: 'c' });
      const query = () =>
        dataSource
          .getRepository(Article)
          .createQueryBuilder('a')
          .select(['a.id', 'a.title'])
          .where('a.categoryId = :id', { id: 1 })
          .cache(true);
      const before = await cacheOps.explain(query());
      expect(before).toMatchObject({ cacheable: true, stored: false, ttl: 3_600_000, automatic: [] });
      expect(before.sql).toMatch(/^SELECT/);
      expect(before.tokens).toContain('t:{article}');
      expect(before.invalidatedBy).toEqual([
        'INSERT or DELETE of a row of article with categoryId = 1; UPDATE of such a row that sets any of categoryId, id, title',
      ]);
      await query().getMany();
      expect((await cacheOps.explain(query())).stored).toBe(true);
      await dataSource.manager.insert(Article, {
        title: 't',
        categoryId: 1,
        address: { city: '', street: '' },
      });
      expect((await cacheOps.explain(query())).stored).toBe(false);
    });

    it('tells why a query is not cached', async () => {
      const query = dataSource
        .getRepository(Article)
        .createQueryBuilder('a')
        .where('RANDOM() < 1')
        .cache(true);
      expect(await cacheOps.explain(query)).toMatchObject({
        cacheable: false,
        reason: expect.stringMatching(/random/i),
      });
    });

    it('refuses what is neither', async () => {
      await expect(cacheOps.explain({})).rejects.toThrow(
        /a query builder of an observed DataSource, or a key/,
      );
    });
  });

  it('refuses keys that are none', async () => {
    for (const call of [
      () => cacheOps.get(''),
      () => cacheOps.getOrSet(1 as never, () => 1),
      () => cacheOps.delete(undefined as never),
    ]) {
      await expect(call()).rejects.toThrow(/key: expected a text that is not empty/);
    }
  });

  it('shows events to those who listen, and counts for all', async () => {
    const { invalidations } = cacheOps.stats();
    const events: CacheEvent['type'][] = [];
    const subscription = cacheOps.events$.subscribe((event) => events.push(event.type));
    await cacheOps.getOrSet('k', () => 1, { tags: ['t'] });
    await cacheOps.getOrSet('k', () => 1, { tags: ['t'] });
    await cacheOps.invalidate('t');
    subscription.unsubscribe();
    await cacheOps.invalidate('t');
    expect(events).toEqual(['miss', 'store', 'hit', 'invalidate']);
    expect(cacheOps.stats()).toMatchObject({ hits: 1, misses: 1, stores: 1, errors: 0 });
    expect(cacheOps.stats().invalidations - invalidations).toBe(2);
  });
});

describe('a prefix that is a function', () => {
  let tenant: string | undefined;
  const prefix = (): string => {
    if (tenant === undefined) throw new Error('no tenant');
    return tenant;
  };
  const startTenants = async () => {
    const options = { prefix, logger: new KeptLog(), entities: { '*': { ops: 'all' } } } as const;
    const app = await start({ imports: [sqlite(), CacheOpsModule.forRoot(options)] });
    return { cacheOps: app.get(CacheOpsService), manager: app.get(DataSource).manager };
  };

  it('keeps the entries of tenants apart', async () => {
    const { cacheOps, manager } = await startTenants();
    for (tenant of ['a', 'b']) {
      await cacheOps.set('k', tenant);
      await manager.count(Article);
    }
    expect(cacheOps.stats()).toMatchObject({ hits: 0, stores: 4 });
    for (tenant of ['a', 'b']) expect(await cacheOps.get('k')).toBe(tenant);
    await cacheOps.delete('k');
    expect(await cacheOps.get('k')).toBeUndefined();
    tenant = 'a';
    expect(await cacheOps.get('k')).toBe('a');
  });

  it('makes entries of all tenants stale with one write', async () => {
    const { manager } = await startTenants();
    for (tenant of ['a', 'b']) expect(await manager.count(Category)).toBe(0);
    await manager.save(Category, { name: 'n' });
    for (tenant of ['a', 'b']) expect(await manager.count(Category)).toBe(1);
  });

  it('reads from the source and stores nothing where it fails', async () => {
    const { cacheOps, manager } = await startTenants();
    tenant = undefined;
    expect([await cacheOps.getOrSet('k', () => 1), await cacheOps.getOrSet('k', () => 2)]).toEqual([1, 2]);
    await cacheOps.set('k', 3);
    expect(await cacheOps.get('k')).toBeUndefined();
    expect(await manager.count(Category)).toBe(0);
    expect(cacheOps.stats()).toMatchObject({ hits: 0, stores: 0 });
    expect(cacheOps.stats().errors).toBeGreaterThan(0);
  });
});
