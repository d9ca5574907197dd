import type { EntityManager } from 'typeorm';
import type { RecordModifiedError } from '../../lib/index.js';
import type { CachedSource } from '../support/cached-data-source.js';
import { DATABASES } from '../support/databases.js';
import { type Comment, Post, Tag } from './entities.js';
import { guardedSource, refusal, shorthand } from './support.js';

describe.each(DATABASES)('the guard inside transactions on %s', (kind) => {
  let source: CachedSource;
  const { repo, row } = shorthand(() => source);
  const post = (title = 'first'): Promise<Post> => repo(Post).save(repo(Post).create({ title }));
  const rollBack = new Error('roll back');
  /** Runs `work` in a transaction that is rolled back. */
  const rolledBack = (work: (manager: EntityManager) => Promise<unknown>): Promise<void> =>
    source.dataSource
      .transaction(async (manager) => {
        await work(manager);
        throw rollBack;
      })
      .catch((error: unknown) => {
        if (error !== rollBack) throw error;
      });

  beforeAll(async () => {
    source = await guardedSource(kind);
  });
  afterAll(() => source.close());

  it('a conflict that is caught leaves the transaction usable', async () => {
    const [good, stale] = [await post('good'), await post('stale')];
    await repo(Post).update({ id: stale.id }, { title: 'theirs' });
    await source.dataSource.transaction(async (manager) => {
      await manager.save(Object.assign(good, { title: 'before' }));
      const error = await refusal(manager.save(Object.assign(stale, { title: 'mine' })));
      expect(error).toMatchObject({ expected: 1, actual: 2, theirs: { title: 'theirs' } });
      await manager.save(Object.assign(good, { body: 'after' }));
    });
    expect(await row(Post, { id: good.id })).toMatchObject({ title: 'before', body: 'after', version: 3 });
    expect(good.version).toBe(3);
  });

  it('what a transaction wrote into entities is taken back when it is rolled back', async () => {
    const changed = await post('changed');
    const removed = await post('removed');
    const softRemoved = await post('soft-removed');
    const inserted = repo(Post).create({ title: 'inserted', comments: [{ text: 'child' }] as Comment[] });
    const child = inserted.comments[0]!;
    const all = [changed, removed, softRemoved, inserted];
    changed.title = 'changed!';
    const before = all.map((each) => ({ ...each }));
    await rolledBack(async (manager) => {
      await manager.save([changed, inserted]);
      await manager.save(Object.assign(changed, { body: 'twice' }));
      await manager.remove(removed);
      await manager.softRemove(softRemoved);
      expect(changed.version).toBe(3);
      expect(inserted.id).toBeDefined();
      expect(child.id).toBeDefined();
      expect(removed.id).toBeUndefined();
      expect(softRemoved.deletedAt).toBeInstanceOf(Date);
    });
    expect(all.map((each) => ({ ...each }))).toEqual([{ ...before[0], body: 'twice' }, ...before.slice(1)]);
    expect(child).toEqual({ text: 'child' });
    await repo(Post).save(changed);
    await repo(Post).save(inserted);
    await repo(Post).remove(removed);
    expect(await row(Post, { id: changed.id })).toMatchObject({
      title: 'changed!',
      body: 'twice',
      version: 2,
    });
  });

  it('what the application has set since is left alone', async () => {
    const { id } = await post();
    const mine = await repo(Post).findOneByOrFail({ id });
    await rolledBack(async (manager) => {
      await manager.save(Object.assign(mine, { title: 'mine' }));
      mine.version = 77;
      mine.title = 'later';
    });
    expect(mine).toMatchObject({ version: 77, title: 'later' });
  });

  it('a savepoint that is rolled back takes back what came after it', async () => {
    const { id } = await post();
    const mine = await repo(Post).findOneByOrFail({ id });
    await source.dataSource.transaction(async (manager) => {
      await manager.save(Object.assign(mine, { title: 'outer' }));
      await manager
        .transaction(async (inner) => {
          await inner.save(Object.assign(mine, { title: 'inner' }));
          expect(mine.version).toBe(3);
          throw rollBack;
        })
        .catch(() => undefined);
      expect(mine.version).toBe(2);
      await manager.transaction((inner) => inner.save(Object.assign(mine, { title: 'kept' })));
      expect(mine.version).toBe(3);
    });
    expect(await row(Post, { id })).toMatchObject({ title: 'kept', version: 3 });
    await rolledBack((manager) =>
      manager.transaction((inner) => inner.save(Object.assign(mine, { title: 'released, then lost' }))),
    );
    expect(mine.version).toBe(3);
  });

  it('a COMMIT that fails takes back what was written into entities', async () => {
    const { id } = await post();
    const mine = await repo(Post).findOneByOrFail({ id });
    const runner = source.dataSource.createQueryRunner();
    await runner.startTransaction();
    await runner.manager.save(Object.assign(mine, { title: 'mine' }));
    expect(mine.version).toBe(2);
    source.dataSource.subscribers.push({
      beforeTransactionCommit: () => {
        throw new Error('refused before the commit');
      },
    });
    await expect(runner.commitTransaction()).rejects.toThrow('refused before the commit');
    source.dataSource.subscribers.pop();
    await runner.rollbackTransaction();
    await runner.release();
    expect(mine.version).toBe(1);
  });

  it('entities without a version too', async () => {
    const tag = await repo(Tag).save(repo(Tag).create({ name: 'not versioned' }));
    await rolledBack(async (manager) => {
      await manager.remove(tag);
      expect(tag.id).toBeUndefined();
    });
    expect(tag.id).toBeDefined();
  });
});

describe('innodb_snapshot_isolation of MariaDB', () => {
  it('refuses the statement itself, which is a conflict like any other', async () => {
    const source = await guardedSource('mariadb');
    const { repo, row } = shorthand(() => source);
    const runner = source.dataSource.createQueryRunner();
    try {
      await runner.query('SET SESSION innodb_snapshot_isolation = ON');
      const { id } = await repo(Post).save(repo(Post).create({ title: 'first' }));
      await runner.startTransaction('REPEATABLE READ');
      const mine = await runner.manager.findOneByOrFail(Post, { id });
      await repo(Post).update({ id }, { title: 'theirs' });
      const error = await refusal(runner.manager.save(Object.assign(mine, { title: 'mine' })));
      await runner.rollbackTransaction();
      expect(error).toMatchObject({ kind: 'modified', expected: 1, actual: 2, theirs: { title: 'theirs' } });
      expect(error.cause).toMatchObject({ driverError: { errno: 1020 } });
      expect(mine.version).toBe(1);
      expect(await row(Post, { id })).toMatchObject({ title: 'theirs', version: 2 });
    } finally {
      await runner.query('SET SESSION innodb_snapshot_isolation = DEFAULT');
      await runner.release();
      await source.close();
    }
  });
});

/** The other client's edit comes after the transaction has begun to read, and is committed before it writes. */
describe.each(['postgres', 'mariadb'] as const)('isolation on %s', (kind) => {
  let source: CachedSource;
  const { repo, row } = shorthand(() => source);
  beforeAll(async () => {
    source = await guardedSource(kind);
  });
  afterAll(() => source.close());

  // MariaDB's SERIALIZABLE locks what it reads: the other client could not write at all.
  const levels = ['READ COMMITTED', 'REPEATABLE READ', 'SERIALIZABLE'] as const;
  describe.each(levels.slice(0, kind === 'mariadb' ? 2 : 3))('%s', (level) => {
    it.each(['save', 'remove', 'softRemove'] as const)('%s', async (operation) => {
      const { id } = await repo(Post).save(repo(Post).create({ title: 'first' }));
      let inside: RecordModifiedError | undefined;
      const error = await refusal(
        source.dataSource.transaction(level, async (manager) => {
          const mine = await manager.findOneByOrFail(Post, { id });
          await repo(Post).update({ id }, { title: 'theirs' });
          mine.title = 'mine';
          try {
            await (manager[operation] as (entity: Post) => Promise<unknown>).call(manager, mine);
          } catch (reason) {
            inside = reason as RecordModifiedError;
            expect(mine.version).toBe(1);
            throw reason;
          }
        }),
      );
      expect(error).toBe(inside);
      expect(error).toMatchObject({
        operation,
        kind: 'modified',
        expected: 1,
        actual: 2,
        theirs: { title: 'theirs', version: 2 },
      });
      expect(await row(Post, { id })).toMatchObject({ title: 'theirs', version: 2, deletedAt: null });
    });

    it('a row that is deleted meanwhile', async () => {
      const { id } = await repo(Post).save(repo(Post).create({ title: 'first' }));
      const error = await refusal(
        source.dataSource.transaction(level, async (manager) => {
          const mine = await manager.findOneByOrFail(Post, { id });
          await repo(Post).delete({ id });
          await manager.save(Object.assign(mine, { title: 'mine' }));
        }),
      );
      expect(error).toMatchObject({ kind: 'deleted', theirs: null, expected: 1 });
      expect(await repo(Post).findOne({ where: { id }, cache: false })).toBeNull();
    });
  });
});
