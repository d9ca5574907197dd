import type { Type } from '@nestjs/common';
import type { TestingModule } from '@nestjs/testing';
import { CacheOpsModule, CacheOpsService } from 'nestjs-cacheops';
import { DataSource } from 'typeorm';
import { Article, Category } from '../../sample/examples/articles.entities.js';
import { ArticlesService } from '../../sample/examples/cached-as.example.js';
import { OrdersService } from '../../sample/examples/cache-key.example.js';
import { RatesService } from '../../sample/examples/cached.example.js';
import { LinksService } from '../../sample/examples/invalidate-on.example.js';
import { ImportService } from '../../sample/examples/invalidates.example.js';
import { MaintenanceService } from '../../sample/examples/no-cache.example.js';
import { ArticlesController } from '../../sample/examples/routes.example.js';
import { closeServed, PLATFORMS, serve } from '../http/platforms.js';
import { closeApps, KeptLog, sqlite, start } from '../nest/app.js';

afterEach(closeApps);
afterEach(closeServed);

const database = () => sqlite(undefined, { entities: [Article, Category] });

async function fill(db: DataSource): Promise<void> {
  await db.getRepository(Category).insert([{ name: 'one' }, { name: 'two' }]);
  await db.getRepository(Article).insert([
    { title: 'a', categoryId: 1 },
    { title: 'b', categoryId: 2 },
  ]);
}

async function open(
  ...providers: Type[]
): Promise<{ module: TestingModule; db: DataSource; cacheOps: CacheOpsService }> {
  const module = await start({
    imports: [database(), CacheOpsModule.forRoot({ logger: new KeptLog() })],
    providers,
  });
  const db = module.get(DataSource);
  await fill(db);
  return { module, db, cacheOps: module.get(CacheOpsService) };
}

it('@CachedAs', async () => {
  const { module, db, cacheOps } = await open(ArticlesService);
  const articles = module.get(ArticlesService);
  const rename = (id: number, title: string) => db.getRepository(Article).update({ id }, { title });
  const all = async () => [(await articles.one(1))?.title, await articles.titles(1), await articles.report()];
  expect(await all()).toEqual(['a', ['a'], { articles: 2, categories: 2 }]);
  const { hits } = cacheOps.stats();
  await rename(2, 'other');
  await Promise.all([articles.one(1), articles.titles(1)]);
  expect(cacheOps.stats().hits).toBe(hits + 2);
  await rename(1, 'new');
  await db.getRepository(Category).insert({ name: 'three' });
  expect(await all()).toEqual(['new', ['new'], { articles: 2, categories: 3 }]);
  expect(await cacheOps.for(articles, 'titles').key(1).get()).toEqual(['new']);
  await cacheOps.invalidate('category:1');
  expect(await cacheOps.for(articles, 'titles').key(1).get()).toBeUndefined();
});

it('@Cached', async () => {
  const { module, cacheOps } = await open(RatesService);
  const rates = module.get(RatesService);
  expect([await rates.rate('EUR'), await rates.rate('EUR'), rates.asked]).toEqual([1, 1, 1]);
  await cacheOps.invalidate('rates');
  expect([await rates.rate('EUR'), rates.asked]).toEqual([1, 2]);
});

it('@CacheKey', async () => {
  const { module, cacheOps } = await open(OrdersService);
  const orders = module.get(OrdersService);
  const logger = { log: () => undefined };
  expect([await orders.ofShop('x', logger), await orders.ofShop('x', { log: () => undefined })]).toEqual([
    'orders of x: 1',
    'orders of x: 1',
  ]);
  expect([await orders.top(), await orders.top()]).toEqual([2, 2]);
  await cacheOps.delete('top');
  expect(await orders.top()).toBe(3);
  const user = { id: 7, seenAt: new Date(1) };
  expect(await orders.ofUser(user)).toBe(await orders.ofUser({ ...user, seenAt: new Date(2) }));
  expect(await cacheOps.get('user:7')).toBe('orders of 7: 4');
});

it('@InvalidateOn', async () => {
  const { module, db } = await open(LinksService);
  const links = module.get(LinksService);
  expect(await links.show(1)).toMatchObject({ title: 'a', link: '/categories/1' });
  await db.getRepository(Category).update({ id: 2 }, { name: 'unrelated' });
  await links.show(1);
  expect(links.made).toBe(1);
  await db.getRepository(Category).update({ id: 1 }, { name: 'renamed' });
  await links.show(1);
  expect(links.made).toBe(2);
});

it('@Invalidates', async () => {
  const { module, db, cacheOps } = await open(ArticlesService, ImportService);
  const [articles, imports] = [module.get(ArticlesService), module.get(ImportService)];
  const unseen = () =>
    cacheOps.withoutInvalidation(async () => {
      await db.getRepository(Article).insert({ title: 'imported', categoryId: 1 });
    });
  await articles.titles(1);
  const failed = imports.importCategory(1, () => Promise.reject(new Error('failed')));
  await expect(failed).rejects.toThrow('failed');
  expect(await cacheOps.for(articles, 'titles').key(1).get()).toEqual(['a']);
  await imports.importCategory(1, unseen);
  expect(await articles.titles(1)).toEqual(['a', 'imported']);
});

it('@NoCache and @NoInvalidation', async () => {
  const { module, cacheOps } = await open(ArticlesService, MaintenanceService);
  const [articles, maintenance] = [module.get(ArticlesService), module.get(MaintenanceService)];
  await articles.one(1);
  await maintenance.seen(1);
  expect((await articles.one(1))?.views).toBe(0);
  expect((await maintenance.compare(1))?.views).toBe(1);
  await cacheOps.invalidate(Article);
  expect((await articles.one(1))?.views).toBe(1);
});

it.each(PLATFORMS)('routes on %s', async (platform) => {
  const served = await serve(platform, {
    imports: [database()],
    controllers: [ArticlesController],
    providers: [ArticlesService],
  });
  const db = served.app.get(DataSource);
  await fill(db);
  const outcome = async (path: string): Promise<unknown> => (await served.get(path)).headers['x-cacheops'];
  expect([
    await outcome('/articles/1'),
    await outcome('/articles/1'),
    await outcome('/articles/now/1'),
  ]).toEqual(['miss', 'hit', undefined]);
  await db.getRepository(Article).update({ id: 2 }, { title: 'unrelated' });
  expect(await outcome('/articles/1')).toBe('hit');
  await db.getRepository(Article).update({ id: 1 }, { title: 'edited' });
  expect(await outcome('/articles/1')).toBe('miss');
});
