// Compiled by `npm run typecheck`, never run: what users may and may not write.
import { EntitySchema } from 'typeorm';
import {
  CacheOpsModule,
  type CacheOpsOptions,
  type CacheOpsService,
  dep,
  type Wrapped,
} from '../../lib/index.js';
import { rowsOf } from '../../lib/typeorm/index.js';
import { Article, Category } from '../nest/entities.js';

declare const cacheOps: CacheOpsService;
declare const article: Article;
declare const category: Category;

function same<T>(_value: T): void {}

export async function values(): Promise<void> {
  same<number>(await cacheOps.getOrSet('k', () => 1));
  same<Article[]>(
    await cacheOps.getOrSet('k', async () => [article], { deps: [Article, article], tags: ['t'], ttl: '1h' }),
  );
  same<unknown>(await cacheOps.get('k'));
  same<number | undefined>(await cacheOps.get<number>('k'));
  // @ts-expect-error a hit may be missing
  same<number>(await cacheOps.get<number>('k'));
  // @ts-expect-error dependencies are a list
  await cacheOps.getOrSet('k', () => 1, { deps: Article });
  // @ts-expect-error no such option
  await cacheOps.set('k', 1, { garce: '1h' });
}

export async function wrapping(): Promise<void> {
  const wrapped = cacheOps.wrap((id: number, name?: string) => ({ id, name }), {
    deps: (id) => [dep(Article, { id })],
  });
  same<Wrapped<[id: number, name?: string], { id: number; name: string | undefined }>>(wrapped);
  same<number>((await wrapped(1)).id);
  same<void>(await wrapped.invalidate(1, 'n'));
  same<{ id: number } | undefined>(await wrapped.key(1).get());
  // @ts-expect-error another type
  await wrapped('1');
  // @ts-expect-error another result
  await wrapped.key(1).set({ id: '1' });
}

export function dependencies(): void {
  dep(Article);
  dep(Article, { categoryId: 5, visible: true });
  dep(Article, { categoryId: [1, 2], extra: null });
  dep(Article, { category, address: { city: 'x' }, 'address.street': 'y' });
  dep(Article, { category: 5 });
  dep('Article', { anything: 1 });
  dep(new EntitySchema<{ id: number }>({ name: 'S', columns: {} }), { id: 1 });
  rowsOf(new EntitySchema<{ id: number }>({ name: 'S', columns: {} }), { id: 1 });
  // @ts-expect-error no such property
  dep(Article, { categoryid: 5 });
  // @ts-expect-error another type
  dep(Article, { title: 5 });
  // @ts-expect-error the foreign key is in the other table
  dep(Category, { articles: [5] });
  // @ts-expect-error no such property of the schema
  rowsOf(new EntitySchema<{ id: number }>({ name: 'S', columns: {} }), { no: 1 });
}

export function options(): void {
  same<CacheOpsOptions>({ ttl: undefined, redis: process.env['REDIS_URL'], entities: undefined });
  CacheOpsModule.forRoot({ entities: { Article: { ops: 'get' }, '*': false } });
  CacheOpsModule.forRoot({
    entities: [
      [Article, { ops: ['get', 'count'], ttl: '1h' }],
      ['A*', false],
    ],
  });
  CacheOpsModule.forRoot({ prefix: () => 'tenant' });
  CacheOpsModule.forRootAsync({
    inject: ['X'],
    useFactory: (x: number) => ({ ttl: x }),
    isGlobal: false,
    dataSources: ['a'],
  });
  CacheOpsModule.forFeature([[Article, { ops: 'all' }]]);
  // @ts-expect-error no such op
  CacheOpsModule.forRoot({ entities: { Article: { ops: 'find' } } });
  CacheOpsModule.forRoot({ near: false });
  CacheOpsModule.forRoot({ near: { maxBytes: '64mb', mode: 'checked' } });
  // @ts-expect-error no such mode
  CacheOpsModule.forRoot({ near: { mode: 'hopeful' } });
  // @ts-expect-error no such option
  CacheOpsModule.forRootAsync({ useFactory: () => ({ ttl: 1 }), global: true });
}
