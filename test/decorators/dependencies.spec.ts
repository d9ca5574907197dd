import { Injectable } from '@nestjs/common';
import type { TestingModule } from '@nestjs/testing';
import { InjectDataSource } from '@nestjs/typeorm';
import { Observable, lastValueFrom, of, throwError } from 'rxjs';
import { DataSource } from 'typeorm';
import {
  Cached,
  CachedAs,
  type CacheEvent,
  CacheOpsModule,
  CacheOpsService,
  type CallContext,
  dep,
  InvalidateOn,
  Invalidates,
  NoCache,
  NoInvalidation,
} from '../../lib/index.js';
import { closeApps, KeptLog, sqlite, start } from '../nest/app.js';
import { Article, Category } from '../nest/entities.js';

@Injectable()
class Library {
  calls = 0;

  constructor(@InjectDataSource() readonly db: DataSource) {}

  // What it runs says what it depends on.
  @CachedAs()
  async count(categoryId: number): Promise<number> {
    this.calls++;
    return this.db.manager.countBy(Article, { categoryId });
  }

  @CachedAs(() => [Article], { track: false })
  async anyArticle(): Promise<number> {
    return ++this.calls + 0 * (await this.db.manager.count(Category));
  }

  @CachedAs((ctx) => dep(Article, { categoryId: ctx.args[0] }), {
    tags: (ctx) => [`c${ctx.args[0] as number}`],
  })
  async ofCategory(_categoryId: number): Promise<number> {
    return ++this.calls;
  }

  @CachedAs((ctx: CallContext<[Article]>) => ctx.args[0])
  async ofArticle(article: Article): Promise<string> {
    return `${article.title} ${++this.calls}`;
  }

  @Cached({ ttl: '1h' })
  async byTime(): Promise<number> {
    return ++this.calls + 0 * (await this.db.manager.count(Article));
  }

  @CachedAs()
  async random(): Promise<unknown> {
    this.calls++;
    return this.db.query('SELECT random() AS r');
  }

  @CachedAs({ track: false })
  @InvalidateOn(
    () => Category,
    (ctx: CallContext<[number], Article>) => dep(Category, { id: ctx.result.categoryId }),
  )
  @InvalidateOn(() => 'library')
  async withCategory(id: number): Promise<Article> {
    this.calls++;
    return this.db.manager.findOneByOrFail(Article, { id });
  }

  @CachedAs({ track: false })
  @InvalidateOn(() => Category, () => dep(Article, { id: 1 }))
  async wrong(): Promise<number> {
    return 1;
  }

  @Invalidates((ctx) => [dep(Article, { categoryId: ctx.args[0] }), 'library'])
  async change(_categoryId: number, fail?: 'fail'): Promise<string> {
    if (fail) throw new Error('not changed');
    return 'changed';
  }

  @Invalidates((ctx: CallContext<[], { tag: string }>) => ctx.result.tag)
  sync(): { tag: string } {
    return { tag: 'library' };
  }

  @Invalidates(() => 'library')
  @Invalidates(() => undefined)
  observed(fail = false): Observable<number> {
    return fail ? throwError(() => new Error('not changed')) : of(1, 2);
  }

  @Invalidates(() => 5 as never)
  async wrongly(): Promise<number> {
    return 1;
  }

  @NoCache()
  async fresh(): Promise<number> {
    return this.byTime();
  }

  @NoCache()
  freshly(): Observable<number> {
    return new Observable((subscriber) => {
      void this.byTime().then((value) => {
        subscriber.next(value);
        subscriber.complete();
      });
    });
  }

  @NoInvalidation()
  async silently(categoryId: number): Promise<void> {
    await this.db.manager.insert(Article, row(categoryId));
    await this.change(categoryId);
  }
}

const row = (categoryId: number | null, title = 't') => ({
  title,
  categoryId,
  address: { city: '', street: '' },
});

describe('dependencies of cached methods', () => {
  let module: TestingModule;
  let library: Library;
  let cacheOps: CacheOpsService;
  let db: DataSource;
  const events: CacheEvent[] = [];
  beforeEach(async () => {
    module = await start({
      imports: [sqlite(), CacheOpsModule.forRoot({ logger: new KeptLog() })],
      providers: [Library],
    });
    library = module.get(Library);
    cacheOps = module.get(CacheOpsService);
    db = module.get(DataSource);
    await db.manager.insert(Category, [{ name: 'one' }, { name: 'two' }]);
    await db.manager.insert(Article, [row(1, 'a'), row(2, 'b')]);
    events.length = 0;
    cacheOps.events$.subscribe((event) => events.push(event));
  });
  afterEach(closeApps);

  it('are those of the queries in the body', async () => {
    await library.count(1);
    await db.manager.insert(Article, row(2));
    expect([await library.count(1), library.calls]).toEqual([1, 1]);
    await db.manager.insert(Article, row(1));
    expect([await library.count(1), library.calls]).toEqual([2, 2]);
  });

  it('are those that are named, and no others with track: false', async () => {
    await library.anyArticle();
    await db.manager.insert(Category, { name: 'c' });
    expect(await library.anyArticle()).toBe(1);
    await db.manager.insert(Article, row(2));
    expect(await library.anyArticle()).toBe(2);
  });

  it('are named by the arguments, as are tags', async () => {
    await library.ofCategory(1);
    await db.manager.insert(Article, row(2));
    expect(await library.ofCategory(1)).toBe(1);
    await db.manager.insert(Article, row(1));
    expect(await library.ofCategory(1)).toBe(2);
    await cacheOps.invalidate('c1');
    expect(await library.ofCategory(1)).toBe(3);
  });

  it('may be an entity among the arguments, whose identity is the key', async () => {
    const article = await db.manager.findOneByOrFail(Article, { id: 1 });
    const other = await db.manager.findOneByOrFail(Article, { id: 2 });
    expect(await library.ofArticle(article)).toBe('a 1');
    const same = Object.assign(new Article(), { id: 1, title: 'not looked at' });
    expect(await library.ofArticle(same)).toBe('a 1');
    expect(await library.ofArticle(other)).toBe('b 2');
    await db.manager.update(Article, { id: 1 }, { title: 'new' });
    expect(await library.ofArticle(same)).toBe('not looked at 3');
    expect(await library.ofArticle(other)).toBe('b 2');
    await expect(library.ofArticle(new Article())).rejects.toThrow(
      /args\[0\] \(article\) cannot be part of a key/,
    );
  });

  it('are none of @Cached', async () => {
    await library.byTime();
    await db.manager.insert(Article, row(1));
    expect(await library.byTime()).toBe(1);
  });

  it('that cannot be found keep a result from being stored', async () => {
    await library.random();
    await library.random();
    expect(library.calls).toBe(2);
    expect(events).toContainEqual(expect.objectContaining({ type: 'refuse', reason: 'untracked' }));
  });

  it('may come from the result', async () => {
    await library.withCategory(1);
    await db.manager.update(Category, { id: 2 }, { name: 'x' });
    await library.withCategory(1);
    expect(library.calls).toBe(1);
    await db.manager.update(Category, { id: 1 }, { name: 'y' });
    await library.withCategory(1);
    expect(library.calls).toBe(2);
    await cacheOps.invalidate('library');
    await library.withCategory(1);
    expect(library.calls).toBe(3);
  });

  it('from the result must be rows of the entity that is named first', async () => {
    await expect(library.wrong()).rejects.toThrow(
      /rows of the entities that @InvalidateOn on .*Library.wrong names first/,
    );
  });

  describe('@Invalidates', () => {
    const isStored = async (): Promise<boolean> => (await cacheOps.explain('k')).stored;
    beforeEach(() => cacheOps.set('k', 1, { tags: ['library'] }));

    it('makes stale what it names, after success', async () => {
      await library.ofCategory(1);
      await library.ofCategory(2);
      expect(await library.change(1)).toBe('changed');
      expect([await isStored(), await library.ofCategory(1), await library.ofCategory(2)]).toEqual([
        false,
        3,
        2,
      ]);
    });

    it('does nothing after an error', async () => {
      await expect(library.change(1, 'fail')).rejects.toThrow('not changed');
      await expect(lastValueFrom(library.observed(true))).rejects.toThrow('not changed');
      expect(await isStored()).toBe(true);
    });

    it('hands a synchronous result through', async () => {
      expect(library.sync()).toEqual({ tag: 'library' });
      await new Promise(setImmediate);
      expect(await isStored()).toBe(false);
    });

    it('waits for the end of an Observable', async () => {
      const source = library.observed();
      expect(await isStored()).toBe(true);
      const values: number[] = [];
      await new Promise<void>((resolve, reject) => {
        source.subscribe({ next: (value) => values.push(value), error: reject, complete: resolve });
      });
      expect([values, await isStored()]).toEqual([[1, 2], false]);
    });

    it('refuses what is no dependency', async () => {
      await expect(library.wrongly()).rejects.toMatchObject({ code: 'UNKNOWN_DEPENDENCY' });
    });
  });

  it('@NoCache reads from the source', async () => {
    await library.byTime();
    expect(await library.fresh()).toBe(2);
    expect(await lastValueFrom(library.freshly())).toBe(3);
    expect(await library.byTime()).toBe(1);
  });

  it('@NoInvalidation makes nothing stale', async () => {
    await library.ofCategory(1);
    await library.count(1);
    await library.silently(1);
    expect([await library.ofCategory(1), await library.count(1)]).toEqual([1, 1]);
  });
});
