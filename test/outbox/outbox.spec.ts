import { afterEach, describe, expect, it } from '@jest/globals';
import { DataSource, EntitySchema, type ObjectLiteral } from 'typeorm';
import type { CacheDriver } from '../../lib/drivers/cache-driver.interface.js';
import { MemoryDriver } from '../../lib/drivers/memory.driver.js';
import { ChaosDriver } from '../../lib/testing/index.js';
import { outboxEntity, outboxTriggers } from '../../lib/typeorm/index.js';
import { ObservedDataSource } from '../../lib/typeorm/observed-data-source.js';
import { cachedSource, cacheServices, type CachedSource } from '../support/cached-data-source.js';
import { createDatabase, DATABASES, type DatabaseKind } from '../support/databases.js';
import { Item, Note, SHOP, Shelf } from '../typeorm/shop.entities.js';

const OUTBOX = { table: 'cacheops_outbox', interval: 60_000 };
const SERVERS = ['postgres', 'mariadb'] as const;

const open: { close(): Promise<void> }[] = [];

afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each.close();
});

async function source(kind: DatabaseKind, driver?: CacheDriver): Promise<CachedSource> {
  const created = await cachedSource(kind, {
    entities: [...SHOP, outboxEntity()],
    outbox: OUTBOX,
    ...(driver && { driver }),
  });
  open.push(created);
  return created;
}

/** A second process on the same database and the same backend. */
async function second(first: CachedSource, driver: CacheDriver) {
  const { database } = first.dataSource.options;
  const options = { ...first.dataSource.options, database, synchronize: false, dropSchema: false };
  const dataSource = await new DataSource(options as never).initialize();
  const services = await cacheServices({ driver, outbox: OUTBOX });
  const observed = (await ObservedDataSource.attach(dataSource, 'default', services)) as ObservedDataSource;
  const close = async (): Promise<void> => {
    await services.invalidator.drain();
    observed.detach();
    services.context.dispose();
    await dataSource.destroy();
  };
  open.push({ close });
  return { dataSource, observed, services };
}

/** What is really in the table, past everything that is tested. */
async function rows({ dataSource }: { dataSource: DataSource }): Promise<ObjectLiteral[]> {
  return dataSource.query<ObjectLiteral[]>('SELECT id, origin, payload FROM cacheops_outbox');
}

/** So that rows of the application count as left behind. */
const age = (source: CachedSource): Promise<void> =>
  outside(source, [`UPDATE cacheops_outbox SET created_at = '2020-01-01 00:00:00'`]);

/** Waits for the settles, then for the removals that they asked for. */
async function settled({ services, observed }: Pick<CachedSource, 'services' | 'observed'>): Promise<void> {
  await services.invalidator.drain();
  await observed.outbox?.drain();
}

/** Writes that no door sees: another service, or a person with a client. */
async function outside({ dataSource }: CachedSource, statements: readonly string[]): Promise<void> {
  if (dataSource.options.type === 'sqljs') {
    const { databaseConnection } = dataSource.driver as unknown as {
      databaseConnection: { run(sql: string): void };
    };
    for (const statement of statements) databaseConnection.run(statement);
    return;
  }
  const bare = await new DataSource({
    ...dataSource.options,
    synchronize: false,
    entities: [],
  }).initialize();
  for (const statement of statements) await bare.query(statement);
  await bare.destroy();
}

async function seed({ dataSource }: CachedSource): Promise<void> {
  await dataSource.getRepository(Shelf).insert([{ name: 'A' }, { name: 'B' }]);
  await dataSource.getRepository(Item).insert([
    { id: 1, title: 'one', shelfId: 1 },
    { id: 2, title: 'two', shelfId: 2 },
  ]);
}

const title = async (dataSource: DataSource, id: number): Promise<string | undefined> =>
  (await dataSource.getRepository(Item).findOneBy({ id }))?.title;

describe.each(DATABASES)('The outbox of %s', (kind) => {
  it('has a row for each transaction that wrote, in that transaction, until the cache has it', async () => {
    const one = await source(kind);
    await seed(one);
    await settled(one);
    expect(await rows(one)).toEqual([]);
    one.log.clear();

    await one.dataSource.transaction(async (manager) => {
      await manager.update(Item, 1, { title: 'uno' });
      await manager.update(Item, 2, { title: 'due' });
    });
    const statements = one.log.statements;
    const at = statements.findIndex(
      (sql) => sql.startsWith('INSERT INTO') && sql.includes('cacheops_outbox'),
    );
    expect(at).toBeGreaterThan(statements.findLastIndex((sql) => sql.startsWith('UPDATE')));
    expect(statements[at + 1]).toBe('COMMIT');
    expect(statements.filter((sql) => sql.startsWith('INSERT INTO'))).toHaveLength(1);
    expect(await rows(one)).toMatchObject([{ origin: 'app' }]);
    await settled(one);
    expect(await rows(one)).toEqual([]);
  });

  it('has its row before the marks are set: nothing comes between them and the COMMIT', async () => {
    const driver = new ChaosDriver(new MemoryDriver());
    const { dataSource, log } = await source(kind, driver);
    const pend = driver.hold('pend');
    const saved = dataSource.getRepository(Shelf).save({ name: 'a' });
    await pend.reached;
    expect(log.statements.at(-1)).toMatch(/^INSERT INTO .?cacheops_outbox/);
    pend.release();
    await saved;
    expect(log.statements.at(-1)).toMatch(/^COMMIT/);
  });

  it('has none for a transaction that was rolled back, or that only read', async () => {
    const one = await source(kind);
    await seed(one);
    await settled(one);
    await expect(
      one.dataSource.transaction(async (manager) => {
        await manager.update(Item, 1, { title: 'uno' });
        throw new Error('no');
      }),
    ).rejects.toThrow('no');
    await one.dataSource.transaction((manager) => manager.findBy(Item, {}));
    expect(await rows(one)).toEqual([]);
  });

  it.each<[string, (source: CachedSource) => Promise<unknown>]>([
    ['raw SQL', ({ dataSource }) => dataSource.query(`UPDATE item SET stock = 7 WHERE title = 'one'`)],
    [
      'a query builder',
      ({ dataSource }) =>
        dataSource.createQueryBuilder().update(Item).set({ stock: 7 }).where({ id: 1 }).execute(),
    ],
  ])(
    'gives %s outside a transaction one, so that row and change are committed together',
    async (_, write) => {
      const one = await source(kind);
      await seed(one);
      await settled(one);
      one.log.clear();
      await write(one);
      const words = one.log.statements.map((sql) => sql.trim().split(/\s/)[0]);
      expect(words.at(0)).toMatch(/START|BEGIN/);
      expect(words.slice(-3)).toEqual(['UPDATE', 'INSERT', 'COMMIT']);
    },
  );

  it('keeps the row of a write whose invalidation could not be told, until a relay has told it', async () => {
    const shared = new MemoryDriver();
    const chaos = new ChaosDriver(shared);
    const one = await source(kind, chaos);
    await seed(one);
    await settled(one);
    expect(await title(one.dataSource, 1)).toBe('one');

    for (const method of ['pend', 'restamp'] as const) chaos.fail(method);
    await one.dataSource.getRepository(Item).update(1, { title: 'uno' });
    await settled(one);
    expect(await rows(one)).toHaveLength(1);

    await age(one);
    await one.observed.outbox?.relay();
    expect(await rows(one)).toEqual([]);
    expect(await title(one.dataSource, 1)).toBe('uno');
    expect(one.observed.outbox?.stats()).toEqual({
      dataSource: 'default',
      pending: 0,
      oldest: expect.any(Number),
      relayed: 1,
    });
  });

  it('keeps what the backend does not take', async () => {
    const chaos = new ChaosDriver(new MemoryDriver());
    const one = await source(kind, chaos);
    await seed(one);
    await settled(one);
    chaos.fail('settle', 2);
    await one.dataSource.getRepository(Item).update(1, { title: 'uno' });
    await one.services.invalidator.drain();
    await age(one);
    await one.observed.outbox?.relay();
    expect(await rows(one)).toHaveLength(1);
    expect(one.events.filter(({ type }) => type === 'error')).toMatchObject([
      { operation: 'settle' },
      { operation: 'outbox' },
    ]);
    await one.observed.outbox?.relay();
    expect(await rows(one)).toEqual([]);
  });

  it('says how many rows wait, and for how long', async () => {
    const chaos = new ChaosDriver(new MemoryDriver());
    const one = await source(kind, chaos);
    await seed(one);
    await settled(one);
    chaos.fail('settle');
    await one.dataSource.getRepository(Item).update(1, { title: 'uno' });
    await settled(one);
    expect(one.observed.outbox?.stats()).toMatchObject({ pending: 1, relayed: 0 });
    await age(one);
    chaos.fail('settle');
    await settled(one);
    expect(one.observed.outbox?.stats().oldest).toBeGreaterThan(3600);
  });

  it('takes a payload that it cannot read for a change of everything', async () => {
    const one = await source(kind);
    await seed(one);
    await title(one.dataSource, 1);
    await outside(one, [
      `UPDATE item SET title = 'uno' WHERE id = 1`,
      `INSERT INTO cacheops_outbox (id, origin, payload, created_at) VALUES ('x', 'trigger', '{oops', '2020-01-01 00:00:00')`,
    ]);
    expect(await title(one.dataSource, 1)).toBe('one');
    await one.observed.outbox?.relay();
    expect(await title(one.dataSource, 1)).toBe('uno');
  });

  it('is an error at the start where its table is missing', async () => {
    const { options, drop } = await createDatabase(kind);
    const dataSource = await new DataSource(options).initialize();
    const services = await cacheServices({ outbox: OUTBOX });
    const attached = ObservedDataSource.attach(dataSource, 'default', services);
    await expect(attached).rejects.toMatchObject({ code: 'CONFIG', option: 'outbox' });
    await expect(attached).rejects.toThrow(/migration CreateCacheOpsOutbox/);
    services.context.dispose();
    await dataSource.destroy();
    await drop();
  });
});

describe.each(SERVERS)('Relays of several processes on %s', (kind) => {
  it('deliver what a process left behind that died, out of reach of the backend', async () => {
    const shared = new MemoryDriver();
    const chaos = new ChaosDriver(shared);
    const one = await source(kind, chaos);
    await seed(one);
    await settled(one);
    const two = await second(one, shared);
    expect(await title(two.dataSource, 1)).toBe('one');

    for (const method of ['pend', 'restamp'] as const) chaos.fail(method);
    await one.dataSource.getRepository(Item).update(1, { title: 'uno' });
    await one.services.invalidator.drain();
    // What the outbox is for: nobody told the second process.
    expect(await title(two.dataSource, 1)).toBe('one');
    await age(one);
    await two.observed.outbox?.relay();
    expect(await title(two.dataSource, 1)).toBe('uno');
  });

  it('share the rows: none waits for another, none is delivered twice', async () => {
    const shared = new MemoryDriver();
    const one = await source(kind, shared);
    await seed(one);
    await settled(one);
    const two = await second(one, shared);
    const payload = JSON.stringify({ tokens: ['t:{item}'] });
    const values = Array.from(
      { length: 450 },
      (_, i) => `('r${i}', 'trigger', '${payload}', '2020-01-01 00:00:00')`,
    );
    await outside(one, [
      `INSERT INTO cacheops_outbox (id, origin, payload, created_at) VALUES ${values.join(', ')}`,
    ]);
    await Promise.all([one.observed.outbox?.relay(), two.observed.outbox?.relay()]);
    const relayed = [one, two].map(({ observed }) => observed.outbox?.stats().relayed ?? 0);
    expect(relayed.reduce((a, b) => a + b)).toBe(450);
    expect(await rows(one)).toEqual([]);
  });
});

describe.each(DATABASES)('Triggers of %s', (kind) => {
  async function withTriggers(driver?: CacheDriver): Promise<CachedSource> {
    const one = await source(kind, driver);
    await seed(one);
    await outside(one, outboxTriggers(one.dataSource).up);
    await settled(one);
    return one;
  }

  const relay = (one: CachedSource): Promise<void> | undefined => one.observed.outbox?.relay();

  it('tell an edit from outside, and only the readers of its rows miss', async () => {
    const one = await withTriggers();
    const read = async (): Promise<(string | undefined)[]> => [
      await title(one.dataSource, 1),
      await title(one.dataSource, 2),
    ];
    await read();
    await outside(one, [`UPDATE item SET title = 'uno' WHERE id = 1`]);
    expect(await read()).toEqual(['one', 'two']);
    await relay(one);
    one.log.clear();
    expect(await read()).toEqual(['uno', 'two']);
    expect(one.log.statements.filter((sql) => sql.startsWith('SELECT'))).toHaveLength(1);
  });

  it('tell rows that come, go, and move from one condition to another', async () => {
    const one = await withTriggers();
    const items = one.dataSource.getRepository(Item);
    const counts = async (): Promise<number[]> => [
      await items.countBy({ shelfId: 1 }),
      await items.countBy({ shelfId: 2 }),
    ];
    expect(await counts()).toEqual([1, 1]);
    await outside(one, [`INSERT INTO item (title, ${id('shelfId')}) VALUES ('three', 1)`]);
    await relay(one);
    expect(await counts()).toEqual([2, 1]);
    await outside(one, [`UPDATE item SET ${id('shelfId')} = 2 WHERE id = 1`]);
    await relay(one);
    expect(await counts()).toEqual([1, 2]);
    await outside(one, [`DELETE FROM item WHERE id = 2`]);
    await relay(one);
    expect(await counts()).toEqual([1, 1]);
  });

  it('leave alone the readers of columns that the edit did not change', async () => {
    const one = await withTriggers();
    const count = (): Promise<number> => one.dataSource.getRepository(Item).countBy({ shelfId: 1 });
    await count();
    await outside(one, [`UPDATE item SET title = 'uno' WHERE id = 1`]);
    await relay(one);
    one.log.clear();
    await count();
    expect(one.log.statements).toEqual([]);
  });

  it('tell what foreign keys did', async () => {
    const one = await withTriggers();
    const notes = one.dataSource.getRepository(Note);
    await notes.insert([{ text: 'n', item: { id: 1 } }]);
    await settled(one);
    expect(await notes.count()).toBe(1);
    await outside(one, ['DELETE FROM item WHERE id = 1']);
    await relay(one);
    expect(await notes.count()).toBe(0);
  });

  it('are gone after down', async () => {
    const one = await withTriggers();
    await outside(one, outboxTriggers(one.dataSource).down);
    await outside(one, [`UPDATE item SET title = 'uno' WHERE id = 1`]);
    expect(await rows(one)).toEqual([]);
  });

  it('know the entities by name', async () => {
    const one = await source(kind);
    const { up } = outboxTriggers(one.dataSource, { entities: ['Note'] });
    expect(up.every((sql) => sql.includes('cacheops_note_'))).toBe(true);
    expect(() => outboxTriggers(one.dataSource, { entities: ['Notes'] })).toThrow(
      /names of entities \(.*Note.*\)/,
    );
  });

  const id = (name: string): string => (kind === 'mariadb' ? `\`${name}\`` : `"${name}"`);
});

describe('Triggers of PostgreSQL', () => {
  it('tell TRUNCATE', async () => {
    const one = await source('postgres');
    await seed(one);
    await outside(one, outboxTriggers(one.dataSource).up);
    const count = (): Promise<number> => one.dataSource.getRepository(Item).count();
    expect(await count()).toBe(2);
    await outside(one, ['TRUNCATE item CASCADE']);
    await one.observed.outbox?.relay();
    expect(await count()).toBe(0);
  });
});

/** They once shared a function, since only the words of the name were told apart, and told each other's rows. */
describe('Triggers of tables whose names differ by their schema', () => {
  class Named {
    id!: number;
    label!: string;
  }
  const inSchema = (name: string, tableName: string, schema?: string): EntitySchema<Named> =>
    new EntitySchema<Named>({
      name,
      tableName,
      ...(schema !== undefined && { schema }),
      columns: { id: { type: Number, primary: true }, label: { type: String } },
    });

  it('tell the rows of their own table', async () => {
    const tables = [inSchema('One', 'b', 'a'), inSchema('Two', 'a_b'), inSchema('Three', 'b', 'c')];
    const one = await cachedSource('postgres', {
      entities: [...tables, outboxEntity()],
      outbox: OUTBOX,
    });
    open.push(one);
    await outside(one, outboxTriggers(one.dataSource).up);
    for (const table of ['a.b', 'a_b', 'c.b'])
      await outside(one, [`INSERT INTO ${table} (id, label) VALUES (1, '${table}')`]);
    expect((await rows(one)).map(({ payload }) => (JSON.parse(payload) as { table: string }).table)).toEqual([
      'a.b',
      'a_b',
      'c.b',
    ]);
    await outside(one, outboxTriggers(one.dataSource).down);
    await outside(one, [`DELETE FROM c.b`]);
    expect(await rows(one)).toHaveLength(3);
  });
});

describe.each(SERVERS)('Triggers of %s with exceptUser', (kind) => {
  it('leave out what the application announces itself', async () => {
    const one = await source(kind);
    const { username } = one.dataSource.options as { username: string };
    await outside(one, outboxTriggers(one.dataSource, { exceptUser: username }).up);
    await seed(one);
    await settled(one);
    await outside(one, [`UPDATE item SET title = 'uno' WHERE id = 1`]);
    expect(await rows(one)).toEqual([]);
  });
});
