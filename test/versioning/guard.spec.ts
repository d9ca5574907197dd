import type { ObjectLiteral, RemoveOptions, SaveOptions } from 'typeorm';
import type { CachedSource } from '../support/cached-data-source.js';
import { DATABASES } from '../support/databases.js';
import {
  Chapter,
  Comment,
  Content,
  Country,
  Embedding,
  Folder,
  Odd,
  Page,
  Photo,
  Post,
  Stock,
  Ticket,
  Video,
} from './entities.js';
import { guardedSource, refusal, shorthand } from './support.js';

describe.each(DATABASES)('the guard on %s', (kind) => {
  let source: CachedSource;
  const { repo, copies, row: rowOf } = shorthand(() => source);
  const post = (title = 'first'): Promise<Post> => repo(Post).save(repo(Post).create({ title }));
  const row = (id: number): Promise<Post> => rowOf(Post, { id });

  beforeAll(async () => {
    source = await guardedSource(kind);
  });
  afterAll(() => source.close());

  it('CC-001: a save increments the version, in memory and in the database', async () => {
    const saved = await post();
    expect(saved.version).toBe(1);
    saved.title = 'second';
    await repo(Post).save(saved);
    expect(saved.version).toBe(2);
    expect((await row(saved.id)).version).toBe(2);
  });

  it('CC-002: a stale save is refused, tells all versions, and writes nothing', async () => {
    const { id } = await post();
    const [theirs, mine] = await copies(Post, { id });
    theirs.title = 'theirs';
    await repo(Post).save(theirs);
    mine.title = 'mine';
    const before = { ...mine };
    const error = await refusal(repo(Post).save(mine));
    expect(error).toMatchObject({
      code: 'RECORD_MODIFIED',
      entity: 'Post',
      id,
      operation: 'save',
      kind: 'modified',
      expected: 1,
      actual: 2,
      retryable: true,
    });
    expect(error.mine).toBe(mine);
    expect(error.theirs).toBeInstanceOf(Post);
    expect(error.theirs).toMatchObject({ title: 'theirs', version: 2 });
    expect(mine).toEqual(before);
    expect(await row(id)).toMatchObject({ title: 'theirs', version: 2 });
  });

  it('a stale entity that was not changed is refused too', async () => {
    const { id } = await post();
    const [theirs, mine] = await copies(Post, { id });
    await repo(Post).save(Object.assign(theirs, { title: 'theirs' }));
    expect((await refusal(repo(Post).save(mine))).actual).toBe(2);
  });

  it('a version as text is a version, and does not make an edit of its own', async () => {
    const { id } = await post();
    const form = { id, title: 'from a form', version: '1' as unknown as number };
    expect(await repo(Post).save({ ...form })).toMatchObject({ version: 2 });
    await repo(Post).save({ id, title: 'from a form', version: '2' as unknown as number });
    expect((await row(id)).version).toBe(2);
    expect((await refusal(repo(Post).save({ ...form, title: 'late' }))).expected).toBe(1);
    expect((await refusal(repo(Post).save({ ...form, version: 'x' as unknown as number }))).kind).toBe(
      'missing-version',
    );
  });

  it('CC-004: without a version it is refused', async () => {
    const { id } = await post();
    const error = await refusal(repo(Post).save({ id, title: 'blind' }));
    expect(error).toMatchObject({ kind: 'missing-version', retryable: false, expected: undefined });
    const partial = await repo(Post).findOneOrFail({ select: { id: true, title: true }, where: { id } });
    partial.title = 'partial';
    expect((await refusal(repo(Post).save(partial))).kind).toBe('missing-version');
    expect((await row(id)).title).toBe('first');
  });

  it('CC-X04: a stale remove, and one of a row that is gone', async () => {
    const { id } = await post();
    const [theirs, mine] = await copies(Post, { id });
    await repo(Post).save(Object.assign(theirs, { title: 'theirs' }));
    const error = await refusal(repo(Post).remove(mine));
    expect(error).toMatchObject({ operation: 'remove', kind: 'modified', expected: 1, actual: 2 });
    expect(mine.id).toBe(id);
    const [again, late] = await copies(Post, { id });
    await repo(Post).remove(again);
    expect(again.id).toBeUndefined();
    expect(await refusal(repo(Post).remove(late))).toMatchObject({
      kind: 'deleted',
      theirs: null,
      actual: undefined,
    });
    expect(late.id).toBe(id);
  });

  it('several rows in one DELETE: all or none', async () => {
    const posts = [await post('a'), await post('b'), await post('c')];
    const stale = await repo(Post).findOneByOrFail({ id: posts[1]!.id });
    await repo(Post).save(Object.assign(posts[1]!, { title: 'b2' }));
    const error = await refusal(repo(Post).remove([posts[0]!, stale, posts[2]!]));
    expect(error).toMatchObject({ id: stale.id, kind: 'modified', expected: 1, actual: 2 });
    expect(posts.map(({ id }) => typeof id)).toEqual(['number', 'number', 'number']);
    await repo(Post).delete({ id: posts[2]!.id });
    expect(await refusal(repo(Post).remove([...posts]))).toMatchObject({ id: posts[2]!.id, kind: 'deleted' });
    await repo(Post).remove([posts[0]!, posts[1]!, posts[0]!]);
    expect(posts[0]!.id).toBeUndefined();
  });

  it('a stale softRemove and recover; a row that is gone; one that is removed already', async () => {
    const { id } = await post();
    const [theirs, mine] = await copies(Post, { id });
    await repo(Post).softRemove(theirs);
    expect(theirs).toMatchObject({ version: 2 });
    expect(theirs.deletedAt).toBeInstanceOf(Date);
    expect(await refusal(repo(Post).softRemove(mine))).toMatchObject({ operation: 'softRemove', actual: 2 });
    expect(mine).toMatchObject({ version: 1, deletedAt: null });
    const removed = await row(id);
    await repo(Post).softRemove(removed);
    expect((await row(id)).version).toBe(2);
    const late = await row(id);
    await repo(Post).recover(theirs);
    expect(theirs).toMatchObject({ version: 3, deletedAt: null });
    expect(await refusal(repo(Post).recover(late))).toMatchObject({ operation: 'recover', actual: 3 });
    await repo(Post).delete({ id });
    expect(await refusal(repo(Post).softRemove(theirs))).toMatchObject({
      operation: 'softRemove',
      kind: 'deleted',
    });
    expect(await refusal(repo(Post).recover(late))).toMatchObject({ operation: 'recover', kind: 'deleted' });
  });

  it.each([
    ['a generated number', Post, { title: 'x' }, { title: 'y' }],
    ['a generated uuid', Ticket, { subject: 'x' }, { subject: 'y' }],
    ['a natural key', Country, { code: 'NL', name: 'x' }, { name: 'y' }],
  ] as const)(
    'a row that was deleted is not brought back to life: %s',
    async (_name, entity, values, edit) => {
      const repository = repo<ObjectLiteral>(entity);
      const saved = await repository.save(repository.create(values));
      const count = await repository.count({ cache: false });
      const id = repository.metadata.getEntityIdMap(saved)!;
      await repository.delete(id);
      const error = await refusal(repository.save(Object.assign(saved, edit)));
      expect(error).toMatchObject({ operation: 'save', kind: 'deleted', theirs: null, expected: 1 });
      expect(await repository.count({ cache: false })).toBe(count - 1);
    },
  );

  it('CC-009: a new entity is inserted, whatever key it brings, and begins at 1', async () => {
    const country = await repo(Country).save({ code: 'BE', name: 'Belgium' });
    expect(country.version).toBe(1);
    const initialised = await repo(Country).save({ code: 'LU', name: 'Luxembourg', version: 0 });
    expect(initialised.version).toBe(1);
    const fake = await repo(Post).save({ title: 'new', version: 7 });
    expect([fake.version, (await row(fake.id)).version]).toEqual([1, 1]);
    const reloaded = await repo(Post).save(repo(Post).create({ title: 'no reload' }), { reload: false });
    expect(reloaded.version).toBe(1);
  });

  it('a stale child takes back its parent', async () => {
    const parent = await repo(Post).save(
      repo(Post).create({ title: 'parent', comments: [{ text: 'a' }, { text: 'b' }] as Comment[] }),
    );
    const load = () => repo(Post).findOneOrFail({ where: { id: parent.id }, relations: { comments: true } });
    const mine = await load();
    const child = mine.comments[0]!;
    await repo(Comment).update({ id: child.id }, { text: 'theirs' });
    mine.title = 'mine';
    const [otherChild] = mine.comments.slice(1);
    otherChild!.text = 'mine too';
    child.text = 'mine';
    mine.comments.push(repo(Comment).create({ text: 'new' }));
    const before = structuredClone({ ...mine, comments: mine.comments.map((each) => ({ ...each })) });
    const error = await refusal(repo(Post).save(mine));
    expect(error).toMatchObject({ entity: 'Comment', id: child.id, expected: 1, actual: 2 });
    expect(error.mine).toBe(child);
    expect({ ...mine, comments: mine.comments.map((each) => ({ ...each })) }).toEqual(before);
    expect(await row(parent.id)).toMatchObject({ title: 'parent', version: 1 });
    const now = await load();
    expect(now.comments.map(({ text }) => text).sort()).toEqual(['b', 'theirs']);
  });

  it.each([
    ['listeners: false', { listeners: false }],
    ['transaction: false', { transaction: false }],
    ['reload: false', { reload: false }],
    ['all of them', { listeners: false, transaction: false, reload: false }],
  ] as [string, SaveOptions & RemoveOptions][])('%s', async (_name, options) => {
    const { id } = await post();
    const [theirs, mine] = await copies(Post, { id });
    await repo(Post).save(Object.assign(theirs, { title: 'theirs' }), options);
    expect(theirs.version).toBe(2);
    await repo(Post).save(Object.assign(theirs, { title: 'again' }), options);
    expect(theirs.version).toBe(3);
    expect(await refusal(repo(Post).save(Object.assign(mine, { title: 'mine' }), options))).toMatchObject({
      expected: 1,
      actual: 3,
    });
    expect(mine.version).toBe(1);
    expect(await row(id)).toMatchObject({ title: 'again', version: 3 });
    expect((await refusal(repo(Post).remove(mine, options))).operation).toBe('remove');
    expect((await refusal(repo(Post).softRemove(mine, options))).operation).toBe('softRemove');
  });

  it('arrays and chunks: what was written to earlier entities is taken back', async () => {
    const posts = [await post('a'), await post('b'), await post('c')];
    const stale = await repo(Post).findOneByOrFail({ id: posts[2]!.id });
    await repo(Post).save(Object.assign(posts[2]!, { title: 'c2' }));
    for (const options of [{}, { chunk: 1 }]) {
      const mine = [posts[0]!, posts[1]!, repo(Post).create({ title: 'new' }), stale];
      mine.forEach((each) => (each.title += '!'));
      const before = mine.map((each) => ({ ...each }));
      const error = await refusal(repo(Post).save(mine, options));
      expect(error).toMatchObject({ id: stale.id, expected: 1, actual: 2 });
      expect(mine.map((each) => ({ ...each }))).toEqual(before);
      expect(await row(posts[0]!.id)).toMatchObject({ title: 'a', version: 1 });
    }
    const good = posts.slice(0, 2);
    await repo(Post).save(good, { chunk: 1 });
    expect(good.map(({ version }) => version)).toEqual([2, 2]);
  });

  it('the same row twice in one save', async () => {
    const { id } = await post();
    const [one, two] = await copies(Post, { id });
    one.title = 'one';
    two.body = 'two';
    await repo(Post).save([one, two]);
    expect(await row(id)).toMatchObject({ version: 3 });
    const [mine, theirs] = await copies(Post, { id });
    await repo(Post).save(Object.assign(theirs, { title: 'theirs' }));
    expect(
      (await refusal(repo(Post).save([theirs, mine].map((each) => Object.assign(each, { body: 'x' })))))
        .expected,
    ).toBe(3);
    mine.title = 'same object';
    theirs.title = 'same object';
    await repo(Post).save([theirs, theirs]);
  });

  it('composite key and columns with names of their own', async () => {
    await repo(Stock).save({ shop: 1, sku: 'a', amount: 1 });
    await repo(Stock).save({ shop: 1, sku: 'b', amount: 1 });
    const [theirs, mine] = await copies(Stock, { shop: 1, sku: 'a' });
    await repo(Stock).save(Object.assign(theirs, { amount: 2 }));
    const error = await refusal(repo(Stock).save(Object.assign(mine, { amount: 3 })));
    expect(error).toMatchObject({ id: { shop: 1, sku: 'a' }, expected: 1, actual: 2, theirs: { amount: 2 } });
    expect((await refusal(repo(Stock).remove(mine))).id).toEqual({ shop: 1, sku: 'a' });
    await repo(Stock).remove(await repo(Stock).find());
    expect(await repo(Stock).count()).toBe(0);
  });

  it('a version in an embedded object', async () => {
    const { id } = await repo(Embedding).save({ name: 'a', meta: { note: 'n' } });
    const [theirs, mine] = await copies(Embedding, { id });
    expect(mine.meta.version).toBe(1);
    await repo(Embedding).save(Object.assign(theirs, { name: 'theirs' }));
    expect(theirs.meta).toMatchObject({ version: 2, note: 'n' });
    mine.meta.note = 'mine';
    expect(await refusal(repo(Embedding).save(mine))).toMatchObject({ expected: 1, actual: 2 });
    expect(mine.meta).toMatchObject({ version: 1, note: 'mine' });
    expect((await refusal(repo(Embedding).remove(mine))).actual).toBe(2);
    await repo(Embedding).save(Object.assign(theirs, { name: 'no reload' }), { reload: false });
    expect(theirs.meta).toMatchObject({ version: 3, note: 'n' });
    await repo(Embedding).remove(theirs);
  });

  it('single table inheritance, through the child and through the parent', async () => {
    const { id } = await repo(Photo).save({ title: 'photo', size: 1 });
    await repo(Video).save({ title: 'video', seconds: 1 });
    const theirs = await repo(Photo).findOneByOrFail({ id });
    const mine = (await repo(Content).findOneByOrFail({ id })) as Photo;
    expect(mine).toBeInstanceOf(Photo);
    await repo(Photo).save(Object.assign(theirs, { size: 2 }));
    const error = await refusal(repo(Content).save(Object.assign(mine, { size: 3 })));
    expect(error).toMatchObject({ entity: 'Photo', expected: 1, actual: 2, theirs: { size: 2 } });
    expect((await refusal(repo(Content).remove(mine))).entity).toBe('Photo');
  });

  it.each([
    ['a closure table', Folder],
    ['a materialized path', Page],
    ['nested sets', Chapter],
  ] as const)('trees: %s', async (_name, entity) => {
    const trees = source.dataSource.getTreeRepository<Folder | Page | Chapter>(entity);
    const node = async (name: string, parent?: Folder | Page | Chapter) =>
      trees.save(trees.create({ name, ...(parent && { parent: parent as never }) }));
    const path = async (of: Folder | Page | Chapter) => {
      // Nested sets number all nodes anew, behind the back of entities.
      const now = await trees.findOneOrFail({ where: { id: of.id }, cache: false });
      return (await trees.findAncestors(now as never)).map(({ name }) => name).sort();
    };
    const root = await node('root');
    const [left, right] = [await node('left', root), await node('right', root)];
    const child = await node('child', left);
    const stale = await trees.findOneByOrFail({ id: child.id });
    child.name = 'theirs';
    await trees.save(child);
    expect(child.version).toBe(2);
    stale.parent = right;
    expect(await refusal(trees.save(stale))).toMatchObject({ id: child.id, expected: 1, actual: 2 });
    expect(await path(child)).toEqual(['left', 'root', 'theirs']);
    child.parent = right;
    await trees.save(child);
    expect(await path(child)).toEqual(['right', 'root', 'theirs']);
    expect(await rowOf<Folder | Page | Chapter>(entity, { id: child.id })).toMatchObject({ version: 3 });
    expect((await refusal(trees.remove(stale as never))).kind).toBe('modified');
    expect(await path(child)).toEqual(['right', 'root', 'theirs']);
    await trees.remove(child as never);
    expect(await trees.findOne({ where: { id: stale.id }, cache: false })).toBeNull();
  });

  it('a version with a transformer, that is not selected by itself', async () => {
    const saved = await repo(Odd).save({ name: 'a' });
    expect(saved.version).toBe('v1');
    const load = () =>
      repo(Odd).createQueryBuilder('odd').addSelect('odd.version').where({ id: saved.id }).getOneOrFail();
    const [theirs, mine] = [await load(), await load()];
    expect(mine.version).toBe('v1');
    await repo(Odd).save(Object.assign(theirs, { name: 'theirs' }));
    expect(theirs.version).toBe('v2');
    expect(await refusal(repo(Odd).save(Object.assign(mine, { name: 'mine' })))).toMatchObject({
      expected: 'v1',
      actual: 'v2',
      theirs: { name: 'theirs' },
    });
    const bare = await repo(Odd).findOneByOrFail({ id: saved.id });
    expect((await refusal(repo(Odd).save(Object.assign(bare, { name: 'x' })))).kind).toBe('missing-version');
    await repo(Odd).remove(theirs);
  });
});
