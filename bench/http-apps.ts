// A process of its own: `node --import ./tools/typescript.mjs bench/http-apps.ts <express|fastify> <Redis URL>`.
// Opens one application for each way to answer, and tells their ports.
import 'reflect-metadata';
import type { Server } from 'node:http';
import { Controller, Get, type INestApplication, Module, type Type, UseInterceptors } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { CacheInterceptor, CacheModule } from '@nestjs/cache-manager';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { InjectDataSource, TypeOrmModule } from '@nestjs/typeorm';
import KeyvRedis from '@keyv/redis';
import { Keyv } from 'keyv';
import { DataSource } from 'typeorm';
import { CachedAs, CacheOpsModule } from '../lib/index.js';
import { Article, articleRow, ROWS_PER_GROUP } from './entities.js';
import type { HttpWay } from './http-ways.js';

const [platform = 'express', redis = ''] = process.argv.slice(2);
const HOUR = 3_600_000;

const database = () =>
  TypeOrmModule.forRoot({ type: 'sqljs', entities: [Article], synchronize: true, retryAttempts: 0 });

const caching = (near: boolean) =>
  CacheOpsModule.forRoot({
    redis,
    prefix: `bench-${near ? 'near' : 'shared'}-${platform}:`,
    near: near && {},
    http: { header: true },
    logger: { log: () => undefined, warn: console.error, error: console.error },
  });

class Base {
  constructor(@InjectDataSource() protected readonly db: DataSource) {}

  async onApplicationBootstrap(): Promise<void> {
    await this.db.manager.insert(Article, rows());
  }

  protected articles(): Promise<Article[]> {
    return this.db.manager.find(Article, { where: { groupId: 1 }, order: { id: 'ASC' } });
  }
}

@Controller()
class Constant extends Base {
  private text = '';

  override async onApplicationBootstrap(): Promise<void> {
    await super.onApplicationBootstrap();
    this.text = JSON.stringify(await this.articles());
  }

  @Get()
  get(): string {
    return this.text;
  }
}

@Controller()
class Uncached extends Base {
  private list: Article[] = [];

  override async onApplicationBootstrap(): Promise<void> {
    await super.onApplicationBootstrap();
    this.list = await this.articles();
  }

  @Get()
  get(): Article[] {
    return this.list;
  }
}

@Controller()
class Ours extends Base {
  @Get()
  @CachedAs()
  get(): Promise<Article[]> {
    return this.articles();
  }
}

@Controller()
class Theirs extends Base {
  @Get()
  @UseInterceptors(CacheInterceptor)
  get(): Promise<Article[]> {
    return this.articles();
  }
}

const rows = (): object[] =>
  Array.from({ length: ROWS_PER_GROUP }, (_, i) => ({ ...articleRow(i), groupId: 1 }));

const theirRedis = () =>
  CacheModule.register({ ttl: HOUR, stores: [new Keyv({ store: new KeyvRedis(redis) })] });

const WAYS: Readonly<Record<HttpWay, { readonly controller: Type; readonly imports: unknown[] }>> = {
  constant: { controller: Constant, imports: [] },
  object: { controller: Uncached, imports: [] },
  near: { controller: Ours, imports: [caching(true)] },
  shared: { controller: Ours, imports: [caching(false)] },
  'theirs in memory': { controller: Theirs, imports: [CacheModule.register({ ttl: HOUR })] },
  'theirs in Redis': { controller: Theirs, imports: [theirRedis()] },
};

async function open(way: HttpWay): Promise<number> {
  const { controller, imports } = WAYS[way];

  @Module({ imports: [database(), ...(imports as Type[])], controllers: [controller] })
  class AppModule {}

  const adapter = platform === 'express' ? new ExpressAdapter() : new FastifyAdapter();
  const app: INestApplication = await NestFactory.create(AppModule, adapter as ExpressAdapter, {
    logger: false,
  });
  await app.listen(0, '127.0.0.1');
  // A case's connections idle while the others have their turns.
  (app.getHttpServer() as Server).keepAliveTimeout = 0;
  return Number(new URL(await app.getUrl()).port);
}

const ports: Record<string, number> = {};
for (const way of Object.keys(WAYS) as HttpWay[]) ports[way] = await open(way);
process.send?.(ports);
process.on('disconnect', () => process.exit());
