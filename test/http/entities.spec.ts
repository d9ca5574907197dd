import { Controller, Get, Injectable, Param, ParseIntPipe, Post, Scope } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { Column, DataSource, Entity, PrimaryGeneratedColumn, VersionColumn } from 'typeorm';
import {
  Cached,
  CachedAs,
  type CacheEvent,
  dep,
  InvalidateOn,
  Invalidates,
  type CallContext,
  VersionedResource,
} from '../../lib/index.js';
import { sqlite } from '../nest/app.js';
import { Article, Category } from '../nest/entities.js';
import { closeServed, PLATFORMS, serve, type Served } from './platforms.js';

let calls = 0;

@Entity()
class Account {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column()
  name!: string;

  @VersionColumn()
  version!: number;
}

@Injectable()
class Shelf {
  constructor(@InjectDataSource() readonly db: DataSource) {}

  article(id: number): Promise<Article> {
    return this.db.manager.findOneByOrFail(Article, { id });
  }
}

@Controller('articles')
class Articles {
  constructor(private readonly shelf: Shelf) {}

  // What the queries inside read says what it depends on.
  @Get('read/:id')
  @CachedAs()
  async read(@Param('id', ParseIntPipe) id: number): Promise<object> {
    calls++;
    return this.shelf.article(id);
  }

  @Get('of/:category')
  @CachedAs((ctx) => dep(Article, { categoryId: ctx.args[0] }), { track: false })
  of(@Param('category', ParseIntPipe) category: number): object {
    return { category, calls: ++calls };
  }

  @Get('any')
  @CachedAs(() => [Article], { track: false })
  any(): object {
    return { calls: ++calls };
  }

  @Get('with-category/:id')
  @CachedAs({ track: false })
  @InvalidateOn(
    () => Category,
    (ctx: CallContext<[string], Article>) => dep(Category, { id: ctx.result.categoryId }),
  )
  async withCategory(@Param('id', ParseIntPipe) id: number): Promise<object> {
    calls++;
    return this.shelf.article(id);
  }

  @Get('slow')
  @Cached({ ttl: 1, grace: '1h', tags: ['slow'] })
  slow(): object {
    return { calls: ++calls };
  }

  @Post('announce/:category')
  @Invalidates((ctx) => dep(Article, { categoryId: ctx.args[0] }))
  announce(@Param('category', ParseIntPipe) category: number): object {
    return { category };
  }
}

@Controller({ path: 'mine', scope: Scope.REQUEST })
class Mine {
  instances = ++calls;

  @Get()
  @Cached({ vary: [] })
  get(): object {
    return { instances: this.instances };
  }
}

@Controller('accounts')
@VersionedResource(Account)
class Accounts {
  constructor(private readonly shelf: Shelf) {}

  @Get(':id')
  @CachedAs()
  one(@Param('id', ParseIntPipe) id: number): Promise<Account> {
    calls++;
    return this.shelf.db.manager.findOneByOrFail(Account, { id });
  }
}

afterEach(closeServed);

describe.each(PLATFORMS)('a route over entities on %s', (platform) => {
  let served: Served;
  let db: DataSource;
  beforeEach(async () => {
    served = await serve(platform, {
      imports: [sqlite()],
      controllers: [Articles, Mine],
      providers: [Shelf],
    });
    db = served.app.get(DataSource);
    await db.getRepository(Category).save([{ name: 'one' }, { name: 'two' }]);
    await db.getRepository(Article).save([
      { title: 'a', categoryId: 1 },
      { title: 'b', categoryId: 2 },
    ]);
    calls = 0;
  });
  const body = async (path: string): Promise<unknown> => ((await served.get(path)) as { body: unknown }).body;

  it('is made anew when a row that it shows is edited, and not when another one is', async () => {
    await body('/articles/read/1');
    await db.getRepository(Article).update({ id: 2 }, { title: 'unrelated' });
    await body('/articles/read/1');
    expect(calls).toBe(1);
    await db.getRepository(Article).update({ id: 1 }, { title: 'edited' });
    expect(await body('/articles/read/1')).toMatchObject({ title: 'edited' });
    expect(calls).toBe(2);
  });

  it('depends on what its parameters say', async () => {
    await body('/articles/of/1');
    await db.getRepository(Article).insert({ title: 'c', categoryId: 2 });
    expect(await body('/articles/of/1')).toEqual({ category: 1, calls: 1 });
    await db.getRepository(Article).insert({ title: 'd', categoryId: 1 });
    expect(await body('/articles/of/1')).toEqual({ category: 1, calls: 2 });
  });

  it('depends on entities by name, and sees a write only with its commit', async () => {
    await body('/articles/any');
    await db.transaction(async (manager) => {
      await manager.insert(Article, { title: 'c', categoryId: 2 });
      expect(await body('/articles/any')).toEqual({ calls: 1 });
    });
    expect(await body('/articles/any')).toEqual({ calls: 2 });
    const rolledBack = db.transaction(async (manager) => {
      await manager.insert(Article, { title: 'd', categoryId: 2 });
      throw new Error('rolled back');
    });
    await expect(rolledBack).rejects.toThrow('rolled back');
    expect(await body('/articles/any')).toEqual({ calls: 2 });
  });

  it('depends on what its result says', async () => {
    await body('/articles/with-category/1');
    await db.getRepository(Category).update({ id: 2 }, { name: 'unrelated' });
    await body('/articles/with-category/1');
    expect(calls).toBe(1);
    await db.getRepository(Category).update({ id: 1 }, { name: 'edited' });
    await body('/articles/with-category/1');
    expect(calls).toBe(2);
  });

  it('is made anew when another route says so', async () => {
    await body('/articles/of/1');
    await body('/articles/of/2');
    const { port } = served.app.getHttpServer().address() as { port: number };
    await fetch(`http://127.0.0.1:${port}/articles/announce/1`, { method: 'POST' });
    expect([await body('/articles/of/1'), await body('/articles/of/2')]).toEqual([
      { category: 1, calls: 3 },
      { category: 2, calls: 2 },
    ]);
  });

  it('in grace is made anew by one who waits for it', async () => {
    const events: CacheEvent[] = [];
    served.cacheOps.events$.subscribe((event) => events.push(event));
    await body('/articles/slow');
    await served.cacheOps.expire('slow');
    expect(await body('/articles/slow')).toEqual({ calls: 2 });
    expect(events).toContainEqual(expect.objectContaining({ type: 'refresh', outcome: 'done' }));
    expect(events.filter(({ type }) => type === 'error')).toEqual([]);
  });

  it('about a row that has a version keeps its tag, which vouches for the row and not for the response', async () => {
    const versioned = await serve(
      platform,
      {
        imports: [sqlite(undefined, { entities: [Account] })],
        controllers: [Accounts],
        providers: [Shelf],
      },
      { options: { versioning: { guard: 'all' } } },
    );
    const { manager } = versioned.app.get(DataSource);
    const { id } = await manager.save(Account, { name: 'a' });
    const first = await versioned.get(`/accounts/${id}`);
    const etag = first.headers['etag'] as string;
    const second = await versioned.get(`/accounts/${id}`, { 'If-None-Match': etag });
    expect([etag, second.status, second.headers['etag'], calls]).toEqual([`"${id}:1"`, 200, etag, 1]);
    const refused = await versioned.get(`/accounts/${id}`, { 'If-Match': '"1:7"' });
    expect([refused.status, calls]).toEqual([412, 2]);
    await manager.save(Account, { id, name: 'b', version: 1 });
    expect((await versioned.get(`/accounts/${id}`)).headers['etag']).toBe(`"${id}:2"`);
  });

  it('of a request-scoped controller is one that says what it varies by', async () => {
    expect([await body('/mine'), await body('/mine')]).toEqual([{ instances: 1 }, { instances: 1 }]);
  });
});
