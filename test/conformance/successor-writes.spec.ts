import { dependenciesOf } from '../../lib/core/dependencies.js';
import { DATABASES } from '../support/databases.js';
import { BLOG, Category, Extra, Post } from './entities/blog.js';
import { BLOG_ROWS } from './fixture.js';
import { useSuite } from './suite.js';
import { Cache } from '../../lib/core/cache.js';
import { systemClock } from '../../lib/core/clock.js';

/** Statements that cacheops took for reads, by database. They leave post 1 out or change it. */
const STATEMENTS = {
  postgres: {
    'CTE before DELETE': `WITH gone AS (SELECT id AS is_deleted FROM post WHERE id = 3) DELETE FROM post USING gone WHERE post.id = gone.is_deleted`,
    'CTE that deletes': `WITH gone AS (DELETE FROM post WHERE id = 3 RETURNING *) SELECT COUNT(*) FROM gone`,
    MERGE: `MERGE INTO post p USING (SELECT 3 AS id) s ON p.id = s.id WHEN MATCHED THEN UPDATE SET title = 'merged'`,
    TRUNCATE: 'TRUNCATE post CASCADE',
    'COPY FROM PROGRAM': `COPY category (title) FROM PROGRAM 'echo copied'`,
    'a comment first': `/* SELECT */ -- SELECT\n UPDATE post SET title = 'x' WHERE id = 3`,
    'two statements': `SELECT 1; UPDATE post SET title = 'x' WHERE id = 3`,
    'a DO block': `DO $$ BEGIN UPDATE post SET title = 'x' WHERE id = 3; END $$`,
    'UPDATE FROM': `UPDATE post SET title = c.title FROM category c WHERE c.id = post."categoryId"`,
    'INSERT SELECT': `INSERT INTO post (title, visible, "categoryId") SELECT title, visible, "categoryId" FROM post WHERE id = 3`,
  },
  mariadb: {
    TRUNCATE: 'TRUNCATE TABLE extra',
    REPLACE: "REPLACE INTO category (id, title) VALUES (5, 'replaced')",
    'multi-table DELETE': 'DELETE p FROM post p JOIN category c ON c.id = p.categoryId WHERE p.id = 3',
    'UPDATE JOIN': "UPDATE post p JOIN category c ON c.id = p.categoryId SET p.title = 'x' WHERE c.id = 3",
    'a comment first': "/* SELECT */ UPDATE post SET title = 'x' WHERE id = 3",
    'ON DUPLICATE KEY':
      "INSERT INTO category (id, title) VALUES (5, 'n') ON DUPLICATE KEY UPDATE title = 'duplicate'",
    'INSERT SELECT':
      'INSERT INTO post (title, visible, categoryId) SELECT title, visible, categoryId FROM post WHERE id = 3',
  },
  sqlite: {
    'CTE before DELETE': 'WITH gone AS (SELECT 3 AS id) DELETE FROM post WHERE id IN (SELECT id FROM gone)',
    REPLACE: "REPLACE INTO category (id, title) VALUES (5, 'replaced')",
    'INSERT OR REPLACE': "INSERT OR REPLACE INTO category (id, title) VALUES (5, 'replaced')",
    'a comment first': "/* SELECT */ UPDATE post SET title = 'x' WHERE id = 3",
    'INSERT SELECT':
      'INSERT INTO post (title, visible, categoryId) SELECT title, visible, categoryId FROM post WHERE id = 3',
    'UPDATE FROM': 'UPDATE post SET title = c.title FROM category c WHERE c.id = post.categoryId',
  },
} as const;

describe.each(DATABASES)('successor cases: writes and inner tables on %s', (kind) => {
  const suite = useSuite(kind, { entities: BLOG, rows: BLOG_ROWS });
  const posts = () => suite.repo(Post);
  const categories = () => suite.repo(Category);
  const escape = (name: string) => suite.source.dataSource.driver.escape(name);

  it.each(Object.keys(STATEMENTS[kind]))('CO-X15 %s is a write', async (name) => {
    const sql = (STATEMENTS[kind] as Record<string, string>)[name]!;
    const reads: (() => Promise<unknown>)[] = [
      () => posts().find({ order: { id: 'ASC' } }),
      () => posts().countBy({ categoryId: 3 }),
      () => categories().find({ order: { id: 'ASC' } }),
      () => categories().findBy({ title: 'Node.js' }),
      () => suite.repo(Extra).find({ order: { id: 'ASC' } }),
    ];
    const before: unknown[] = [];
    for (const read of reads) before.push(await suite.fresh(read));
    await suite.manager.query(sql);
    const after: unknown[] = [];
    for (const read of reads) after.push(await suite.fresh(read));
    expect(after).not.toEqual(before);
  });

  it.each(Object.keys(STATEMENTS[kind]))('CO-X15 %s makes a transaction dirty', async (name) => {
    const runner = suite.source.dataSource.createQueryRunner();
    try {
      await runner.startTransaction(kind === 'sqlite' ? undefined : 'READ COMMITTED');
      await runner.query((STATEMENTS[kind] as Record<string, string>)[name]!);
      // MySQL and MariaDB commit what is open before TRUNCATE runs: nothing uncommitted is left.
      const isOver = kind === 'mariadb' && name === 'TRUNCATE';
      expect(suite.source.observed.connectionOf(runner)?.bypass).toBe(!isOver);
    } finally {
      await runner.rollbackTransaction();
      await runner.release();
    }
  });

  const inner = () => `(SELECT ${escape('id')} FROM ${escape('category')} WHERE ${escape('title')} = 'Perl')`;
  const NESTED: Record<string, () => Promise<unknown>> = {
    IN: () => posts().createQueryBuilder('p').where(`p.categoryId IN ${inner()}`).getMany(),
    'NOT IN': () => posts().createQueryBuilder('p').where(`p.categoryId NOT IN ${inner()}`).getMany(),
    comparison: () => posts().createQueryBuilder('p').where(`p.categoryId = ${inner()}`).getCount(),
    'ORDER BY': () =>
      posts()
        .createQueryBuilder('p')
        .addSelect(`CASE WHEN p.categoryId IN ${inner()} THEN 0 ELSE 1 END`, 'rank')
        .orderBy('rank')
        .getMany(),
    HAVING: () =>
      posts()
        .createQueryBuilder('p')
        .select('p.categoryId', 'c')
        .groupBy('p.categoryId')
        .having(`p.categoryId IN ${inner()}`)
        .getRawMany(),
    'JOIN ON': () =>
      posts().createQueryBuilder('p').innerJoin('p.category', 'c', `c.id IN ${inner()}`).getMany(),
    'two deep': () =>
      categories()
        .createQueryBuilder('k')
        .where(
          `k.id IN (SELECT ${escape('categoryId')} FROM ${escape('post')} WHERE ${escape('categoryId')} IN ${inner()})`,
        )
        .getMany(),
  };

  it.each(Object.keys(NESTED))('CO-X16 the table of an inner query counts: %s', async (name) => {
    const read = NESTED[name]!;
    await suite.fresh(read);
    expect(await suite.q(read)).toBe(0);
    await categories().update({ id: 3 }, { title: 'Raku' });
    expect(await suite.q(read)).toBe(1);
    await suite.fresh(read);
  });

  it('CO-X19 a subquery among the columns leaves the outer conditions granular', async () => {
    const read = () =>
      categories()
        .createQueryBuilder('c')
        .addSelect((q) => q.select('MAX(p.id)').from(Post, 'p').where('p.categoryId = c.id'), 'newest')
        .where('c.id = :id', { id: 1 })
        .getRawMany();
    await suite.fresh(read);
    await categories().update({ id: 2 }, { title: 'other' });
    expect(await suite.q(read)).toBe(0);
    await categories().update({ id: 1 }, { title: 'this' });
    expect(await suite.q(read)).toBe(1);
    await posts().save({ title: 'new', categoryId: 1 });
    expect(await suite.q(read)).toBe(1);
    await suite.fresh(read);
  });

  it('CO-X19 a subquery inside COALESCE is tracked', async () => {
    const read = () =>
      categories()
        .createQueryBuilder('c')
        .select('c.id', 'id')
        .addSelect(
          `COALESCE((SELECT MAX(p.id) FROM ${escape('post')} p WHERE p.${escape('categoryId')} = c.id), 0)`,
          'newest',
        )
        .orderBy('c.id')
        .getRawMany();
    await suite.fresh(read);
    const { id } = await posts().save({ title: 'new', categoryId: 2 });
    expect(await suite.q(read)).toBe(1);
    expect(Number(((await suite.fresh(read)) as { newest: number }[])[1]?.newest)).toBe(id);
  });

  describe('CO-X11 one load at a time', () => {
    const lookup = (load: () => Promise<string>) => ({
      key: 'x11',
      label: 'x11',
      dependencies: dependenciesOf([], ['x11']),
      ttl: 60_000,
      codec: { encode: (text: string) => Buffer.from(text), decode: (bytes: Buffer) => bytes.toString() },
      load,
    });

    it('CO-X11 those who wait for a load that fails get its error, and the next one loads', async () => {
      const { cache } = suite.source.services;
      let fail: (error: Error) => void = () => undefined;
      let loads = 0;
      const load = () => (loads++, new Promise<string>((_, reject) => (fail = reject)));
      const store = suite.chaos.hold('read');
      const leader = cache.getOrSet(lookup(load));
      const waiters = [cache.getOrSet(lookup(load)), cache.getOrSet(lookup(load))];
      const all = Promise.allSettled([leader, ...waiters]);
      await store.reached;
      store.release();
      await until(() => loads > 0 && suite.chaos.calls.pin > 0);
      fail(new Error('no luck'));
      const results = await all;
      expect(loads).toBe(1);
      expect(results.map((r) => r.status === 'rejected' && (r.reason as Error).message)).toEqual(
        Array(3).fill('no luck'),
      );
      expect(await cache.getOrSet(lookup(async () => 'again'))).toBe('again');
    });

    it('CO-X11 a load that hangs is given up, and what it brings later is dropped', async () => {
      const { context, instrumentation } = suite.source.services;
      const cache = new Cache(suite.chaos, context, instrumentation, systemClock, { loadTimeout: 20 });
      let arrive: (text: string) => void = () => undefined;
      const hanging = new Promise<string>((resolve) => (arrive = resolve));
      await expect(cache.getOrSet(lookup(() => hanging))).rejects.toMatchObject({ code: 'LOAD_TIMEOUT' });
      expect(await cache.getOrSet(lookup(async () => 'second'))).toBe('second');
      arrive('late');
      await hanging;
      expect(await cache.getOrSet(lookup(async () => 'third'))).toBe('second');
    });
  });
});

/** Lets the event loop turn until `condition` holds; the test's own timeout ends it. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}
