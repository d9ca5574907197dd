import type { EntityTarget, ObjectLiteral, Repository } from 'typeorm';
import { CacheOpsConfigError, MergeConflictError, RecordModifiedError } from '../../lib/index.js';
import { saveMerged } from '../../lib/typeorm/index.js';
import { cachedSource, type CachedSource } from '../support/cached-data-source.js';
import { DATABASES } from '../support/databases.js';
import { Comment, Embedding, Odd, Post, Stock, Tag, VERSIONED } from './entities.js';

async function failure(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => new Error('it was saved'),
    (reason: unknown) => reason,
  );
}

describe.each(DATABASES)('saveMerged on %s', (kind) => {
  let source: CachedSource;
  const repo = <T extends ObjectLiteral>(entity: EntityTarget<T>): Repository<T> =>
    source.dataSource.getRepository(entity);
  const row = (id: number): Promise<Post> =>
    repo(Post).findOneOrFail({ where: { id }, cache: false, withDeleted: true, relations: { tags: true } });

  /** A row, as two people have read it, and as it was then. */
  async function twoReaders(values: Partial<Post> = {}): Promise<{ mine: Post; theirs: Post; base: Post }> {
    const { id } = await repo(Post).save(repo(Post).create({ title: 'title', body: 'body', ...values }));
    const read = (): Promise<Post> =>
      repo(Post).findOneOrFail({ where: { id }, relations: { tags: values.tags !== undefined } });
    return { mine: await read(), theirs: await read(), base: await read() };
  }

  beforeAll(async () => {
    source = await cachedSource(kind, { entities: VERSIONED, versioning: {} });
  });
  afterAll(() => source.close());

  it('saves what nobody else has changed, with as many statements as save()', async () => {
    const { mine, base } = await twoReaders();
    source.log.clear();
    mine.title = 'once';
    await repo(Post).save(mine);
    const plain = source.log.statements.length;
    source.log.clear();
    mine.title = 'twice';
    expect(await saveMerged(repo(Post), mine, { base })).toBe(mine);
    expect(source.log.statements.length).toBe(plain);
    expect(mine.version).toBe(3);
  });

  it('puts edits of different properties together, in the database and in memory', async () => {
    const { mine, theirs, base } = await twoReaders();
    theirs.title = 'their title';
    theirs.likes = 7;
    await repo(Post).save(theirs);
    mine.body = null;
    await saveMerged(repo(Post), mine, { base });
    const merged = { title: 'their title', likes: 7, body: null, version: 3 };
    expect(mine).toMatchObject(merged);
    expect(await row(mine.id)).toMatchObject(merged);
    // The merged entity is one that can be saved again.
    mine.title = 'later';
    await repo(Post).save(mine);
    expect(mine.version).toBe(4);
  });

  it('throws what both have changed, and leaves the entity and the row as they were', async () => {
    const { mine, theirs, base } = await twoReaders();
    await repo(Post).save(Object.assign(theirs, { title: 'theirs', likes: 3 }));
    Object.assign(mine, { title: 'mine', body: 'also mine' });
    const before = { ...mine };
    const error = (await failure(saveMerged(repo(Post), mine, { base }))) as MergeConflictError;
    expect(error).toBeInstanceOf(MergeConflictError);
    expect(error).toBeInstanceOf(RecordModifiedError);
    expect(error).toMatchObject({ code: 'RECORD_MODIFIED', entity: 'Post', expected: 1, actual: 2 });
    expect(error.message).toContain('both sides changed title');
    expect(error.conflicts).toEqual([{ path: 'title', base: 'title', mine: 'mine', theirs: 'theirs' }]);
    expect(error.theirs).toMatchObject({ title: 'theirs', version: 2 });
    expect(mine).toEqual(before);
    expect(await row(mine.id)).toMatchObject({ title: 'theirs', body: 'body', likes: 3, version: 2 });
  });

  it.each([
    ['mine', 'mine', { title: 'mine', body: 'mine' }],
    ['theirs', 'theirs', { title: 'theirs', body: 'theirs' }],
    [
      'a function of each',
      ({ path, mine, theirs }: { path: string; mine: unknown; theirs: unknown }) =>
        path === 'title' ? `${String(mine)} & ${String(theirs)}` : theirs,
      { title: 'mine & theirs', body: 'theirs' },
    ],
    [
      'a promise',
      async ({ path }: { path: string }) => (path === 'body' ? null : 'decided'),
      { title: 'decided', body: null },
    ],
  ] as const)('decides by %s', async (_name, resolve, expected) => {
    const { mine, theirs, base } = await twoReaders();
    await repo(Post).save(Object.assign(theirs, { title: 'theirs', body: 'theirs', likes: 1 }));
    Object.assign(mine, { title: 'mine', body: 'mine' });
    await saveMerged(repo(Post), mine, { base, resolve });
    expect(mine).toMatchObject({ ...expected, likes: 1, version: resolve === 'theirs' ? 2 : 3 });
    expect(await row(mine.id)).toMatchObject({ ...expected, likes: 1 });
  });

  it('throws what the resolver leaves undecided', async () => {
    const { mine, theirs, base } = await twoReaders();
    await repo(Post).save(Object.assign(theirs, { title: 'theirs', body: 'theirs' }));
    const edited = Object.assign(mine, { title: 'mine', body: 'mine' });
    const resolve = ({ path, mine: value }: { path: string; mine: unknown }) =>
      path === 'title' ? value : undefined;
    const error = (await failure(saveMerged(repo(Post), edited, { base, resolve }))) as MergeConflictError;
    expect(error.conflicts.map(({ path }) => path)).toEqual(['body']);
    expect(edited).toMatchObject({ title: 'mine', body: 'mine', version: 1 });
  });

  it('merges with a third edit that comes in between, from what it has merged already', async () => {
    const { mine, theirs, base } = await twoReaders();
    await repo(Post).save(Object.assign(theirs, { title: 'theirs' }));
    mine.title = 'mine';
    let asked = 0;
    const resolve = async (conflict: { mine: unknown }) => {
      if (asked++ === 0) await repo(Post).save(Object.assign(theirs, { likes: 9 }));
      return conflict.mine;
    };
    await saveMerged(repo(Post), mine, { base, resolve });
    expect(asked).toBe(1);
    expect(await row(mine.id)).toMatchObject({ title: 'mine', likes: 9, version: 4 });
  });

  it('gives up after its last try, with the entity as it was', async () => {
    const { mine, theirs, base } = await twoReaders();
    await repo(Post).save(Object.assign(theirs, { title: 'theirs' }));
    mine.title = 'mine';
    let edits = 0;
    const resolve = async (conflict: { mine: unknown }) => {
      await repo(Post).save(Object.assign(theirs, { title: `theirs ${++edits}` }));
      return conflict.mine;
    };
    const error = await failure(saveMerged(repo(Post), mine, { base, resolve, attempts: 3 }));
    expect(error).toBeInstanceOf(RecordModifiedError);
    expect(edits).toBe(2);
    expect(mine).toMatchObject({ title: 'mine', version: 1 });
  });

  it.each(['remove', 'softRemove'] as const)('does not bring back what was deleted (%s)', async (method) => {
    const { mine, theirs, base } = await twoReaders();
    await (method === 'remove' ? repo(Post).remove(theirs) : repo(Post).softRemove(theirs));
    mine.title = 'mine';
    const error = await failure(saveMerged(repo(Post), mine, { base, resolve: 'mine' }));
    expect(error).toBeInstanceOf(RecordModifiedError);
    expect(mine).toMatchObject({ title: 'mine', version: 1 });
    expect(await repo(Post).findOne({ where: { id: mine.id }, cache: false })).toBeNull();
  });

  it('without a base takes every difference for a conflict', async () => {
    const { mine, theirs } = await twoReaders();
    await repo(Post).save(Object.assign(theirs, { title: 'theirs' }));
    mine.body = 'mine';
    const error = (await failure(saveMerged(repo(Post), mine))) as MergeConflictError;
    expect(error.conflicts.map(({ path, base }) => [path, base])).toEqual([
      ['title', undefined],
      ['body', undefined],
    ]);
  });

  it('keeps both sides additions to and removals from a collection', async () => {
    const [a, b, c, d] = await repo(Tag).save(['a', 'b', 'c', 'd'].map((name) => ({ name })));
    const { mine, theirs, base } = await twoReaders({ tags: [a, b] as Tag[] });
    theirs.tags = [a, b, c] as Tag[];
    theirs.likes = 2;
    await repo(Post).save(theirs);
    mine.tags = [mine.tags.find(({ id }) => id === b?.id), d] as Tag[];
    mine.title = 'mine';
    await saveMerged(repo(Post), mine, { base });
    const names = ({ tags }: Post) => tags.map(({ name }) => name).sort();
    expect(names(await row(mine.id))).toEqual(['b', 'c', 'd']);
    expect(names(mine)).toEqual(['b', 'c', 'd']);
  });

  it('merges embedded properties, composite keys, and versions that are hidden and transformed', async () => {
    const embedding = await repo(Embedding).save({ name: 'n', meta: { note: 'n' } });
    const readEmbedding = () => repo(Embedding).findOneByOrFail({ id: embedding.id });
    const [mine, theirs, base] = [await readEmbedding(), await readEmbedding(), await readEmbedding()];
    theirs.name = 'theirs';
    await repo(Embedding).save(theirs);
    mine.meta.note = 'mine';
    await saveMerged(repo(Embedding), mine, { base });
    expect(mine).toMatchObject({ name: 'theirs', meta: { note: 'mine', version: 3 } });

    const key = { shop: 1, sku: 'x' };
    await repo(Stock).save({ ...key, amount: 5 });
    const [stock, other] = [await repo(Stock).findOneByOrFail(key), await repo(Stock).findOneByOrFail(key)];
    await repo(Stock).save(Object.assign(other, { amount: 6 }));
    stock.amount = 4;
    const resolve = (each: { base: unknown; mine: unknown; theirs: unknown }) =>
      Number(each.mine) + Number(each.theirs) - Number(each.base);
    await saveMerged(repo(Stock), stock, { base: { amount: 5 }, resolve });
    expect(stock).toMatchObject({ ...key, amount: 5, revision: 3 });

    const { id } = await repo(Odd).save({ name: 'n' });
    const read = () =>
      repo(Odd).findOneOrFail({ where: { id }, select: { id: true, name: true, version: true } });
    const [odd, otherOdd] = [await read(), await read()];
    await repo(Odd).save(Object.assign(otherOdd, { name: 'theirs' }));
    odd.name = 'mine';
    await saveMerged(repo(Odd), odd, { base: { name: 'n' }, resolve: 'mine' });
    expect(odd).toMatchObject({ name: 'mine', version: 'v3' });
  });

  it('does not merge rows that are saved by cascade: their conflicts are thrown', async () => {
    const post = await repo(Post).save(
      repo(Post).create({ title: 't', comments: [{ text: 'c' }] as Comment[] }),
    );
    const read = () => repo(Post).findOneOrFail({ where: { id: post.id }, relations: { comments: true } });
    const [mine, theirs, base] = [await read(), await read(), await read()];
    await repo(Comment).save(Object.assign(theirs.comments[0] as Comment, { text: 'theirs' }));
    (mine.comments[0] as Comment).text = 'mine';
    mine.title = 'mine';
    const error = (await failure(saveMerged(repo(Post), mine, { base }))) as RecordModifiedError;
    expect(error).not.toBeInstanceOf(MergeConflictError);
    expect(error.entity).toBe('Comment');
    expect(await row(post.id)).toMatchObject({ title: 't', version: 1 });
  });

  it('names a bad option', async () => {
    const { mine } = await twoReaders();
    await expect(saveMerged(repo(Post), mine, { attempts: 0 })).rejects.toThrow(CacheOpsConfigError);
    await expect(saveMerged(repo(Post), mine, { solve: 'mine' } as object)).rejects.toThrow(/resolve/);
  });

  // sql.js has one connection: nobody else can write while a transaction is open.
  if (kind === 'sqlite') return;
  it('merges inside a transaction, in a savepoint, under whatever level the database reads by default', async () => {
    const { mine, theirs, base } = await twoReaders();
    await source.dataSource.transaction(async (manager) => {
      await manager.save(Tag, { name: 'of the outer transaction' });
      // A snapshot, where the level has one.
      await manager.findOneByOrFail(Post, { id: mine.id });
      await repo(Post).save(Object.assign(theirs, { title: 'theirs' }));
      mine.body = 'mine';
      await saveMerged(manager, mine, { base });
    });
    expect(await row(mine.id)).toMatchObject({ title: 'theirs', body: 'mine', version: 3 });
    expect(await repo(Tag).existsBy({ name: 'of the outer transaction' })).toBe(true);
  });
});

describe.each(DATABASES)('saveMerged on %s, with entities kept as they were loaded', (kind) => {
  it('needs no base, also for entities from the cache', async () => {
    const source = await cachedSource(kind, { entities: VERSIONED, versioning: { base: true } });
    try {
      const posts = source.dataSource.getRepository(Post);
      const { id } = await posts.save({ title: 'title', body: 'body' });
      const mine = await posts.findOneByOrFail({ id });
      const cached = await posts.findOneByOrFail({ id });
      expect(source.events.at(-1)).toMatchObject({ type: 'hit' });
      await posts.save(Object.assign(await posts.findOneByOrFail({ id }), { title: 'theirs' }));
      for (const [copy, likes] of [
        [mine, 1],
        [cached, 1],
      ] as const) {
        await saveMerged(posts, Object.assign(copy, { body: 'mine', likes }));
        expect(copy).toMatchObject({ title: 'theirs', body: 'mine' });
      }
    } finally {
      await source.close();
    }
  });
});
