import type { QueryRunner } from 'typeorm';
import type { IsolationLevel } from 'typeorm/driver/types/IsolationLevel.js';
import { dependenciesOf } from '../../lib/core/dependencies.js';
import { tableToken } from '../../lib/core/token.js';
import type { Codec } from '../../lib/core/lookup.js';
import { BLOG, Category, Post } from './entities/blog.js';
import { BLOG_ROWS } from './fixture.js';
import { BACKENDS, useSuite } from './suite.js';

const WORLDS = (['postgres', 'mariadb', 'sqlite'] as const).flatMap((kind) =>
  BACKENDS.map((backend) => [kind, backend] as const),
);
const SERVERS = WORLDS.filter(([kind]) => kind !== 'sqlite') as readonly (readonly [
  'postgres' | 'mariadb',
  'memory' | 'redis',
])[];

const json: Codec<unknown> = {
  encode: (value) => Buffer.from(JSON.stringify(value)),
  decode: (payload) => JSON.parse(payload.toString()) as unknown,
};

describe.each(WORLDS)('successor cases: races on %s with %s', (kind, backend) => {
  const suite = useSuite(kind, { entities: BLOG, rows: BLOG_ROWS, backend });
  const posts = () => suite.repo(Post);
  const builder = () => posts().createQueryBuilder('p').where('p.categoryId = :category', { category: 1 });
  const count = () => builder().getCount();

  const READS: Record<string, () => Promise<unknown>> = {
    fetch: () => posts().findBy({ categoryId: 1 }),
    get: () => posts().findOneBy({ categoryId: 1 }),
    count,
    exists: () => posts().existsBy({ categoryId: 1 }),
    aggregate: () => posts().maximum('id', { categoryId: 1 }),
    'raw rows': () => builder().select('p.title', 'title').getRawMany(),
    function: () =>
      suite.source.services.cache.getOrSet({
        key: 'function',
        label: 'function',
        dependencies: dependenciesOf([
          { table: 'post', reads: '*', conditions: [new Map([['categoryId', '1']])] },
        ]),
        ttl: 60_000,
        codec: json,
        load: () => suite.uncached(() => builder().select('p.title', 'title').getRawMany()),
      }),
  };

  describe.each(Object.keys(READS))('CO-X01 fill race: %s', (op) => {
    const read = READS[op]!;
    const write = () => posts().update({ categoryId: 1 }, { categoryId: 2 });

    it('CO-X01 the reader has read, the writer commits, the reader stores', async () => {
      const store = suite.chaos.hold('write');
      const reading = read();
      await store.reached;
      await write();
      await suite.settled();
      store.release();
      await reading;
      await suite.fresh(read);
      expect(await count()).toBe(0);
    });

    it('CO-X01 the reader has asked the cache, the writer commits, the reader pins', async () => {
      const pin = suite.chaos.hold('pin');
      const reading = read();
      await pin.reached;
      await write();
      await suite.settled();
      pin.release();
      await reading;
      await suite.fresh(read);
    });

    it('CO-X01 the writer has committed and has not settled', async () => {
      await read();
      const settle = suite.chaos.hold('settle');
      await write();
      await settle.reached;
      expect(await read()).toEqual(await suite.uncached(read));
      settle.release();
      await suite.settled();
      await suite.fresh(read);
      expect(await suite.q(read)).toBe(0);
    });
  });

  it('CO-X13 a whole table is invalidated between a read and its store', async () => {
    const { invalidator, context } = suite.source.services;
    const store = suite.chaos.hold('write');
    const reading = count();
    await store.reached;
    // A writer that nobody observes, and somebody who says so.
    await context.withoutInvalidation(() => posts().update({ categoryId: 1 }, { categoryId: 2 }));
    await invalidator.restamp([tableToken('post')]);
    store.release();
    await reading;
    expect(await suite.fresh(count)).toBe(0);
  });

  it('CO-X03 a BEGIN that fails leaves no state', async () => {
    await count();
    const runner = suite.source.dataSource.createQueryRunner();
    await runner.connect();
    const connection = suite.source.observed.connectionOf(runner)!;
    const repair = await breakConnection(runner);
    await expect(runner.startTransaction()).rejects.toThrow();
    expect([connection.frames.active, connection.bypass]).toEqual([false, false]);
    repair();
    await posts().update({ categoryId: 1 }, { categoryId: 2 });
    expect(await suite.q(count)).toBe(1);
    expect(await suite.fresh(count)).toBe(0);
    // Only now: the pool would hand the dying connection to the writer.
    await runner.release().catch(() => undefined);
  });

  /** Makes the next BEGIN fail: the server ends the connection; SQLite has a transaction open already. */
  async function breakConnection(runner: QueryRunner): Promise<() => void> {
    if (kind === 'sqlite') {
      const raw = suite.source.dataSource.driver as unknown as {
        databaseConnection: { run(sql: string): void };
      };
      raw.databaseConnection.run('BEGIN');
      return () => raw.databaseConnection.run('ROLLBACK');
    }
    const own = kind === 'postgres' ? 'SELECT pg_backend_pid() AS id' : 'SELECT CONNECTION_ID() AS id';
    const [{ id }] = await runner.query(own);
    await suite.source.dataSource.query(
      kind === 'postgres' ? `SELECT pg_terminate_backend(${id})` : `KILL ${id}`,
    );
    return () => undefined;
  }
});

const LEVELS: readonly IsolationLevel[] = ['REPEATABLE READ', 'SERIALIZABLE'];

describe.each(SERVERS)('successor cases: snapshots on %s with %s', (kind, backend) => {
  const suite = useSuite(kind, { entities: BLOG, rows: BLOG_ROWS, backend });
  const titles = async (manager = suite.manager) =>
    (await manager.find(Category, { order: { id: 'ASC' } })).map((c) => c.title);

  // A serializable reader of MariaDB locks what it reads: there the writer would wait for it.
  const levels = kind === 'mariadb' ? LEVELS.slice(0, 1) : LEVELS;

  it.each(levels)('CO-X02 a snapshot that is older than a commit stores nothing: %s', async (level) => {
    await suite.manager.transaction(level, async (tx) => {
      const before = await titles(tx);
      await suite.manager.update(Category, { id: 1 }, { title: 'Flask' });
      await suite.settled();
      expect(await titles(tx)).toEqual(before);
      expect((await titles())[0]).toBe('Flask');
      expect(await titles(tx)).toEqual(before);
    });
    expect(await suite.q(() => titles())).toBe(0);
    expect((await suite.fresh(() => titles()))[0]).toBe('Flask');
  });
});
