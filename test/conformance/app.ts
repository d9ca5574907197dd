import { Test } from '@nestjs/testing';
import { TypeOrmModule } from '@nestjs/typeorm';
import { DataSource, type EntityTarget, type ObjectLiteral, type Repository } from 'typeorm';
import { type CacheEvent, CacheOpsModule, type CacheOpsOptions, CacheOpsService } from '../../lib/index.js';
import { createDatabase, type DatabaseKind } from '../support/databases.js';
import { StatementLog } from '../support/statement-log.js';
import { BLOG } from './entities/blog.js';

/** An application as its author writes it: Nest, TypeORM and this module. */
export interface App {
  readonly cacheOps: CacheOpsService;
  readonly dataSource: DataSource;
  readonly log: StatementLog;
  readonly events: CacheEvent[];
  repo<T extends ObjectLiteral>(entity: EntityTarget<T>): Repository<T>;
  close(): Promise<void>;
}

const QUIET = { log: () => undefined, warn: () => undefined, error: () => undefined };

/** Caches everything of all entities by itself, in memory, unless `options` say otherwise. */
export async function openApp(kind: DatabaseKind, options: CacheOpsOptions = {}): Promise<App> {
  const log = new StatementLog();
  const database = await createDatabase(kind, {
    entities: BLOG,
    synchronize: true,
    logging: true,
    logger: log,
  });
  const module = await Test.createTestingModule({
    imports: [
      TypeOrmModule.forRoot({ ...database.options, retryAttempts: 0 }),
      CacheOpsModule.forRoot({ logger: QUIET, entities: { '*': { ops: 'all' } }, ...options }),
    ],
  }).compile();
  await module.init();
  const cacheOps = module.get(CacheOpsService);
  const dataSource = module.get(DataSource);
  const events: CacheEvent[] = [];
  cacheOps.events$.subscribe((event) => events.push(event));
  log.clear();
  return {
    cacheOps,
    dataSource,
    log,
    events,
    repo: (entity) => dataSource.getRepository(entity),
    close: async () => {
      await module.close();
      await database.drop();
    },
  };
}
