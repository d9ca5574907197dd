import { In } from 'typeorm';
import { CacheOpsConfigError, withoutVersionCheck, withoutVersionIncrement } from '../../lib/index.js';
import { deleteVersioned, updateVersioned, verifyAtCommit } from '../../lib/typeorm/index.js';
import type { CachedSource } from '../support/cached-data-source.js';
import { DATABASES } from '../support/databases.js';
import { Comment, Country, Plain, Post, Stock, VERSIONED } from './entities.js';
import { guardedSource, refusal, shorthand } from './support.js';

describe.each(DATABASES)('other writes on %s', (kind) => {
  let source: CachedSource;
  const { repo, copies, row } = shorthand(() => source);
  const post = (title = 'first'): Promise<Post> => repo(Post).save(repo(Post).create({ title }));

  beforeAll(async () => {
    source = await guardedSource(kind);
  });
  afterAll(() => source.close());

  describe('criteria that name a row and its version', () => {
    it('update()', async () => {
      const { id } = await post();
      await repo(Post).update({ id, version: 1 }, { title: 'second' });
      const error = await refusal(repo(Post).update({ id, version: 1 }, { title: 'late' }));
      expect(error).toMatchObject({
        operation: 'update',
        id,
        expected: 1,
        actual: 2,
        mine: { title: 'late' },
      });
      await repo(Post).update({ id, version: '2' as unknown as number }, { title: 'third' });
      expect((await refusal(repo(Post).increment({ id, version: 1 }, 'likes', 1))).actual).toBe(3);
      await repo(Post).update({ id: 0 }, { title: 'nobody' });
      await repo(Post).update({ id: In([id]), version: 1 }, { title: 'any number of rows' });
      await repo(Post).update({ version: 99 }, { title: 'any number of rows' });
      expect((await refusal(repo(Post).update({ id: 0, version: 1 }, { title: 'x' }))).kind).toBe('deleted');
      expect(await row(Post, { id })).toMatchObject({ title: 'third', version: 3 });
    });

    it('delete(), softDelete() and restore()', async () => {
      const { id } = await post();
      await repo(Post).update({ id }, { title: 'second' });
      expect((await refusal(repo(Post).delete({ id, version: 1 }))).operation).toBe('delete');
      expect((await refusal(repo(Post).softDelete({ id, version: 1 }))).operation).toBe('softRemove');
      await repo(Post).softDelete({ id, version: 2 });
      expect((await refusal(repo(Post).restore({ id, version: 2 }))).operation).toBe('recover');
      await repo(Post).restore({ id, version: 3 });
      await repo(Post).delete({ id, version: 4 });
    });

    it('several: all or none', async () => {
      const [a, b] = [await post('a'), await post('b')];
      const rows = [
        { id: a.id, version: 1 },
        { id: b.id, version: 7 },
      ];
      const error = await refusal(
        source.dataSource.createQueryBuilder().update(Post).set({ body: 'x' }).where(rows).execute(),
      );
      expect(error).toMatchObject({ id: b.id, expected: 7, actual: 1 });
      expect((await refusal(repo(Post).delete(rows as never))).id).toBe(b.id);
      expect(await row(Post, { id: a.id })).toMatchObject({ body: null, version: 1 });
    });

    it('CC-010: a version among the values is not written; bulk updates increment', async () => {
      const [a, b] = [await post('a'), await post('b')];
      const values = { title: 'x', version: 50 };
      await repo(Post).update({ id: In([a.id, b.id]) }, values);
      expect(values.version).toBe(50);
      expect([(await row(Post, { id: a.id })).version, (await row(Post, { id: b.id })).version]).toEqual([
        2, 2,
      ]);
      await repo(Post).update({ id: a.id }, { version: () => '40 + 2' });
      expect((await row(Post, { id: a.id })).version).toBe(42);
    });
  });

  it('CC-007: upserts increment', async () => {
    await repo(Country).upsert({ code: 'FR', name: 'a', version: 9 }, ['code']);
    expect(await row(Country, { code: 'FR' })).toMatchObject({ name: 'a', version: 1 });
    await repo(Country).upsert({ code: 'FR', name: 'b', version: 9 }, ['code']);
    await repo(Country).upsert(
      [
        { code: 'FR', name: 'c' },
        { code: 'DE', name: 'd' },
      ],
      ['code'],
    );
    expect(await row(Country, { code: 'FR' })).toMatchObject({ name: 'c', version: 3 });
    await repo(Stock).upsert({ shop: 1, sku: 'x', amount: 1 }, ['shop', 'sku']);
    await repo(Stock).upsert({ shop: 1, sku: 'x', amount: 2 }, ['shop', 'sku']);
    expect(await row(Stock, { sku: 'x' })).toMatchObject({ amount: 2, revision: 2 });
  });

  it('updateVersioned and deleteVersioned', async () => {
    const { id } = await post();
    await updateVersioned(repo(Post), id, 1, { title: 'second' });
    expect(await refusal(updateVersioned(repo(Post), id, 1, { title: 'late' }))).toMatchObject({
      operation: 'update',
      expected: 1,
      actual: 2,
      mine: { title: 'late' },
    });
    expect((await refusal(deleteVersioned(repo(Post), id, 1))).operation).toBe('delete');
    await deleteVersioned(repo(Post), id, 2);
    expect((await refusal(deleteVersioned(repo(Post), id, 2))).kind).toBe('deleted');
    expect((await refusal(updateVersioned(repo(Post), id, NaN, {}))).kind).toBe('missing-version');
    await repo(Stock).save({ shop: 2, sku: 'y', amount: 1 });
    await updateVersioned(repo(Stock), { shop: 2, sku: 'y' }, 1, { amount: 2 });
    await expect(updateVersioned(repo(Plain), 1, 1, {})).rejects.toMatchObject({ code: 'UNKNOWN_ENTITY' });
  });

  it('work without the guard too', async () => {
    const plain = await guardedSource(kind, { versioning: undefined });
    try {
      const posts = plain.dataSource.getRepository(Post);
      const { id } = await posts.save({ title: 'first' });
      await updateVersioned(posts, id, 1, { title: 'second' });
      expect(await refusal(updateVersioned(posts, id, 1, { title: 'late' }))).toMatchObject({ actual: 2 });
      expect((await refusal(deleteVersioned(posts, id, 1))).theirs).toMatchObject({ title: 'second' });
    } finally {
      await plain.close();
    }
  });

  it('verifyAtCommit: what was only read must be as it was', async () => {
    const [read, written] = [await post('read'), await post('written')];
    const attempt = (meanwhile: () => Promise<unknown>) =>
      source.dataSource.transaction(async (manager) => {
        const mine = await manager.findOneByOrFail(Post, { id: read.id });
        verifyAtCommit(manager, [mine]);
        await meanwhile();
        await manager.update(Post, { id: written.id }, { title: 'changed' });
      });
    await attempt(() => Promise.resolve());
    expect((await row(Post, { id: written.id })).version).toBe(2);
    const error = await refusal(attempt(() => repo(Post).update({ id: read.id }, { title: 'theirs' })));
    expect(error).toMatchObject({ operation: 'verify', id: read.id, expected: 1, actual: 2 });
    // SQLite has one connection: the other client's edit was a part of the transaction.
    expect((await row(Post, { id: written.id })).version).toBe(2);
    expect(() => verifyAtCommit(source.dataSource.manager, read)).toThrow(CacheOpsConfigError);
  });

  describe('switches', () => {
    it('CC-017: withoutVersionCheck writes over, and never turns the version back', async () => {
      const { id } = await post();
      const [theirs, mine] = await copies(Post, { id });
      await repo(Post).save(Object.assign(theirs, { title: 'theirs' }));
      await withoutVersionCheck(() => repo(Post).save(Object.assign(mine, { title: 'mine' })));
      expect(await row(Post, { id })).toMatchObject({ title: 'mine', version: 3 });
      expect(mine.version).toBe(3);
      expect((await refusal(repo(Post).save(Object.assign(theirs, { title: 'late' })))).actual).toBe(3);
      await withoutVersionCheck(() => repo(Post).save({ id, title: 'blind' }));
      await withoutVersionCheck(() => repo(Post).remove(theirs));
    });

    it('CC-020: for one entity', async () => {
      const { id } = await post();
      const [theirs, mine] = await copies(Post, { id });
      await repo(Post).save(Object.assign(theirs, { title: 'theirs' }));
      mine.title = 'mine';
      expect((await refusal(withoutVersionCheck(Comment, () => repo(Post).save(mine)))).actual).toBe(2);
      await withoutVersionCheck(Post, () => repo(Post).save(mine));
    });

    it('CC-021 and CC-X01: for one object, and only inside', async () => {
      const { id } = await post();
      const [theirs, mine] = await copies(Post, { id });
      const other = await repo(Post).findOneByOrFail({ id });
      await repo(Post).save(Object.assign(theirs, { title: 'theirs' }));
      [mine, other].forEach((each) => (each.title = 'mine'));
      await withoutVersionCheck(mine, async () => {
        expect((await refusal(repo(Post).save(other))).expected).toBe(1);
        await repo(Post).save(mine);
      });
      mine.version = 1;
      expect((await refusal(repo(Post).save(Object.assign(mine, { title: 'again' })))).expected).toBe(1);
    });

    it('CC-092: an import brings its versions', async () => {
      const imported = await withoutVersionCheck(() =>
        repo(Country).save({ code: 'IT', name: 'a', version: 12 }),
      );
      expect([imported.version, (await row(Country, { code: 'IT' })).version]).toEqual([12, 12]);
    });

    it('CC-022 and CC-023: withoutVersionIncrement leaves versions as they are, and checks them', async () => {
      const saved = await post();
      await withoutVersionIncrement(Post, async () => {
        await repo(Post).save(Object.assign(saved, { title: 'quiet' }));
        await repo(Post).update({ id: saved.id }, { body: 'quiet' });
        expect((await refusal(repo(Post).save({ id: saved.id, title: 'x', version: 9 }))).expected).toBe(9);
      });
      expect(await row(Post, { id: saved.id })).toMatchObject({ title: 'quiet', body: 'quiet', version: 1 });
      await repo(Post).save(Object.assign(saved, { title: 'loud' }));
      expect(saved.version).toBe(2);
    });
  });

  it('missing: skip and entities that are left out', async () => {
    const lax = await guardedSource(kind, {
      versioning: {
        missing: 'skip',
        base: true,
        entities: { Country: false, 'Sto*': { missing: 'require' } },
      },
    });
    try {
      const posts = lax.dataSource.getRepository(Post);
      const { id } = await posts.save({ title: 'first' });
      await posts.save({ id, title: 'CC-003: without a version it is not checked' });
      const mine = await posts.findOneByOrFail({ id });
      await posts.save({ id, title: 'theirs', version: 2 });
      mine.title = 'mine';
      const error = await refusal(posts.save(mine));
      expect(error.base).toBeInstanceOf(Post);
      expect(error.base).toMatchObject({ title: 'CC-003: without a version it is not checked', version: 2 });
      const countries = lax.dataSource.getRepository(Country);
      await countries.save({ code: 'NL', name: 'a' });
      await countries.save({ code: 'NL', name: 'b', version: 77 });
      const stock = lax.dataSource.getRepository(Stock);
      await stock.save({ shop: 1, sku: 'a', amount: 1 });
      expect((await refusal(stock.save({ shop: 1, sku: 'a', amount: 2 }))).kind).toBe('missing-version');
    } finally {
      await lax.close();
    }
  });

  it("guard: 'listed' leaves entities alone that nobody has named", async () => {
    const listed = await guardedSource(kind, {
      versioning: { guard: 'listed', entities: { Country: true, 'St*': { missing: 'skip' } } },
    });
    try {
      const [posts, countries, stock] = [
        listed.dataSource.getRepository(Post),
        listed.dataSource.getRepository(Country),
        listed.dataSource.getRepository(Stock),
      ];
      const { id } = await posts.save({ title: 'first' });
      await posts.update({ id }, { title: 'theirs' });
      await posts.save({ id, title: 'not guarded', version: 1 });
      await countries.save({ code: 'NL', name: 'a' });
      await countries.update({ code: 'NL' }, { name: 'theirs' });
      expect((await refusal(countries.save({ code: 'NL', name: 'b', version: 1 }))).actual).toBe(2);
      await stock.save({ shop: 1, sku: 'a', amount: 1 });
      await stock.save({ shop: 1, sku: 'a', amount: 2 });
      expect((await refusal(stock.save({ shop: 1, sku: 'a', amount: 3, revision: 1 }))).actual).toBe(2);
    } finally {
      await listed.close();
    }
  });

  it('a conflict shows the row of the database, and what comes from the cache is guarded alike', async () => {
    const { id } = await post();
    const [first, hit] = await copies(Post, { id });
    const reads = await source.log.readsDuring(async () => void (await repo(Post).findOneByOrFail({ id })));
    expect(reads).toBe(0);
    await repo(Post).save(Object.assign(hit, { title: 'from the cache' }));
    const error = await refusal(repo(Post).save(Object.assign(first, { title: 'stale' })));
    expect(error.theirs).toMatchObject({ title: 'from the cache', version: 2 });
    const again = await repo(Post).findOneByOrFail({ id });
    await repo(Post).save(Object.assign(again, { title: 'retried' }));
    expect((await repo(Post).findOneByOrFail({ id })).version).toBe(3);
  });
});

it.each(DATABASES)('two DataSources on %s, one guarded', async (kind) => {
  const [guarded, plain] = [
    await guardedSource(kind),
    await guardedSource(kind, { versioning: undefined, entities: VERSIONED }),
  ];
  const stale = async (source: CachedSource): Promise<unknown> => {
    const posts = source.dataSource.getRepository(Post);
    const { id } = await posts.save({ title: 'first' });
    await posts.update({ id }, { title: 'theirs' });
    return posts.save({ id, title: 'mine', version: 1 });
  };
  await refusal(stale(guarded));
  expect(await stale(plain)).toMatchObject({ title: 'mine' });
  await Promise.all([guarded.close(), plain.close()]);
});
