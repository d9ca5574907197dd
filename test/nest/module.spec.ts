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
import { Article, Category, Pair } from './entities.js';

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
