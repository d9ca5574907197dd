// One process of stale-soak.ts: an application with the module, that reads or writes. Argument: its configuration.
import 'reflect-metadata';
import { setTimeout as sleep } from 'node:timers/promises';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { TypeOrmModule } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { CacheOpsModule, CacheOpsService } from '../../../lib/index.js';
import { hostTime } from '../../../lib/locks/drivers/file.host-process.js';
import { Random } from '../../differential/random.js';
import { outboxEntity } from '../../../lib/typeorm/index.js';
import { Deaths } from './deaths.js';
import { History, Item } from './entities.js';
import type { FromWorker, ToWorker, WorkerConfig } from './protocol.js';
import { Reader } from './reader.js';
import { Writer } from './writer.js';

const config = JSON.parse(process.argv[2] ?? '') as WorkerConfig;
const random = new Random(config.seed);
const tell = (message: FromWorker): Promise<void> =>
  new Promise((resolve) => void process.send?.(message, () => resolve()));

function noteReturn(message: string): void {
  if (message.startsWith('Redis is back')) void tell({ is: 'back', by: config.seed, at: hostTime() });
}

let finishing = false;
let readAll = false;
const deaths = new Deaths();
const began = new Promise<void>((begin) => {
  process.on('message', ({ do: what }: ToWorker) => what === 'begin' && begin());
});
process.on('message', (message: ToWorker) => {
  if (message.do === 'finish') finishing = true;
  else if (message.do === 'read all') readAll = true;
  else if (message.do === 'die') deaths.next = message.at;
});
// The parent is gone.
process.on('disconnect', () => process.exit(1));

@Module({
  imports: [
    TypeOrmModule.forRoot({
      ...config.database,
      entities: [Item, History, outboxEntity()],
      retryAttempts: 0,
    }),
    CacheOpsModule.forRoot({
      redis: config.redis,
      prefix: config.prefix,
      near: config.mode === 'off' ? false : { maxBytes: '8mb', mode: config.mode, maxLag: config.maxLag },
      pendTtl: config.pendTtl,
      timeouts: config.timeouts,
      onRedisFailure: config.onRedisFailure,
      outbox: true,
      entities: { History: false, '*': { ops: 'all', ttl: '1h' } },
      logger: { log: noteReturn, warn: () => undefined, error: () => undefined },
    }),
  ],
})
class App {}

const app = await NestFactory.createApplicationContext(App, { logger: false });
const dataSource = app.get(DataSource);
const service = app.get(CacheOpsService);
await tell({ is: 'ready' });
await began;
if (config.role === 'reader') {
  const reader = new Reader(dataSource, random, tell);
  while (!finishing) {
    await reader.some();
    if (readAll) {
      readAll = false;
      await reader.all();
    }
    await sleep(random.below(8));
  }
} else {
  const writer = new Writer(dataSource, service, random, config.silent);
  while (!finishing) {
    const outcome = await writer.write();
    if (outcome === 'refused') await tell({ is: 'refused' });
    else if (outcome) await tell({ is: 'ack', ack: { ...outcome, by: config.seed } });
    deaths.acknowledged(typeof outcome === 'object' && outcome.degraded);
    await sleep(random.below(outcome === 'refused' ? 100 : 20));
  }
}
const { hits, nearHits, misses } = service.stats();
await tell({ is: 'counts', counts: { hits, nearHits, misses } });
await app.close();
process.exit(0);
