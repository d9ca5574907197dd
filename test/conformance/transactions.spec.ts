import type { EntityManager, EntitySubscriberInterface } from 'typeorm';
import { cachedSource, type CachedSource } from '../support/cached-data-source.js';
import { BLOG, Category } from './entities/blog.js';
import { BLOG_ROWS } from './fixture.js';
import { BACKENDS, useSuite } from './suite.js';

/** sql.js is left out where two connections are needed: it has one. */
const SERVERS = (['postgres', 'mariadb'] as const).flatMap((kind) =>
  BACKENDS.map((backend) => [kind, backend] as const),
);
const ALL = [...SERVERS, ...BACKENDS.map((backend) => ['sqlite', backend] as const)];

const title = async (manager: EntityManager) => (await manager.findOneByOrFail(Category, { id: 1 })).title;
const change = (manager: EntityManager) => manager.save(Category, { id: 1, title: 'Changed' });

class Rollback extends Error {}
async function rolledBack(work: Promise<unknown>): Promise<void> {
  await expect(work).rejects.toThrow(Rollback);
}

describe.each(SERVERS)('cacheops TransactionsTests on %s with %s', (kind, backend) => {
  const suite = useSuite(kind, { entities: BLOG, rows: BLOG_ROWS, backend });
  const both = async (tx: EntityManager) => [await title(tx), await title(suite.manager)];
  const outside = async () => {
    await suite.settled();
    return [await title(suite.manager), await suite.uncached(() => title(suite.manager))];
  };

  beforeEach(() => title(suite.manager));

  it('CO-144 atomic', async () => {
    await suite.manager.transaction(async (tx) => {
      await change(tx);
      expect(await both(tx)).toEqual(['Changed', 'Django']);
    });
    expect(await outside()).toEqual(['Changed', 'Changed']);
  });

  it('CO-145 nested', async () => {
    await suite.manager.transaction(async (tx) => {
      await tx.transaction(async (inner) => {
        await change(inner);
        expect(await both(inner)).toEqual(['Changed', 'Django']);
      });
      expect(await both(tx)).toEqual(['Changed', 'Django']);
    });
    expect(await outside()).toEqual(['Changed', 'Changed']);
  });

  it('CO-146 rollback', async () => {
    const failing = suite.manager.transaction(async (tx) => {
      await change(tx);
      expect(await both(tx)).toEqual(['Changed', 'Django']);
      throw new Rollback();
    });
    await rolledBack(failing);
    expect(await outside()).toEqual(['Django', 'Django']);
  });

  it('CO-147 nested rollback', async () => {
    await suite.manager.transaction(async (tx) => {
      const inner = tx.transaction(async (nested) => {
        await change(nested);
        expect(await both(nested)).toEqual(['Changed', 'Django']);
        throw new Rollback();
      });
      await rolledBack(inner);
      expect(await both(tx)).toEqual(['Django', 'Django']);
    });
    // What was rolled back has invalidated nothing.
    expect(await suite.q(() => title(suite.manager))).toBe(0);
    expect(await outside()).toEqual(['Django', 'Django']);
  });

  it('CO-149 rollback during an integrity error: the state is not left dirty', async () => {
    const failing = suite.manager.transaction(async (tx) => {
      await change(tx);
      await tx.insert(Category, { id: 1, title: null as unknown as string });
    });
    await expect(failing).rejects.toThrow(/null/i);
    await title(suite.manager);
    expect(await suite.q(() => title(suite.manager))).toBe(0);
    expect(await outside()).toEqual(['Django', 'Django']);
  });

  it('CO-150 order: the cache is told before the subscribers of the application', async () => {
    const order: string[] = [];
    const unsubscribe = suite.source.services.instrumentation.subscribe((event) => {
      if (event.type === 'invalidate') order.push('cacheops');
    });
    const subscriber: EntitySubscriberInterface = {
      afterTransactionCommit: async () => {
        order.push('user');
        expect(await title(suite.manager)).toBe('Changed');
      },
    };
    const { subscribers } = suite.source.dataSource;
    subscribers.push(subscriber);
    try {
      await suite.manager.transaction((tx) => change(tx));
    } finally {
      subscribers.splice(subscribers.indexOf(subscriber), 1);
      unsubscribe();
    }
    expect(order).toEqual(['cacheops', 'user']);
  });
});

describe.each(ALL)('cacheops TransactionsTests of one connection on %s with %s', (kind, backend) => {
  const suite = useSuite(kind, { entities: BLOG, rows: BLOG_ROWS, backend });
  // sql.js knows one level only, and names it.
  const level = kind === 'sqlite' ? 'SERIALIZABLE' : 'READ COMMITTED';
  const transaction = <T>(work: (tx: EntityManager) => Promise<T>): Promise<T> =>
    kind === 'sqlite'
      ? suite.manager.transaction(work)
      : suite.manager.transaction(level as 'READ COMMITTED', work);

  it('CO-148 smart transactions: cached until the first write', async () => {
    await title(suite.manager);
    await transaction(async (tx) => {
      expect(await suite.q(() => title(tx))).toBe(0);
      await tx.transaction(async (inner) => expect(await suite.q(() => title(inner))).toBe(0));
      await change(tx);
      expect(await suite.q(() => title(tx))).toBe(1);
      expect(await suite.q(() => title(tx))).toBe(1);
      expect(await title(tx)).toBe('Changed');
    });
    await title(suite.manager);
    expect(await suite.q(() => title(suite.manager))).toBe(0);
  });

  it('CO-151 what makes a transaction dirty', async () => {
    const runner = suite.source.dataSource.createQueryRunner();
    const escape = (name: string) => suite.source.dataSource.driver.escape(name);
    const dirty = async (sql: string) => {
      await runner.startTransaction(kind === 'sqlite' ? undefined : 'READ COMMITTED');
      await runner.query(sql);
      const { bypass } = suite.source.observed.connectionOf(runner)!;
      await runner.rollbackTransaction();
      return bypass;
    };
    const table = escape('category');
    try {
      expect(await dirty(`SELECT ${escape('id')}, 'update insert delete' AS words FROM ${table}`)).toBe(
        false,
      );
      expect(await dirty(`UPDATE ${table} SET ${escape('title')} = 'x'`)).toBe(true);
      expect(await dirty(`INSERT INTO ${table} (${escape('title')}) VALUES ('x')`)).toBe(true);
      expect(await dirty(`/* c */ DELETE FROM ${table} WHERE ${escape('id')} = 5`)).toBe(true);
    } finally {
      await runner.release();
    }
  });
});

describe.each(SERVERS.filter(([, backend]) => backend === 'memory'))(
  'cacheops multi-db transactions on %s',
  (kind) => {
    const suite = useSuite(kind, { entities: BLOG, rows: BLOG_ROWS });
    let slave: CachedSource;

    beforeAll(async () => {
      slave = await cachedSource(kind, { entities: BLOG, name: 'slave' });
    });
    afterAll(() => slave.close());

    it('CO-152 multidb: an inner commit survives the rollback of the outer database', async () => {
      await title(suite.manager);
      const failing = slave.dataSource.transaction(async (outer) => {
        await outer.save(Category, { title: 'lost' });
        await suite.manager.transaction((tx) => change(tx));
        throw new Rollback();
      });
      await rolledBack(failing);
      await suite.settled();
      expect(await title(suite.manager)).toBe('Changed');
      expect(await slave.dataSource.manager.count(Category)).toBe(0);
    });
  },
);
