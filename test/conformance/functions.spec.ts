import { In } from 'typeorm';
import { dep } from '../../lib/index.js';
import { DATABASES } from '../support/databases.js';
import { type App, openApp } from './app.js';
import { Category, Post } from './entities/blog.js';

describe.each(DATABASES)('cacheops DecoratorTests, SignalsTests and NoInvalidationTests on %s', (kind) => {
  let app: App;
  let calls: number;
  let names = 0;
  /** Counts its calls, and answers with the count. */
  const counted = () => ++calls;
  const name = () => `f${++names}`;
  const category = (title: string) => app.repo(Category).save(app.repo(Category).create({ title }));
  const rename = (id: number, title: string) => app.repo(Category).save({ id, title });
  const q = (work: () => Promise<unknown>) => app.log.readsDuring(work);

  beforeAll(async () => {
    app = await openApp(kind);
  });
  afterAll(() => app.close());
  beforeEach(async () => {
    calls = 0;
    await app.repo(Post).createQueryBuilder().delete().execute();
    await app.repo(Category).createQueryBuilder().delete().execute();
    await app.cacheOps.invalidateAll();
    app.events.length = 0;
  });

  it('CO-025 cached as an entity: any row of it', async () => {
    const f = app.cacheOps.wrap(counted, { key: name(), deps: [Category] });
    expect([await f(), await f()]).toEqual([1, 1]);
    await category('miss');
    expect([await f(), await f()]).toEqual([2, 2]);
  });

  it('CO-026 cached as a condition', async () => {
    const f = app.cacheOps.wrap(counted, { key: name(), deps: [dep(Category, { title: 'test' })] });
    await f();
    await category('miss');
    expect(await f()).toBe(1);
    await category('test');
    expect(await f()).toBe(2);
  });

  it('CO-027 cached as an object', async () => {
    const one = await category('one');
    const f = app.cacheOps.wrap(counted, { key: name(), deps: [one] });
    await f();
    await category('other');
    expect(await f()).toBe(1);
    await rename(one.id, 'renamed');
    expect(await f()).toBe(2);
  });

  it('CO-028 cached as: depends on the arguments', async () => {
    const f = app.cacheOps.wrap((_: number) => counted(), { key: name(), deps: [Category] });
    expect([await f(1), await f(1), await f(2)]).toEqual([1, 1, 2]);
  });

  it('CO-029 cached as: depends on two entities', async () => {
    const { id } = await category('one');
    const f = app.cacheOps.wrap(counted, { key: name(), deps: [Category, Post] });
    expect(await f()).toBe(1);
    await rename(id, 'renamed');
    expect(await f()).toBe(2);
    await app.repo(Post).save({ title: 'p', categoryId: id });
    expect(await f()).toBe(3);
  });

  it('CO-030 keep fresh: invalidated while it runs, the result is returned and not kept', async () => {
    const f = app.cacheOps.wrap(
      async () => {
        const call = counted();
        if (call === 1) await category('during');
        return call;
      },
      { key: name(), deps: [Category] },
    );
    expect([await f(), await f(), await f()]).toEqual([1, 2, 2]);
  });

  it('CO-121 signals of a query: a miss, then a hit, one of each', async () => {
    const list = () => app.repo(Category).findBy({ title: 'x' });
    await list();
    await list();
    const [miss, ...rest] = app.events.filter(({ type }) => type === 'hit' || type === 'miss');
    expect(miss).toMatchObject({ type: 'miss', label: 'Category.fetch' });
    expect(rest).toMatchObject([{ type: 'hit', label: 'Category.fetch' }]);
  });

  it('CO-122 signals of an empty condition: one', async () => {
    await app.repo(Category).findBy({ id: In([]) });
    expect(app.events.filter(({ type }) => type === 'hit' || type === 'miss')).toMatchObject([
      { type: 'miss' },
    ]);
  });

  it('CO-123 signals of a function', async () => {
    const key = name();
    const f = app.cacheOps.wrap(counted, { key, deps: [Category] });
    await f();
    await f();
    const told = app.events.filter(({ type }) => type === 'hit' || type === 'miss');
    expect(told.map(({ type }) => type)).toEqual(['miss', 'hit']);
    for (const event of told) expect('key' in event && event.key).toContain(key);
  });

  it('CO-124 signals of invalidations, in order', async () => {
    await app.cacheOps.invalidateAll();
    await app.cacheOps.invalidateModel(Post);
    await app.repo(Category).findBy({ title: 'x' });
    await category('x');
    const told = app.events.flatMap((event) => (event.type === 'invalidate' ? [event.tokens] : []));
    expect(told[0]).toEqual(['*']);
    expect(told[1]?.every((token) => token.startsWith('t:{post}'))).toBe(true);
    expect(told[2]?.every((token) => token.startsWith('t:{category}'))).toBe(true);
    expect(told).toHaveLength(3);
  });

  it('CO-125 lock: callers at the same time hold the identical value, the function ran once', async () => {
    let open: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => (open = resolve));
    const f = app.cacheOps.wrap(async () => (await gate, [counted(), Math.random()]), {
      key: name(),
      deps: [Category],
    });
    const callers = [f(), f(), f()];
    open();
    const [first, ...others] = await Promise.all(callers);
    for (const other of others) expect(other).toEqual(first);
    expect(calls).toBe(1);
  });

  describe('no invalidation', () => {
    let id: number;
    const get = () => app.repo(Category).findOneByOrFail({ id });
    beforeEach(async () => {
      ({ id } = await category('Django'));
      await get();
      expect(await q(get)).toBe(0);
    });

    it('CO-126 as a scope', async () => {
      await app.cacheOps.withoutInvalidation(() => rename(id, 'Flask'));
      await app.cacheOps.withoutInvalidation(() => app.cacheOps.invalidateModel(Category));
      expect(await q(get)).toBe(0);
      await rename(id, 'Bottle');
      expect(await q(get)).toBe(1);
    });

    it('CO-127 as a decorator: a function that is always silent', async () => {
      const silently = (title: string) => app.cacheOps.withoutInvalidation(() => rename(id, title));
      await silently('Flask');
      await silently('Bottle');
      expect(await q(get)).toBe(0);
    });

    it('CO-128 nested: the end of the inner scope does not end the outer', async () => {
      await app.cacheOps.withoutInvalidation(async () => {
        await app.cacheOps.withoutInvalidation(() => rename(id, 'Flask'));
        await rename(id, 'Bottle');
      });
      expect(await q(get)).toBe(0);
      await app.cacheOps.invalidateModel(Category);
      expect(await q(get)).toBe(1);
    });

    it('CO-128 scopes that overlap do not see each other', async () => {
      let open: () => void = () => undefined;
      const gate = new Promise<void>((resolve) => (open = resolve));
      const silent = app.cacheOps.withoutInvalidation(() => gate);
      await rename(id, 'Flask');
      expect(await q(get)).toBe(1);
      open();
      await silent;
    });

    it('CO-129 in a transaction: silent after the commit too', async () => {
      await app.dataSource.transaction((tx) =>
        app.cacheOps.withoutInvalidation(() => tx.save(Category, { id, title: 'Flask' })),
      );
      expect(await q(get)).toBe(0);
    });
  });

  it('CO-130 an argument that cannot be part of a key is an error that says which', async () => {
    const f = app.cacheOps.wrap((_: object) => counted(), { key: name(), deps: [Category] });
    await expect(f([1, { a: [2] }])).resolves.toBe(1);
    await expect(f([1, { a: [2] }])).resolves.toBe(1);
    await expect((async () => f(() => 0))()).rejects.toMatchObject({ code: 'SERIALIZATION' });
  });

  it('CO-134 simple cache', async () => {
    const f = app.cacheOps.wrap((_: number) => counted(), { key: name(), ttl: '1m' });
    expect([await f(1), await f(1), await f(2)]).toEqual([1, 1, 2]);
    await f.invalidate(2);
    expect(await f(2)).toBe(3);
    await f.key(2).delete();
    expect(await f(2)).toBe(4);
    await f.key(2).set(42);
    expect([await f(2), await f.key(2).get()]).toEqual([42, 42]);
    expect(calls).toBe(4);
  });
});
