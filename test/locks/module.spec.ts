import { Injectable, Module } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { TypeOrmModule } from '@nestjs/typeorm';
import { Column, DataSource, Entity, PrimaryColumn } from 'typeorm';
import { CacheOpsModule, type CacheOpsOptions, LockService, MemoryLockDriver } from '../../lib/index.js';
import { redisUrl, uniquePrefix } from '../support/redis.js';
import { settled } from './lock-fixture.js';

@Entity()
class Order {
  @PrimaryColumn()
  id!: number;
  @Column({ nullable: true })
  customer!: string;
  @Column('simple-json', { nullable: true })
  notes?: object;
}

@Injectable()
class Orders {
  constructor(readonly locks: LockService) {}
}

@Module({ providers: [Orders] })
class OrdersModule {}

let app: TestingModule;
async function start(options: CacheOpsOptions = {}, withDatabase = false): Promise<LockService> {
  const database = withDatabase
    ? [TypeOrmModule.forRoot({ type: 'sqljs', entities: [Order], synchronize: true })]
    : [];
  const logger = { log: () => undefined, warn: () => undefined, error: () => undefined };
  const imports = [...database, CacheOpsModule.forRoot({ logger, ...options }), OrdersModule];
  app = await Test.createTestingModule({ imports }).compile();
  await app.init();
  return app.get(Orders).locks;
}
afterEach(() => app.close());

const order = (values: Partial<Order>): Order => Object.assign(new Order(), values);

describe('the module', () => {
  it('provides locks in memory where there is no Redis', async () => {
    const locks = await start();
    await locks.using('a', async () => expect(await locks.tryAcquire('a')).toBeNull());
    expect(app.get(LockService, { strict: false })).toBe(locks);
  });

  it('provides locks in the Redis of the cache', async () => {
    const prefix = uniquePrefix();
    const locks = await start({ redis: redisUrl(), prefix });
    const other = await Test.createTestingModule({
      imports: [CacheOpsModule.forRoot({ redis: redisUrl(), prefix, enabled: false })],
    }).compile();
    await other.init();
    const lock = await locks.acquire('a', { ttl: 1_000 });
    // Switched off is the cache, not what keeps processes apart.
    expect(await other.get(LockService).tryAcquire('a')).toBeNull();
    await lock.release();
    expect(await other.get(LockService).tryAcquire('a', { ttl: 100 })).not.toBeNull();
    await other.close();
  });

  it('takes a driver, or a function that is called for the first lock', async () => {
    const driver = new MemoryLockDriver();
    let made = 0;
    const locks = await start({ locks: { driver: async () => (made++, driver), ttl: '3s', wait: 0 } });
    expect(made).toBe(0);
    const lock = await locks.acquire('a');
    expect(lock.remaining).toBeLessThanOrEqual(3_000);
    expect((await driver.inspect('a')).holders).toHaveLength(1);
    await expect(locks.acquire('a')).rejects.toMatchObject({ code: 'LOCK_BUSY' });
    expect(made).toBe(1);
  });

  it.each([
    ['locks.driver', { driver: 'redis' }],
    ['locks.driver', { driver: {} }],
    ['locks.ttl', { ttl: 0 }],
    ['locks.wait', { wait: -1 }],
    ['locks.timeout', { timeout: 0 }],
    ['locks.retries', { retries: 1 }],
  ])('refuses %s in %j', async (option, locks) => {
    await start();
    const bad = Test.createTestingModule({ imports: [CacheOpsModule.forRoot({ locks: locks as never })] });
    await expect(bad.compile()).rejects.toMatchObject({ option });
  });
});

describe('forEntity', () => {
  it('locks the row, whatever object stands for it', async () => {
    const locks = await start({}, true);
    await app
      .get(DataSource)
      .getRepository(Order)
      .save(order({ id: 1, customer: 'c' }));
    await locks.forEntity(order({ id: 1 })).using(async () => {
      expect(await locks.forEntity(order({ id: 1 })).tryAcquire()).toBeNull();
      expect(await locks.forEntity(order({ id: 2 })).tryAcquire({ refresh: false })).not.toBeNull();
      expect(
        await locks.forEntity(order({ customer: 'c' }), 'customer').tryAcquire({ refresh: false }),
      ).not.toBeNull();
    });
  });

  it('reads the row anew under the lock', async () => {
    const locks = await start({}, true);
    const orders = app.get(DataSource).getRepository(Order);
    await orders.save(order({ id: 1, customer: 'old' }));
    const mine = await orders.findOneByOrFail({ id: 1 });
    await orders.update(1, { customer: 'new' });
    const unread = await locks.forEntity(mine).acquire({ refresh: false });
    expect(mine.customer).toBe('old');
    await unread.release();
    await locks.forEntity(mine).using(() => expect(mine.customer).toBe('new'));
  });

  it('does not keep the lock of a row that is gone', async () => {
    const locks = await start({}, true);
    const gone = locks.forEntity(order({ id: 7 }));
    await expect(gone.acquire()).rejects.toMatchObject({ code: 'UNKNOWN_DEPENDENCY' });
    expect((await locks.whoHolds(gone.name)).holders).toEqual([]);
  });

  it.each([
    ['what is no entity', () => ({ id: 1 }), []],
    ['an entity that is not saved', () => order({ customer: 'c' }), []],
    ['a column without a value', () => order({ id: 1 }), ['customer']],
    ['a column that cannot be compared', () => order({ id: 1, notes: {} }), ['notes']],
    ['a column that it has not', () => Object.assign(order({ id: 1 }), { colour: 'red' }), ['colour']],
  ])('refuses %s', async (_, entity, columns) => {
    const locks = await start({}, true);
    expect(() => locks.forEntity(entity(), ...(columns as never[]))).toThrow(
      expect.objectContaining({ name: 'CacheOpsDependencyError' }),
    );
  });
});

describe('releaseAfterCommit', () => {
  it.each(['commit', 'rollback'])('releases with the %s of the transaction', async (end) => {
    const locks = await start({}, true);
    const transaction = app.get(DataSource).transaction(async (manager) => {
      await locks.using('a', { releaseAfterCommit: manager }, () => manager.save(order({ id: 1 })));
      expect(await locks.tryAcquire('a')).toBeNull();
      if (end === 'rollback') throw new Error('rollback');
    });
    await transaction.catch(() => undefined);
    await settled();
    expect(await locks.tryAcquire('a')).not.toBeNull();
  });
});
