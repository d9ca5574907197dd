import type { Repository } from 'typeorm';
import { RecordModifiedError, withoutVersionCheck } from '../../lib/index.js';
import { AskedVersion } from '../../lib/versioning/asked-versions.js';
import { cachedSource, type CachedSource } from '../support/cached-data-source.js';
import { DATABASES } from '../support/databases.js';
import { Post, Stock, VERSIONED } from './entities.js';

/** Runs under the condition that the row has this version. */
async function asking<T>(entity: never, id: unknown, version: number, work: () => Promise<T>): Promise<T> {
  const asked = new AskedVersion(entity, id, version);
  try {
    return await asked.run(work);
  } finally {
    asked.end();
  }
}

const POST = Post as never;

describe.each(DATABASES)('a version that was asked for, on %s', (kind) => {
  let source: CachedSource;
  let posts: Repository<Post>;

  const stored = (): Promise<Post> => posts.save(posts.create({ title: 'title' }));
  const version = async (id: number) =>
    (await posts.findOneOrFail({ where: { id }, cache: false, withDeleted: true })).version;
  const refused = expect.objectContaining({ code: 'RECORD_MODIFIED', expected: 1 });

  beforeAll(async () => {
    source = await cachedSource(kind, { entities: VERSIONED, versioning: {} });
    posts = source.dataSource.getRepository(Post);
  });
  afterAll(() => source.close());

  it.each<[string, (post: Post) => Promise<unknown>]>([
    ['save', (post) => posts.save(Object.assign(post, { title: 'new' }))],
    ['remove', (post) => posts.remove(post)],
    ['softRemove', (post) => posts.softRemove(post)],
    ['a save without a version', ({ id }) => posts.save({ id, title: 'new' })],
    ['update()', ({ id }) => posts.update({ id }, { title: 'new' })],
    ['delete()', ({ id }) => posts.delete({ id })],
  ])('%s writes that version only, however fresh what it was given is', async (_name, write) => {
    const { id } = await stored();
    const fresh = async () => write(await posts.findOneOrFail({ where: { id }, cache: false }));
    await posts.update({ id }, { likes: 1 });
    await expect(asking(POST, id, 1, fresh)).rejects.toEqual(refused);
    expect(await version(id)).toBe(2);
    await asking(POST, String(id), 2, fresh);
    expect(await posts.findOne({ where: { id, version: 2 }, cache: false })).toBeNull();
  });

  it('is about the first write: what follows has a version of our own', async () => {
    const post = await stored();
    await asking(POST, post.id, 1, async () => {
      await posts.save(Object.assign(post, { title: 'once' }));
      await posts.save(Object.assign(post, { title: 'twice' }));
    });
    expect(await version(post.id)).toBe(3);
  });

  it('is asked for again if that write was rolled back', async () => {
    const post = await stored();
    await asking(POST, post.id, 1, async () => {
      const work = source.dataSource.transaction(async (manager) => {
        await manager.save(Object.assign(post, { title: 'once' }));
        throw new Error('rolled back');
      });
      await expect(work).rejects.toThrow('rolled back');
      // Somebody else; raw SQL asks for nothing.
      await source.dataSource.query(`UPDATE post SET version = 2 WHERE id = ${post.id}`);
      const fresh = await posts.findOneOrFail({ where: { id: post.id }, cache: false });
      await expect(posts.save(Object.assign(fresh, { title: 'twice' }))).rejects.toEqual(refused);
    });
  });

  it('does not concern other rows, other entities, or what stands outside', async () => {
    const [post, other] = [await stored(), await stored()];
    await asking(POST, post.id, 99, async () => {
      await posts.save(Object.assign(other, { title: 'new' }));
      await source.dataSource.getRepository(Stock).save({ shop: post.id, sku: 's', amount: 1 });
      await withoutVersionCheck(() => posts.save(Object.assign(post, { title: 'exempt' })));
    });
    await posts.save(Object.assign(post, { title: 'outside' }));
    expect(await version(post.id)).toBe(3);
  });

  it('keeps calls at the same time apart', async () => {
    const post = await stored();
    const results = await Promise.allSettled([
      asking(POST, post.id, 7, async () => posts.save({ ...post, title: 'a' })),
      asking(Stock as never, { shop: 1, sku: 'x' }, 7, async () => posts.existsBy({ id: post.id })),
    ]);
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'fulfilled']);
  });

  it('does not let a row that was deleted meanwhile be inserted again', async () => {
    const post = await stored();
    await posts.delete({ id: post.id });
    const insert = () => posts.save({ id: post.id, title: 'zombie' });
    const error: unknown = await asking(POST, post.id, 1, insert).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(RecordModifiedError);
    expect(error).toMatchObject({ kind: 'deleted', theirs: null });
  });

  it('names the row by all columns of its key, in any order', async () => {
    const stocks = source.dataSource.getRepository(Stock);
    await stocks.save({ shop: 500, sku: 'x', amount: 1 });
    const write = () => stocks.save({ shop: 500, sku: 'x', amount: 2 });
    await expect(asking(Stock as never, { sku: 'x', shop: '500' }, 3, write)).rejects.toThrow(
      RecordModifiedError,
    );
    await asking('Stock' as never, { sku: 'x', shop: '500' }, 1, write);
  });
});
