import { withoutVersionCheck, WithoutVersionCheck, withoutVersionIncrement } from '../../lib/index.js';
import type { CachedSource } from '../support/cached-data-source.js';
import { DATABASES } from '../support/databases.js';
import { Content, Folder, Photo, Plain, Post, Tag } from './entities.js';
import { guardedSource, refusal, shorthand } from './support.js';

/** Cases of django-concurrency that no other spec bears. */
describe.each(DATABASES)('cases of django-concurrency on %s', (kind) => {
  let source: CachedSource;
  const { repo, copies, row } = shorthand(() => source);
  const post = (title = 'first'): Promise<Post> => repo(Post).save(repo(Post).create({ title }));
  beforeAll(async () => {
    source = await guardedSource(kind, {
      versioning: { entities: { Photo: false } },
    });
  });
  afterAll(() => source.close());

  it('CC-005 and CC-006 and CC-X06: partial saves of stale copies do not overwrite each other', async () => {
    const { id } = await post();
    await repo(Post).save({ id, version: 1, title: 'one' });
    expect((await refusal(repo(Post).save({ id, version: 1, body: 'two' }))).actual).toBe(2);
    expect(await row(Post, { id })).toMatchObject({ title: 'one', body: null, version: 2 });
  });

  it('CC-008 and CC-097: one of two copies is saved, the other is refused', async () => {
    const { id } = await post();
    const [one, two] = await copies(Post, { id });
    await repo(Post).save(Object.assign(one, { title: 'one' }));
    expect((await refusal(repo(Post).save(Object.assign(two, { title: 'two' })))).expected).toBe(1);
  });

  it('CC-016: without the option nothing is refused', async () => {
    const plain = await guardedSource(kind, { versioning: undefined });
    try {
      const posts = plain.dataSource.getRepository(Post);
      const { id } = await posts.save({ title: 'first' });
      await posts.save({ id, title: 'second', version: 1 });
      await posts.save({ id, title: 'stale', version: 1 });
      expect((await posts.findOneByOrFail({ id })).title).toBe('stale');
    } finally {
      await plain.close();
    }
  });

  it('CC-018: a switch for an object without a version', async () => {
    const plain = await repo(Plain).save({ name: 'a' });
    await withoutVersionCheck(plain, () => repo(Plain).save(Object.assign(plain, { name: 'b' })));
    expect((await row(Plain, { id: plain.id })).name).toBe('b');
  });

  it('CC-019: a switch as a decorator', async () => {
    class Import {
      @WithoutVersionCheck(() => Post)
      async run(): Promise<void> {
        const { id } = await post();
        const [theirs, mine] = await copies(Post, { id });
        await repo(Post).save(Object.assign(theirs, { title: 'theirs' }));
        await repo(Post).save(Object.assign(mine, { title: 'mine' }));
      }
    }
    await new Import().run();
  });

  it('CC-024: without increments an insert still begins at 1', async () => {
    const saved = await withoutVersionIncrement(async () => {
      const inserted = await post();
      return repo(Post).save(Object.assign(inserted, { title: 'again' }));
    });
    expect(saved.version).toBe(1);
    expect((await repo(Post).save(Object.assign(saved, { title: 'once more' }))).version).toBe(2);
  });

  it('CC-028: without @VersionFields any change conflicts', async () => {
    const { id } = await post();
    const [theirs, mine] = await copies(Post, { id });
    await repo(Post).save(Object.assign(theirs, { likes: 1 }));
    expect((await refusal(repo(Post).save(Object.assign(mine, { body: 'x' })))).actual).toBe(2);
  });

  it('CC-029: relations to itself, and many-to-many ones', async () => {
    const root = await repo(Folder).save(repo(Folder).create({ name: 'root' }));
    await repo(Folder).save(repo(Folder).create({ name: 'child', parent: root }));
    const saved = await post();
    saved.tags = [await repo(Tag).save({ name: 't' })];
    await repo(Post).save(saved);
  });

  it('CC-033: a save that fails leaves the version in memory as it was', async () => {
    const saved = await post();
    saved.title = null as unknown as string;
    await expect(repo(Post).save(saved)).rejects.toThrow();
    expect(saved.version).toBe(1);
  });

  it('CC-086 and CC-087: a child that is left out, of a parent that is guarded', async () => {
    const photo = await repo(Photo).save({ title: 'a' });
    await repo(Photo).save({ id: photo.id, title: 'b', version: 99 });
    const content = await repo(Content).save(repo(Content).create({ title: 'c' }));
    expect((await refusal(repo(Content).save({ id: content.id, title: 'd', version: 99 }))).expected).toBe(
      99,
    );
  });
});
