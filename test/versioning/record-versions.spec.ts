import { getDataSourceToken } from '@nestjs/typeorm';
import type { DataSource } from 'typeorm';
import { CacheOpsModule, RECORD_VERSIONS, type RecordVersions } from '../../lib/index.js';
import { closeApps, sqlite, start } from '../nest/app.js';
import { Post, VERSIONED } from './entities.js';

/** What the original offers as functions is asked of a provider. */
describe('versions of rows, injected', () => {
  let versions: RecordVersions;
  let posts: ReturnType<typeof repository>;
  const repository = (dataSource: DataSource) => dataSource.getRepository(Post);

  beforeEach(async () => {
    const app = await start({
      imports: [sqlite(undefined, { entities: VERSIONED }), CacheOpsModule.forRoot({ versioning: {} })],
    });
    versions = app.get<RecordVersions>(RECORD_VERSIONS);
    posts = repository(app.get<DataSource>(getDataSourceToken()));
  });
  afterEach(closeApps);

  it('CC-011: the version of an object is that of its row after a save', async () => {
    const post = await posts.save(posts.create({ title: 'first' }));
    expect(versions.versionOf(post)).toBe(1);
    await posts.save(Object.assign(post, { title: 'second' }));
    expect(versions.versionOf(post)).toBe(2);
  });

  it('CC-012: an object whose copy was saved is told from one that is up to date', async () => {
    const stale = await posts.save(posts.create({ title: 'first' }));
    const copy = await posts.findOneByOrFail({ id: stale.id });
    await posts.save(Object.assign(copy, { title: 'second' }));
    const row = await versions.current(Post, stale.id);
    expect(row && versions.versionOf(row)).toBe(versions.versionOf(copy));
    expect(row && versions.versionOf(row)).not.toBe(versions.versionOf(stale));
  });

  it('CC-013: the row is read past the cache, with its version', async () => {
    const post = await posts.save(posts.create({ title: 'first' }));
    expect(await versions.current(Post, post.id)).toMatchObject({ title: 'first', version: 1 });
    expect(await versions.current(Post, 999)).toBeNull();
  });
});
