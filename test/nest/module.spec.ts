import { Injectable, Module, type OnModuleInit } from '@nestjs/common';
import {
  getDataSourceToken,
  getRepositoryToken,
  InjectDataSource,
  InjectRepository,
  TypeOrmModule,
} from '@nestjs/typeorm';
import { DataSource, Repository } from 'typeorm';
import {
  CacheOpsModule,
  type CacheOpsOptions,
  type CacheOpsOptionsFactory,
  CacheOpsService,
  type EntityRule,
} from '../../lib/index.js';
import { closeApps, KeptLog, sqlite, start } from './app.js';
import { Article, Category, ENTITIES, Pair } from './entities.js';

afterEach(closeApps);

const log = new KeptLog();
const OPTIONS: CacheOpsOptions = { logger: log, entities: { '*': { ops: 'all' } } };

@Injectable()
class OptionsFactory implements CacheOpsOptionsFactory {
  createCacheOpsOptions(): CacheOpsOptions {
    return OPTIONS;
  }
}

@Module({ providers: [OptionsFactory], exports: [OptionsFactory] })
class ConfigModule {}

/** Whether reads of the application's categories are cached, and writes make them stale. */
async function isObserved(app: Awaited<ReturnType<typeof start>>, name?: string): Promise<boolean> {
  const dataSource = app.get<DataSource>(getDataSourceToken(name));
  const cacheOps = app.get(CacheOpsService);
  const before = cacheOps.stats();
  await dataSource.manager.save(Category, { name: 'a' });
  expect(await dataSource.manager.find(Category)).toHaveLength(1);
  expect(await dataSource.manager.find(Category)).toHaveLength(1);
  await dataSource.manager.save(Category, { name: 'b' });
  expect(await dataSource.manager.find(Category)).toHaveLength(2);
  const after = cacheOps.stats();
  return after.hits - before.hits === 1 && after.stores - before.stores === 2;
}

describe('registration', () => {
  it.each([
    ['forRoot', CacheOpsModule.forRoot(OPTIONS)],
    ['useFactory', CacheOpsModule.forRootAsync({ useFactory: async () => OPTIONS })],
    [
      'useFactory with injections',
      CacheOpsModule.forRootAsync({
        imports: [ConfigModule],
        inject: [OptionsFactory],
        useFactory: (factory: OptionsFactory) => factory.createCacheOpsOptions(),
      }),
    ],
    ['useClass', CacheOpsModule.forRootAsync({ useClass: OptionsFactory })],
    ['useExisting', CacheOpsModule.forRootAsync({ imports: [ConfigModule], useExisting: OptionsFactory })],
  ])('%s', async (_, module) => {
    expect(await isObserved(await start({ imports: [sqlite(), module] }))).toBe(true);
  });
});

/** Injects without importing. */
@Injectable()
class Consumer {
  constructor(readonly cacheOps: CacheOpsService) {}
}

@Module({ providers: [Consumer] })
class ConsumerModule {}

describe('isGlobal', () => {
  it('gives the service to every module by default', async () => {
    const app = await start({ imports: [CacheOpsModule.forRoot({ logger: log }), ConsumerModule] });
    expect(app.get(Consumer).cacheOps).toBe(app.get(CacheOpsService));
  });

  it.each([
    ['forRoot', () => CacheOpsModule.forRoot({ isGlobal: false, logger: log })],
    [
      'forRootAsync',
      () => CacheOpsModule.forRootAsync({ isGlobal: false, useFactory: () => ({ logger: log }) }),
    ],
  ])('false keeps it to those that import the module (%s)', async (_, module) => {
    await expect(start({ imports: [module(), ConsumerModule] })).rejects.toThrow(/CacheOpsService/);
    const app = await start({ imports: [module()], providers: [Consumer] });
    expect(app.get(Consumer).cacheOps).toBeInstanceOf(CacheOpsService);
  });
});

describe('configuration errors', () => {
  const config = (option: string) => expect.objectContaining({ code: 'CONFIG', option }) as Error;

  it.each([
    ['forRoot', CacheOpsModule.forRoot({ ttl: 'soon' })],
    ['forRootAsync', CacheOpsModule.forRootAsync({ useFactory: () => ({ ttl: 'soon' }) })],
  ])('of %s stop the start', async (_, module) => {
    await expect(start({ imports: [module] })).rejects.toThrow(config('ttl'));
  });

  it('refuse a second root', async () => {
    const twice = {
      imports: [CacheOpsModule.forRoot({ isGlobal: false }), CacheOpsModule.forRoot({ ttl: '1m' })],
    };
    await expect(start(twice)).rejects.toThrow(config('forRoot'));
  });

  it('refuse a profile of an entity that does not exist, and say which do', async () => {
    const imports = [sqlite(), CacheOpsModule.forRoot({ entities: { Artikel: {} }, logger: log })];
    await expect(start({ imports })).rejects.toThrow(config('entities'));
    await expect(start({ imports })).rejects.toThrow(/Article, Category, Pair/);
  });

  it('refuse a DataSource that does not exist, and say which do', async () => {
    const imports = [sqlite(), CacheOpsModule.forRoot({ dataSources: ['default', 'reports'], logger: log })];
    await expect(start({ imports })).rejects.toThrow(config('dataSources'));
    await expect(start({ imports })).rejects.toThrow(/of the application \(default\), got "reports"/);
  });

  it('refuse a malformed forFeature where it is written, and two rules for one entity at start', async () => {
    expect(() => CacheOpsModule.forFeature([[Article, { ops: 'find' as never }]])).toThrow(
      config('forFeature[0](Article).ops'),
    );
    const feature = (): ReturnType<typeof CacheOpsModule.forFeature> =>
      CacheOpsModule.forFeature([[Article, {}]]);
    const imports = [sqlite(), CacheOpsModule.forRoot({ logger: log }), feature(), feature()];
    await expect(start({ imports })).rejects.toThrow(config('forFeature[1](Article)'));
  });
});

describe('forFeature', () => {
  const automatic = async (entities: CacheOpsOptions['entities'], ...rules: EntityRule[]) => {
    const features = [CacheOpsModule.forFeature(rules)];
    const root = CacheOpsModule.forRoot({ logger: log, ...(entities ? { entities } : {}) });
    const app = await start({ imports: [sqlite(), root, ...features] });
    const query = app.get(DataSource).getRepository(Article).createQueryBuilder('a');
    const report = await app.get(CacheOpsService).explain(query);
    return report.cacheable ? report.automatic : report.reason;
  };

  it('counts where forRoot says nothing', async () => {
    expect(await automatic(undefined, [Article, { ops: 'get' }])).toEqual(['get']);
  });

  it('wins over a glob of forRoot', async () => {
    expect(await automatic({ '*': { ops: 'fetch' } }, [Article, { ops: 'get' }])).toEqual(['get']);
    expect(await automatic({ 'A*': false }, ['Article', { ops: 'count' }])).toEqual(['count']);
  });

  it('gives way to a name and to a class of forRoot', async () => {
    expect(await automatic({ Article: { ops: 'fetch' } }, [Article, { ops: 'get' }])).toEqual(['fetch']);
    expect(await automatic([[Article, false]], ['Article', { ops: 'get' }])).toMatch(/never cached/);
  });
});

describe('DataSources', () => {
  @Injectable()
  class Seeder implements OnModuleInit {
    constructor(
      @InjectRepository(Category) private readonly categories: Repository<Category>,
      private readonly cacheOps: CacheOpsService,
    ) {}

    async onModuleInit(): Promise<void> {
      const before = this.cacheOps.stats();
      expect(await this.categories.count()).toBe(0);
      await this.categories.save({ name: 'seed' });
      expect(await this.categories.count()).toBe(1);
      const after = this.cacheOps.stats();
      expect([after.stores - before.stores, after.invalidations - before.invalidations]).toEqual([2, 1]);
    }
  }

  @Module({ imports: [TypeOrmModule.forFeature([Category])], providers: [Seeder] })
  class SeedModule {}

  it.each([
    ['before', (cache: never) => [sqlite(), SeedModule, cache]],
    ['after', (cache: never) => [cache, sqlite(), SeedModule]],
  ])('the unnamed one is observed before a seeder of a module %s writes', async (_, imports) => {
    for (const isGlobal of [true, false]) {
      const module = CacheOpsModule.forRoot({ ...OPTIONS, isGlobal });
      const seed = isGlobal ? imports(module as never) : [sqlite(), module];
      const app = await start({
        imports: seed,
        ...(isGlobal ? {} : { providers: [Seeder, ...repositories] }),
      });
      expect(await app.get(DataSource).manager.count(Category)).toBe(1);
    }
  });

  const repositories = [
    {
      provide: getRepositoryToken(Category),
      inject: [DataSource],
      useFactory: (dataSource: DataSource) => dataSource.getRepository(Category),
    },
  ];

  it('observes each under its name', async () => {
    const imports = [sqlite(), sqlite('reports'), CacheOpsModule.forRoot(OPTIONS)];
    const app = await start({ imports });
    expect(await isObserved(app)).toBe(true);
    expect(await isObserved(app, 'reports')).toBe(true);
    const query = app.get<DataSource>(getDataSourceToken('reports')).getRepository(Pair).createQueryBuilder();
    expect((await app.get(CacheOpsService).explain(query)).tokens).toContain('t:{reports/pair}');
  });

  it('lets a write of one leave entries of the other alone', async () => {
    const app = await start({ imports: [sqlite(), sqlite('reports'), CacheOpsModule.forRoot(OPTIONS)] });
    const reports = app.get<DataSource>(getDataSourceToken('reports'));
    await app.get(DataSource).manager.count(Pair);
    await reports.manager.save(Pair, { left: 1, right: 2 });
    const { hits } = app.get(CacheOpsService).stats();
    await app.get(DataSource).manager.count(Pair);
    expect(app.get(CacheOpsService).stats().hits).toBe(hits + 1);
  });

  it('observes only those that are named', async () => {
    const imports = [
      sqlite(),
      sqlite('reports'),
      CacheOpsModule.forRoot({ ...OPTIONS, dataSources: ['reports'] }),
    ];
    const app = await start({ imports });
    expect(await isObserved(app)).toBe(false);
    expect(await isObserved(app, 'reports')).toBe(true);
  });

  it.each([
    ['forRoot', CacheOpsModule.forRoot({ ...OPTIONS, dataSources: ['reports'] })],
    ['forRootAsync', CacheOpsModule.forRootAsync({ dataSources: ['reports'], useFactory: () => OPTIONS })],
  ])('observes a named one before a global module writes, if %s names it', async (_, module) => {
    let invalidations: number | undefined;
    @Injectable()
    class NamedSeeder implements OnModuleInit {
      constructor(
        @InjectDataSource('reports') private readonly reports: DataSource,
        private readonly cacheOps: CacheOpsService,
      ) {}

      async onModuleInit(): Promise<void> {
        const before = this.cacheOps.stats().invalidations;
        await this.reports.manager.save(Category, { name: 'seed' });
        invalidations = this.cacheOps.stats().invalidations - before;
      }
    }
    @Module({ providers: [NamedSeeder] })
    class SeedsFirst {}
    await start({ imports: [{ module: SeedsFirst, global: true }, sqlite('reports'), module] });
    expect(invalidations).toBe(1);
  });

  it('observes one that is initialised later, once it is', async () => {
    const imports = [sqlite(undefined, { manualInitialization: true }), CacheOpsModule.forRoot(OPTIONS)];
    const app = await start({ imports });
    await app.get(DataSource).initialize();
    expect(await isObserved(app)).toBe(true);
  });

  it('observes one that the application provides itself', async () => {
    const provider = {
      provide: 'MINE',
      useFactory: () => new DataSource({ type: 'sqljs', entities: ENTITIES, synchronize: true }).initialize(),
    };
    const app = await start({ imports: [CacheOpsModule.forRoot({ logger: log })], providers: [provider] });
    const query = app.get<DataSource>('MINE').getRepository(Category).createQueryBuilder().cache(true);
    expect((await app.get(CacheOpsService).explain(query)).tokens).toContain('t:{MINE/category}');
    await app.get<DataSource>('MINE').destroy();
  });
});

describe('without TypeORM', () => {
  it('caches values, and says that there are no entities', async () => {
    const app = await start({ imports: [CacheOpsModule.forRoot({ logger: log })] });
    const cacheOps = app.get(CacheOpsService);
    expect(await cacheOps.getOrSet('k', () => 1, { tags: ['t'] })).toBe(1);
    expect(await cacheOps.getOrSet('k', () => 2)).toBe(1);
    await cacheOps.invalidate('t');
    expect(await cacheOps.getOrSet('k', () => 2)).toBe(2);
    await expect(cacheOps.invalidateModel(Article)).rejects.toThrow(
      expect.objectContaining({
        code: 'UNKNOWN_ENTITY',
        message: expect.stringMatching(/No DataSource is observed/),
      }),
    );
  });
});

describe('enabled: false', () => {
  it('gives the same providers, and passes everything through', async () => {
    const kept = new KeptLog();
    const redis = 'redis://127.0.0.1:1';
    const app = await start({
      imports: [sqlite(), CacheOpsModule.forRoot({ ...OPTIONS, enabled: false, redis, logger: kept })],
    });
    const cacheOps = app.get(CacheOpsService);
    let calls = 0;
    const counted = cacheOps.wrap(() => ++calls, { key: 'counted' });
    expect([await counted(), await counted()]).toEqual([1, 2]);
    expect(await cacheOps.getOrSet('k', () => ++calls, { deps: [class Unknown {}] })).toBe(3);
    await cacheOps.set('k', 1);
    expect(await cacheOps.get('k')).toBeUndefined();
    await cacheOps.invalidate(Article, 'tag');
    await cacheOps.invalidateEntity(new Article());
    await cacheOps.invalidateModel('Nobody');
    await cacheOps.invalidateAll();
    await cacheOps.delete('k');
    expect(await cacheOps.explain('k')).toEqual({ key: 'k', stored: false });
    expect(Object.hasOwn(app.get(DataSource), 'createQueryBuilder')).toBe(false);
    const { outboxes, ...counts } = cacheOps.stats();
    expect(outboxes).toEqual([]);
    expect(Object.values(counts).every((count) => count === 0)).toBe(true);
    expect(kept.lines).toEqual(['log: Switched off: everything passes through']);
  });
});

describe('the start and the end', () => {
  it('logs what is cached where', async () => {
    const kept = new KeptLog();
    await start({ imports: [sqlite(), CacheOpsModule.forRoot({ logger: kept })] });
    expect(kept.lines).toEqual([
      'log: Cache in memory of this process (67108864 bytes); default ttl 3600000 ms; DataSources: default (sqljs, 3 entities)',
    ]);
  });

  it('takes the doors out again when the application closes', async () => {
    const app = await start({ imports: [sqlite(), CacheOpsModule.forRoot(OPTIONS)] });
    const dataSource = app.get(DataSource);
    expect(Object.hasOwn(dataSource, 'createQueryBuilder')).toBe(true);
    await closeApps();
    expect(Object.hasOwn(dataSource, 'createQueryBuilder')).toBe(false);
    expect(Object.hasOwn(dataSource.manager, 'save')).toBe(false);
  });
});
