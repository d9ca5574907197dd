import { Redis } from 'ioredis';
import { GuardedDriver } from '../../lib/drivers/guarded.driver.js';
import { RedisDriver } from '../../lib/drivers/redis.driver.js';
import { cachedSource, type CachedSource } from '../support/cached-data-source.js';
import { dropPrefix, redisUrl, uniquePrefix } from '../support/redis.js';
import { Item, Shelf, SHOP } from './shop.entities.js';

/** Law 4: one round trip for a shared hit, at most one before a commit, however many entries there are. */
describe.each(['sqlite', 'postgres', 'mariadb'] as const)('commands to Redis on %s', (kind) => {
  const prefix = uniquePrefix();
  const client = new Redis(redisUrl());
  const commands: string[] = [];
  let source: CachedSource;

  beforeAll(async () => {
    const send = client.sendCommand.bind(client);
    client.sendCommand = (command, stream) => {
      commands.push(command.name);
      return send(command, stream);
    };
    const driver = new GuardedDriver(await RedisDriver.create({ redis: client, prefix }));
    await driver.probe();
    source = await cachedSource(kind, { entities: SHOP, driver });
    await source.dataSource.getRepository(Shelf).save({ name: 'a' });
    await source.dataSource.getRepository(Item).save([
      { title: 'one', shelfId: 1, stock: 1 },
      { title: 'two', shelfId: 1, stock: 2 },
    ]);
  });
  afterAll(async () => {
    await source.close();
    await dropPrefix(client, prefix);
    client.disconnect();
  });

  async function during(work: () => Promise<unknown>): Promise<string[]> {
    await source.services.invalidator.drain();
    commands.length = 0;
    await work();
    await source.services.invalidator.drain();
    return [...commands];
  }

  const items = () => source.dataSource.getRepository(Item);
  const reads: Record<string, () => Promise<unknown>> = {
    'find with relations': () =>
      items().find({ where: { shelfId: 1 }, relations: { labels: true, notes: true } }),
    findOneBy: () => items().findOneBy({ id: 1 }),
    'query builder': () => items().createQueryBuilder('i').where('i.stock = :stock', { stock: 2 }).getMany(),
    count: () => items().countBy({ shelfId: 1 }),
    exists: () => items().existsBy({ title: 'one' }),
    sum: () => items().sum('stock', { shelfId: 1 }),
  };

  it.each(Object.entries(reads))('a hit of %s is one MGET', async (_, read) => {
    await read();
    expect(await during(read)).toEqual(['mget']);
  });

  const writes: Record<string, () => Promise<unknown>> = {
    'save()': async () => {
      const item = await source.services.context.withoutCache(() => items().findOneByOrFail({ id: 1 }));
      item.stock++;
      await items().save(item);
    },
    'update() by key': () => items().update({ id: 1 }, { title: 'other' }),
    'update() by a condition': () => items().update({ stock: 2 }, { title: 'another' }),
    'a transaction of several writes': () =>
      source.dataSource.transaction(async (manager) => {
        await manager.update(Item, { id: 1 }, { title: 'x' });
        await manager.update(Shelf, { id: 1 }, { name: 'y' });
        await manager.insert(Item, { title: 'z', shelfId: 1 });
      }),
  };

  it.each(Object.entries(writes))(
    '%s commits with two commands, with few entries and with many',
    async (_, write) => {
      for (const read of Object.values(reads)) await read();
      // The first write of a process learns which shapes there are.
      await write();
      for (const read of Object.values(reads)) await read();
      expect(await during(write)).toEqual(['evalsha', 'evalsha']);
      for (let i = 0; i < 100; i++) await items().findBy({ stock: i });
      await write();
      for (let i = 0; i < 100; i++) await items().findBy({ stock: i });
      expect(await during(write)).toEqual(['evalsha', 'evalsha']);
    },
  );
});
