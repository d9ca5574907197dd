// One process of the specs of this folder: an application with the module. Argument: its configuration.
import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { TypeOrmModule } from '@nestjs/typeorm';
import { DataSource, type DataSourceOptions } from 'typeorm';
import { CacheOpsModule, type CacheOpsOptions, CacheOpsService } from '../../lib/index.js';
import { outboxEntity } from '../../lib/typeorm/index.js';
import { Deaths } from '../soak/stale/deaths.js';
import type { Death } from '../soak/stale/protocol.js';
import { RELEASES } from './entities.js';

export interface ApplicationConfig {
  readonly database: DataSourceOptions;
  readonly release: keyof typeof RELEASES;
  readonly cacheOps: CacheOpsOptions;
}

type Command =
  | { readonly type: 'read' }
  | { readonly type: 'write'; readonly set: object }
  /** Between two steps of the next transaction that gets there. */
  | { readonly type: 'die'; readonly at: Death };

const config = JSON.parse(process.argv[2] ?? '') as ApplicationConfig;
const entity = RELEASES[config.release];
const say = (type: string, more: object = {}): Promise<void> =>
  new Promise((resolve) => void process.send?.({ type, ...more }, () => resolve()));
const deaths = new Deaths();

@Module({
  imports: [
    TypeOrmModule.forRoot({ ...config.database, entities: [entity, outboxEntity()], retryAttempts: 0 }),
    CacheOpsModule.forRoot({ ...config.cacheOps, entities: { '*': { ops: 'all' } } }),
  ],
})
class App {}

const app = await NestFactory.createApplicationContext(App, { logger: false });
const service = app.get(CacheOpsService);
const articles = app.get(DataSource).getRepository(entity);
service.events$.subscribe((event) => {
  if (event.type === 'invalidate') void say('invalidated');
});
process.on('message', (command: Command) => void carryOut(command));
process.on('disconnect', () => process.exit(1));
await say('ready');

async function carryOut(command: Command): Promise<void> {
  if (command.type === 'die') {
    deaths.next = command.at;
    return say('armed');
  }
  if (command.type === 'read') {
    const row = await articles.findOneBy({ id: 1 });
    return say('row', { row, hits: service.stats().hits });
  }
  await articles.manager.transaction((manager) => manager.update(entity, { id: 1 }, command.set));
  await say('written');
  deaths.acknowledged(false);
}
