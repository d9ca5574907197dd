import { Injectable, Module } from '@nestjs/common';
import type { TestingModule } from '@nestjs/testing';
import { getDataSourceToken, InjectDataSource, TypeOrmModule } from '@nestjs/typeorm';
import {
  ClsPluginTransactional,
  InjectTransaction,
  type Transaction,
  Transactional as ClsTransactional,
} from '@nestjs-cls/transactional';
import { TransactionalAdapterTypeOrm } from '@nestjs-cls/transactional-adapter-typeorm';
import { ClsModule } from 'nestjs-cls';
import { DataSource, type EntityManager } from 'typeorm';
import {
  addTransactionalDataSource,
  initializeTransactionalContext,
  StorageDriver,
  Transactional,
} from 'typeorm-transactional';
import { Cached, CacheOpsModule, Invalidates } from '../../../lib/index.js';
import { KeptLog, sqlite, start } from '../../nest/app.js';
import { Article, Category, ENTITIES } from '../../nest/entities.js';

/** Lets a transaction wait for what the test looks at meanwhile. */
class Gate {
  private open: () => void = () => undefined;
  private arrived: () => void = () => undefined;
  readonly reached = new Promise<void>((resolve) => (this.arrived = resolve));
  private readonly opened = new Promise<void>((resolve) => (this.open = resolve));

  async pass(): Promise<void> {
    this.arrived();
    await this.opened;
  }

  release(): void {
    this.open();
  }
}

let calls = 0;

/** What is read and said to be stale, whichever library makes the transaction. */
abstract class Shop {
  abstract readonly manager: EntityManager;

  @Cached({ tags: ['shop'] })
  async top(): Promise<number> {
    return ++calls;
  }

  @Invalidates(() => 'shop')
  async changed(fail = false): Promise<void> {
    await this.manager.insert(Article, { title: 'new', categoryId: 1 });
    if (fail) throw new Error('not changed');
  }
}

interface Buying extends Shop {
  buy(gate: Gate, fail?: 'after' | 'inside'): Promise<void>;
}

async function buying(shop: Shop, gate: Gate, fail?: 'after' | 'inside'): Promise<void> {
  await shop.changed(fail === 'inside').catch((error: unknown) => {
    if (fail !== 'inside') throw error;
  });
  await gate.pass();
  if (fail === 'after') throw new Error('rolled back');
}

@Injectable()
class TypeOrmShop extends Shop implements Buying {
  constructor(@InjectDataSource() private readonly dataSource: DataSource) {
    super();
  }

  get manager(): EntityManager {
    return this.dataSource.manager;
  }

  @Transactional()
  async buy(gate: Gate, fail?: 'after' | 'inside'): Promise<void> {
    await buying(this, gate, fail);
  }

  @Transactional()
  @Invalidates(() => 'shop')
  async both(fail: boolean): Promise<void> {
    await this.manager.insert(Article, { title: 'new', categoryId: 1 });
    if (fail) throw new Error('rolled back');
  }
}

@Injectable()
class ClsShop extends Shop implements Buying {
  constructor(@InjectTransaction() private readonly tx: Transaction<TransactionalAdapterTypeOrm>) {
    super();
  }

  get manager(): EntityManager {
    return this.tx;
  }

  @ClsTransactional()
  async buy(gate: Gate, fail?: 'after' | 'inside'): Promise<void> {
    await buying(this, gate, fail);
  }

  @ClsTransactional()
  @Invalidates(() => 'shop')
  async both(fail: boolean): Promise<void> {
    await this.manager.insert(Article, { title: 'new', categoryId: 1 });
    if (fail) throw new Error('rolled back');
  }
}

const cache = CacheOpsModule.forRoot({ logger: new KeptLog(), entities: { Article: { ops: 'all' } } });

async function withTypeOrmTransactional(): Promise<TestingModule> {
  initializeTransactionalContext({ storageDriver: StorageDriver.ASYNC_LOCAL_STORAGE });
  const database = TypeOrmModule.forRootAsync({
    useFactory: () => ({
      type: 'sqljs' as const,
      entities: ENTITIES,
      synchronize: true,
      retryAttempts: 0,
    }),
    dataSourceFactory: async (options) => addTransactionalDataSource(new DataSource(options!)),
  });
  return start({ imports: [database, cache], providers: [TypeOrmShop] });
}

@Module({ imports: [sqlite()] })
class DatabaseModule {}

async function withCls(): Promise<TestingModule> {
  const plugin = new ClsPluginTransactional({
    imports: [DatabaseModule],
    adapter: new TransactionalAdapterTypeOrm({ dataSourceToken: getDataSourceToken() as string }),
    enableTransactionProxy: true,
  });
  const cls = ClsModule.forRoot({ plugins: [plugin] });
  return start({ imports: [DatabaseModule, cls, cache], providers: [ClsShop] });
}

/** What was seen, by what had happened. */
export interface Seen {
  readonly duringTransaction: number;
  readonly afterCommit: number;
  readonly afterRollback: number;
  readonly afterOwnFailure: number;
  readonly afterRollbackOfItsOwn: number;
  readonly afterCommitOfItsOwn: number;
  /** A count that is cached by itself. */
  readonly counts: readonly number[];
}

async function see(shop: TypeOrmShop | ClsShop, db: DataSource): Promise<Seen> {
  await db.getRepository(Category).insert({ name: 'one' });
  const count = (): Promise<number> => db.getRepository(Article).count();
  const passing = (): Gate => {
    const gate = new Gate();
    gate.release();
    return gate;
  };
  const counts = [await count()];
  await shop.top();
  const gate = new Gate();
  const bought = shop.buy(gate);
  await gate.reached;
  const duringTransaction = await shop.top();
  gate.release();
  await bought;
  counts.push(await count());
  const afterCommit = await shop.top();
  await shop.buy(passing(), 'after').catch(() => undefined);
  const afterRollback = await shop.top();
  counts.push(await count());
  await shop.buy(passing(), 'inside');
  const afterOwnFailure = await shop.top();
  counts.push(await count());
  await shop.both(true).catch(() => undefined);
  const afterRollbackOfItsOwn = await shop.top();
  await shop.both(false);
  const afterCommitOfItsOwn = await shop.top();
  counts.push(await count());
  return {
    duringTransaction,
    afterCommit,
    afterRollback,
    afterOwnFailure,
    afterRollbackOfItsOwn,
    afterCommitOfItsOwn,
    counts,
  };
}

const isCls = process.argv[2] === '@nestjs-cls/transactional';
const app = await (isCls ? withCls() : withTypeOrmTransactional());
const seen = await see(app.get<TypeOrmShop | ClsShop>(isCls ? ClsShop : TypeOrmShop), app.get(DataSource));
await app.close();
console.log(JSON.stringify(seen));
