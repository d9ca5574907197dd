import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Controller, Get, Query, Render } from '@nestjs/common';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { Test } from '@nestjs/testing';
import nunjucks from 'nunjucks';
import request from 'supertest';
import { CacheOpsModule, CacheOpsService } from '../../lib/index.js';
import { NunjucksCache } from '../../lib/templates/nunjucks.js';

let renders = 0;

@Controller()
class PageController {
  @Get()
  @Render('page.njk')
  page(@Query('user') user: string) {
    return { user, next: async () => ++renders };
  }

  @Get('broken')
  @Render('page.njk')
  broken() {
    return { user: 'x', next: () => Promise.reject(new Error('no')) };
  }
}

describe('views of Express', () => {
  let folder: string;
  let app: NestExpressApplication;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'cacheops-views-'));
    await writeFile(
      join(folder, 'page.njk'),
      `{% cached '1m', 'box', user %}<p>{{ user }} {{ next() | await }}</p>{% endcached %}`,
    );
    const module = await Test.createTestingModule({
      imports: [CacheOpsModule.forRoot()],
      controllers: [PageController],
      providers: [NunjucksCache],
    }).compile();
    app = module.createNestApplication<NestExpressApplication>({ logger: false });
    const express = app.getHttpAdapter().getInstance() as object;
    app.get(NunjucksCache).install(nunjucks.configure(folder, { express }));
    await app.init();
  });
  afterAll(async () => {
    await app.close();
    await rm(folder, { recursive: true });
  });

  it('render cached fragments', async () => {
    const page = async (user: string) =>
      (await request(app.getHttpServer()).get('/').query({ user }).expect(200)).text;
    expect([await page('<a>'), await page('b'), await page('<a>')]).toEqual([
      '<p>&lt;a&gt; 1</p>',
      '<p>b 2</p>',
      '<p>&lt;a&gt; 1</p>',
    ]);
    await app.get(NunjucksCache).invalidateFragment('box', 'b');
    expect([await page('<a>'), await page('b')]).toEqual(['<p>&lt;a&gt; 1</p>', '<p>b 3</p>']);
  });

  it('answer with 500 what fails, and go on', async () => {
    await app.get(CacheOpsService).invalidateAll();
    await request(app.getHttpServer()).get('/broken').expect(500);
    await request(app.getHttpServer()).get('/').query({ user: 'x' }).expect(200, '<p>x 4</p>');
  });
});
