import { dependenciesOf } from '../../lib/core/dependencies.js';
import type { Codec, LateDependencies, Lookup } from '../../lib/core/lookup.js';
import type { EntityTarget, ObjectLiteral } from 'typeorm';
import { ChaosDriver } from '../../lib/testing/chaos.driver.js';
import { MemoryDriver } from '../../lib/drivers/memory.driver.js';
import { cachedSource, type CachedSource } from '../support/cached-data-source.js';
import { DATABASES } from '../support/databases.js';
import { Item, Shelf, SHOP } from './shop.entities.js';

const json: Codec<unknown> = {
  encode: (value) => (value === undefined ? undefined : Buffer.from(JSON.stringify(value))),
  decode: (bytes) => JSON.parse(bytes.toString()) as unknown,
};
const NOTHING = dependenciesOf([]);
const ANY_SHELF = dependenciesOf([{ table: 'shelf', reads: '*', conditions: [new Map()] }]);
const shelfOf = (id: number) =>
  dependenciesOf([{ table: 'shelf', reads: '*', conditions: [new Map([['id', String(id)]])] }]);

function gate(): { wait: Promise<void>; open: () => void } {
  let open = (): void => undefined;
  const wait = new Promise<void>((resolve) => (open = resolve));
  return { wait, open };
}

describe.each(DATABASES)('a value that depends on what its load reads, on %s', (kind) => {
  let source: CachedSource;
  let driver: ChaosDriver;
  let loads: number;
  let keys = 0;
  let key: string;
  const items = () => source.dataSource.getRepository(Item);
  const shelves = () => source.dataSource.getRepository(Shelf);
  /** With ids of our own, which PostgreSQL takes only if the column is named. */
  const insert = (entity: EntityTarget<ObjectLiteral>, rows: ObjectLiteral[]) =>
    source.dataSource
      .createQueryBuilder()
      .insert()
      .into(entity, Object.keys(rows[0]!))
      .values(rows)
      .execute();
  const settled = () => source.services.invalidator.drain();
  const reasons = () => source.events.flatMap((event) => (event.type === 'refuse' ? [event.reason] : []));

  beforeAll(async () => {
    driver = new ChaosDriver(new MemoryDriver());
    // Lists are cached by themselves, single entities and counts are not.
    source = await cachedSource(kind, { entities: SHOP, driver, ops: ['fetch'] });
  });
  afterAll(() => source.close());
  beforeEach(async () => {
    await items().createQueryBuilder().delete().execute();
    await shelves().createQueryBuilder().delete().execute();
    await insert(Shelf, [
      { id: 1, name: 'one' },
      { id: 2, name: 'two' },
    ]);
    await insert(Item, [
      { id: 101, title: 'a', shelfId: 1 },
      { id: 102, title: 'b', shelfId: 2 },
    ]);
    await settled();
    loads = 0;
    key = `k${++keys}`;
    source.events.length = 0;
  });

  function cached(
    load: () => Promise<unknown>,
    more: Partial<Pick<Lookup<unknown>, 'trace' | 'late' | 'dependencies' | 'key'>> = {},
  ): Promise<unknown> {
    const { cache } = source.services;
    return cache.getOrSet({
      key,
      label: 'traced',
      dependencies: NOTHING,
      ttl: 60_000,
      codec: json,
      recorded: true,
      trace: 'exact',
      ...more,
      load: async () => {
        loads++;
        return load();
      },
    });
  }

  /** How often it is loaded: at first, again, after a change elsewhere, and after a change of what it reads. */
  async function loadsOf(read: () => Promise<unknown>, elsewhere: () => unknown, here: () => unknown) {
    const counts = [];
    const look = async (): Promise<void> => {
      await settled();
      await cached(read);
      counts.push(loads);
    };
    await look();
    await look();
    await elsewhere();
    await look();
    await here();
    await look();
    counts.push(reasons());
    return counts;
  }

  const READS: Record<string, () => Promise<unknown>> = {
    'a list that is cached itself': () => items().findBy({ shelfId: 1 }),
    'an entity that is not': () => items().findOneBy({ shelfId: 1 }),
    'a count': () => items().countBy({ shelfId: 1 }),
    'a builder': () => items().createQueryBuilder('i').where('i.shelfId = :s', { s: 1 }).getRawMany(),
    'raw SQL': () =>
      source.dataSource.query(
        `SELECT title FROM item WHERE ${kind === 'mariadb' ? 'shelfId' : '"shelfId"'} = 1`,
      ),
    'several at the same time': () =>
      Promise.all([items().findBy({ shelfId: 1 }), items().countBy({ shelfId: 1 })]),
    'past the cache': () => source.services.context.withoutCache(() => items().findBy({ shelfId: 1 })),
    'inside another one': () => cached(() => items().findBy({ shelfId: 1 }), { key: `${key}inner` }),
  };

  it.each(Object.keys(READS))('is stale when the rows of %s change, and only then', async (name) => {
    const read = READS[name]!;
    const inner = name === 'inside another one' ? 1 : 0;
    const counts = await loadsOf(
      read,
      () => items().update({ id: 102 }, { title: 'elsewhere' }),
      () => items().update({ id: 101 }, { shelfId: 2 }),
    );
    const [once, twice] = [1 + inner, 2 + 2 * inner];
    expect(counts).toEqual([once, once, once, twice, []]);
  });

  it('depends on what an inner value was made of, when that is a hit', async () => {
    const inner = () => cached(() => items().findBy({ shelfId: 1 }), { key: `${key}inner` });
    await inner();
    await cached(inner);
    expect(loads).toBe(2);
    await items().update({ id: 101 }, { title: 'new' });
    await settled();
    expect(await cached(inner)).toMatchObject([{ title: 'new' }]);
    expect(loads).toBe(4);
  });

  it('does not depend on what a value reads that does not want to know', async () => {
    const inner = () => cached(() => items().countBy({ shelfId: 1 }), { key: `${key}i`, trace: undefined });
    await cached(inner);
    await items().insert({ title: 'c', shelfId: 1 });
    await settled();
    expect(await cached(inner)).toBe(1);
    expect(loads).toBe(2);
  });

  it('is not stored when a read cannot be attributed, unless dependencies were named', async () => {
    const now = {
      sqlite: 'SELECT random() AS r',
      postgres: 'SELECT random() AS r',
      mariadb: 'SELECT rand() AS r',
    };
    const read = () => source.dataSource.query(now[kind]);
    await cached(read);
    await cached(read);
    expect([loads, reasons()]).toEqual([2, ['untracked', 'untracked']]);
    await cached(read, { key: `${key}known`, trace: 'known' });
    await cached(read, { key: `${key}known`, trace: 'known' });
    expect(loads).toBe(3);
  });

  it('is not kept when what it reads changes while it is being made', async () => {
    const [inside, go] = [gate(), gate()];
    const first = cached(async () => {
      const count = await items().countBy({ shelfId: 1 });
      inside.open();
      await go.wait;
      return count;
    });
    await inside.wait;
    await items().insert({ title: 'c', shelfId: 1 });
    await settled();
    go.open();
    expect(await first).toBe(1);
    expect(reasons()).toEqual(['changed']);
    expect(await cached(() => items().countBy({ shelfId: 1 }))).toBe(2);
  });

  it('is not kept when the same rows are read twice and changed in between', async () => {
    const count = () => items().countBy({ shelfId: 1 });
    await cached(async () => {
      const before = await count();
      await items().insert({ title: 'c', shelfId: 1 });
      await settled();
      return [before, await count(), await items().findBy({ shelfId: 1 })];
    });
    expect(await cached(count)).toBe(2);
  });

  it('made before a commit is not handed to whoever asks after it', async () => {
    const [inside, go] = [gate(), gate()];
    const count = () => items().countBy({ shelfId: 1 });
    const first = cached(async () => {
      const found = await count();
      inside.open();
      await go.wait;
      return found;
    });
    await inside.wait;
    await items().insert({ title: 'c', shelfId: 1 });
    await settled();
    const second = cached(count);
    go.open();
    expect(await Promise.all([first, second])).toEqual([1, 2]);
  });

  it('is made once for a thousand who ask while it is being made', async () => {
    const [inside, go] = [gate(), gate()];
    const read = () =>
      cached(async () => {
        const found = await items().findBy({ shelfId: 1 });
        inside.open();
        await go.wait;
        return found;
      });
    const first = read();
    await inside.wait;
    const others = Array.from({ length: 999 }, read);
    go.open();
    const [one, ...rest] = await Promise.all([first, ...others]);
    expect(rest.every((each) => JSON.stringify(each) === JSON.stringify(one))).toBe(true);
    expect(loads).toBe(1);
  });

  it('is not stored when the stamps of what it reads cannot be had', async () => {
    driver.fail('pin', 1);
    expect(await cached(() => items().countBy({ shelfId: 2, title: 'never asked for' }))).toBe(0);
    expect(reasons()).toContain('unavailable');
    await cached(() => items().countBy({ shelfId: 2, title: 'never asked for' }));
    expect(loads).toBe(2);
  });

  describe('and on what only its result tells', () => {
    /** Of an item its shelf, whichever that is. */
    const late: LateDependencies<unknown> = {
      within: ANY_SHELF,
      of: (value) => shelfOf((value as Item).shelfId as number),
    };
    const itemOne = () => items().findOneByOrFail({ id: 101 });
    const read = (load = itemOne) => cached(load, { trace: undefined, late });

    it('is stale when that row changes, and no other', async () => {
      await read();
      await shelves().update({ id: 2 }, { name: 'new two' });
      await settled();
      await read();
      expect(loads).toBe(1);
      await shelves().update({ id: 1 }, { name: 'new one' });
      await settled();
      await read();
      expect(loads).toBe(2);
    });

    it('is not kept when that row changes while it is being made', async () => {
      await read(async () => {
        const found = await itemOne();
        await shelves().update({ id: 1 }, { name: 'in between' });
        await settled();
        return found;
      });
      expect(reasons()).toEqual(['changed']);
      await read();
      expect(loads).toBe(2);
    });

    it('is not kept when that row is being written when it is done', async () => {
      const settle = driver.hold('settle');
      const writing = shelves().update({ id: 1 }, { name: 'pending' });
      await settle.reached;
      await read();
      settle.release();
      await writing;
      await settled();
      expect(reasons()).toContain('pending');
      await read();
      expect(loads).toBe(2);
    });
  });
});
