import { Controller, Get, type INestApplication, Param, Render } from '@nestjs/common';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { InjectDataSource } from '@nestjs/typeorm';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DataSource } from 'typeorm';
import { Cached, CachedAs, type CallRequest } from '../../lib/index.js';
import { closeServed, PLATFORMS, serve, type Served } from '../http/platforms.js';
import { sqlite } from '../nest/app.js';
import { Category } from '../nest/entities.js';

let calls = 0;
const hold: { until: Promise<void>; reached: () => void } = {
  until: Promise.resolve(),
  reached: () => undefined,
};

@Controller('views')
class Views {
  constructor(@InjectDataSource() private readonly db: DataSource) {}

  @Get('as/:name')
  @CachedAs(() => Category, { track: false })
  as(@Param('name') name: string): object {
    return { name, calls: ++calls };
  }

  @Get('simple')
  @Cached()
  simple(): object {
    return { calls: ++calls };
  }

  @Get('slow')
  @CachedAs()
  async slow(): Promise<object> {
    const { name } = await this.db.manager.findOneByOrFail(Category, { id: 1 });
    hold.reached();
    await hold.until;
    return { name };
  }

  @Get('page')
  @Render('page')
  @CachedAs(() => Category)
  page(): object {
    return { calls: ++calls };
  }
}

afterEach(closeServed);

describe.each(PLATFORMS)('cacheops views on %s', (platform) => {
  let served: Served;
  let db: DataSource;
  beforeEach(async () => {
    calls = 0;
    hold.until = Promise.resolve();
    const before = (app: INestApplication): void => void app.setGlobalPrefix('api');
    served = await serve(platform, { imports: [sqlite()], controllers: [Views] }, { before });
    db = served.app.get(DataSource);
    await db.getRepository(Category).insert({ name: 'one' });
  });
  const ask = async (path: string, headers?: Record<string, string>): Promise<unknown> =>
    ((await served.get(`/api/views/${path}`, headers)) as { body: unknown }).body;

  it('CO-031 cached as an entity: the same address hits, whoever asks; another one does not', async () => {
    expect(await ask('as/a')).toEqual({ name: 'a', calls: 1 });
    expect(await ask('as/a', { 'X-Forwarded-For': '10.0.0.1' })).toEqual({ name: 'a', calls: 1 });
    expect(await ask('as/b')).toEqual({ name: 'b', calls: 2 });
    await db.getRepository(Category).insert({ name: 'two' });
    expect(await ask('as/a')).toEqual({ name: 'a', calls: 3 });
  });

  it('CO-135 by address: a request like it and the absolute address make it stale', async () => {
    const route = served.cacheOps.forRoute(served.app.get(Views), 'simple');
    expect([await ask('simple'), await ask('simple')]).toEqual([{ calls: 1 }, { calls: 1 }]);
    const request: CallRequest = { method: 'GET', url: '/api/views/simple', headers: {} };
    await route.invalidate(request);
    expect(await ask('simple')).toEqual({ calls: 2 });
    await route.invalidate('http://localhost:3000/api/views/simple');
    expect([await ask('simple'), await ask('simple')]).toEqual([{ calls: 3 }, { calls: 3 }]);
    await route.invalidate('/api/views/simple?other=1');
    expect(await ask('simple')).toEqual({ calls: 3 });
  });

  it('CO-X01 fill race of a view: it has read, a writer commits, it answers', async () => {
    let release: () => void = () => undefined;
    hold.until = new Promise((resolve) => (release = resolve));
    const reached = new Promise<void>((resolve) => (hold.reached = resolve));
    const first = ask('slow');
    await reached;
    await db.getRepository(Category).update({ id: 1 }, { name: 'edited' });
    const second = ask('slow');
    release();
    expect(await first).toEqual({ name: 'one' });
    expect(await second).toEqual({ name: 'edited' });
    expect(await ask('slow')).toEqual({ name: 'edited' });
  });
});

it('CO-032 a template that is rendered after the handler, without error', async () => {
  calls = 0;
  const folder = await mkdtemp(join(tmpdir(), 'cacheops-views-'));
  await writeFile(join(folder, 'page.txt'), '');
  try {
    const before = (app: INestApplication): void => {
      const express = app as NestExpressApplication;
      express.engine(
        'txt',
        (_path: string, { calls: n }: { calls: number }, done: (e: null, text: string) => void) =>
          done(null, `page ${n}`),
      );
      express.setBaseViewsDir(folder);
      express.setViewEngine('txt');
    };
    const served = await serve('express', { imports: [sqlite()], controllers: [Views] }, { before });
    const page = async (): Promise<string> => (await served.get('/views/page')).text;
    expect([await page(), await page()]).toEqual(['page 1', 'page 1']);
    await served.app.get(DataSource).getRepository(Category).insert({ name: 'two' });
    expect(await page()).toBe('page 2');
  } finally {
    await rm(folder, { recursive: true });
  }
});
