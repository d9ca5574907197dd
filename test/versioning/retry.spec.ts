import { RetryOnConflict, retryOnConflict } from '../../lib/index.js';
import { cachedSource, type CachedSource } from '../support/cached-data-source.js';
import { DATABASES } from '../support/databases.js';
import { Post, VERSIONED } from './entities.js';

const FAST = { delay: 1, maxDelay: 1 };

describe.each(DATABASES)('retryOnConflict on %s', (kind) => {
  let source: CachedSource;

  const stored = (): Promise<Post> => {
    const posts = source.dataSource.getRepository(Post);
    return posts.save(posts.create({ title: 'title' }));
  };
  const current = ({ id }: Post): Promise<Post> =>
    source.dataSource.manager.findOneOrFail(Post, { where: { id }, cache: false });

  beforeAll(async () => {
    source = await cachedSource(kind, { entities: VERSIONED, versioning: {} });
  });
  afterAll(() => source.close());

  /** Of SQLite's one connection: the other's edit is a part of the transaction, and is rolled back with it. */
  const kept = kind === 'sqlite' ? 0 : 1;

  it('repeats a whole transaction, which reads again', async () => {
    const post = await stored();
    let tries = 0;
    await retryOnConflict(async () => {
      await source.dataSource.transaction(async (manager) => {
        const mine = await manager.findOneByOrFail(Post, { id: post.id });
        if (tries++ === 0) await source.dataSource.manager.update(Post, { id: post.id }, { likes: 5 });
        await manager.save(Object.assign(mine, { likes: mine.likes + 1 }));
      });
    }, FAST);
    expect(tries).toBe(2);
    expect(await current(post)).toMatchObject({ likes: 5 * kept + 1, version: 2 + kept });
  });

  it('@RetryOnConflict repeats a method of a service', async () => {
    const post = await stored();
    class Likes {
      tries = 0;

      @RetryOnConflict(FAST)
      async add(count: number): Promise<number> {
        return source.dataSource.transaction(async (manager) => {
          const mine = await manager.findOneByOrFail(Post, { id: post.id });
          if (this.tries++ === 0) await source.dataSource.manager.update(Post, { id: post.id }, { likes: 5 });
          return (await manager.save(Object.assign(mine, { likes: mine.likes + count }))).likes;
        });
      }
    }
    const likes = new Likes();
    expect(await likes.add(3)).toBe(5 * kept + 3);
    expect(likes.tries).toBe(2);
  });

  // On SQLite all share one connection: whose transaction is open cannot be told, and nothing deadlocks.
  if (kind === 'sqlite') return;
  it.each([
    ['save()', (manager, post) => manager.save(Object.assign(post, { title: 'mine' }))],
    ['update()', (manager, { id }) => manager.update(Post, { id, version: 1 }, { title: 'mine' })],
  ] as [string, (manager: CachedSource['dataSource']['manager'], post: Post) => Promise<unknown>][])(
    'refuses to repeat %s inside a transaction, which would only read the same again',
    async (_name, write) => {
      const post = await stored();
      let tries = 0;
      const work = source.dataSource.transaction(async (manager) => {
        await source.dataSource.manager.update(Post, { id: post.id }, { likes: 5 });
        await retryOnConflict(() => {
          tries++;
          return write(manager, post);
        }, FAST);
      });
      await expect(work).rejects.toMatchObject({
        code: 'RETRY_IN_TRANSACTION',
        cause: { code: 'RECORD_MODIFIED' },
      });
      expect(tries).toBe(1);
    },
  );

  it('takes no notice of a transaction that the work has nothing to do with', async () => {
    const post = await stored();
    await source.dataSource.transaction(async () => {
      let tries = 0;
      await retryOnConflict(async () => {
        const mine = await current(post);
        if (tries++ === 0) await source.dataSource.manager.update(Post, { id: post.id }, { likes: 5 });
        await source.dataSource.manager.save(Object.assign(mine, { title: 'mine' }));
      }, FAST);
      expect(tries).toBe(2);
    });
  });

  it('repeats the victim of a deadlock', async () => {
    const [a, b] = [await stored(), await stored()];
    let arrived = 0;
    let open: () => void;
    const both = new Promise<void>((resolve) => (open = resolve));
    /** Each holds one row when it asks for the other. */
    const swap = (first: Post, second: Post) =>
      retryOnConflict(
        () =>
          source.dataSource.transaction(async (manager) => {
            await manager.increment(Post, { id: first.id }, 'likes', 1);
            if (++arrived === 2) open();
            await both;
            await manager.increment(Post, { id: second.id }, 'likes', 1);
          }),
        FAST,
      );
    await Promise.all([swap(a, b), swap(b, a)]);
    expect(arrived).toBe(3);
    expect([(await current(a)).likes, (await current(b)).likes]).toEqual([2, 2]);
  }, 60_000);

  if (kind !== 'postgres') return;
  it('repeats a transaction that the database could not serialize, and refuses to inside it', async () => {
    const post = await stored();
    let tries = 0;
    const spend = (inner: boolean) =>
      source.dataSource.transaction('SERIALIZABLE', async (manager) => {
        await manager.query('SELECT likes FROM post WHERE id = $1', [post.id]);
        if (tries++ === 0) await source.dataSource.manager.update(Post, { id: post.id }, { likes: 5 });
        const write = () => manager.query('UPDATE post SET likes = likes + 1 WHERE id = $1', [post.id]);
        await (inner ? retryOnConflict(write, FAST) : write());
      });
    await retryOnConflict(() => spend(false), FAST);
    expect((await current(post)).likes).toBe(6);
    tries = 0;
    await expect(spend(true)).rejects.toMatchObject({ code: 'RETRY_IN_TRANSACTION' });
  });
});
