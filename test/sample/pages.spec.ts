import type { INestApplication } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { CacheOpsService } from 'nestjs-cacheops';
import request from 'supertest';
import { DataSource } from 'typeorm';
import { AppModule } from '../../sample/films/app.module.js';
import { readEnvironment } from '../../sample/films/environment.js';
import { Film } from '../../sample/films/films/film.entity.js';

describe('the HTML page of the films sample', () => {
  let app: INestApplication;
  const page = async (query: object): Promise<{ html: string; statements: number }> => {
    const { text, headers } = await request(app.getHttpServer()).get('/pages/films').query(query).expect(200);
    expect(headers['content-type']).toContain('text/html');
    return { html: text, statements: Number(headers['x-sql-statements']) };
  };
  const edit = (id: number, title: string) => app.get(DataSource).manager.update(Film, { id }, { title });

  beforeAll(async () => {
    const module = await Test.createTestingModule({
      imports: [AppModule.register(readEnvironment({}))],
    }).compile();
    app = await module.createNestApplication().init();
  }, 60_000);
  afterAll(() => app?.close());

  it('is made of fragments that are rendered again when their films change, and only then', async () => {
    const western = { genre: 'Western' };
    const first = await page(western);
    expect(first.html).toContain('href="/pages/films?genre=Romantic%20Comedy">Romantic Comedy</a>');
    const { hits } = app.get(CacheOpsService).stats();
    expect(await page(western)).toEqual({ html: first.html, statements: 0 });
    // Two fragments; no query was looked up.
    expect(app.get(CacheOpsService).stats().hits).toBe(hits + 2);

    const { manager } = app.get(DataSource);
    const [shown] = await manager.find(Film, {
      where: { genre: { name: 'Western' } },
      order: { id: 'ASC' },
      take: 1,
    });
    const [other] = await manager.find(Film, { where: { genre: { name: 'Horror' } }, take: 1 });
    await edit(other!.id, 'Of another genre');
    expect((await page(western)).statements).toBe(0);
    await edit(shown!.id, 'A <new> title & more');
    const changed = await page(western);
    expect(changed.html).toContain('>A &lt;new&gt; title &amp; more</a>');
    expect(changed.statements).toBeGreaterThan(0);
  });

  it('answers what is not found or malformed as the rest of the application does', async () => {
    await request(app.getHttpServer()).get('/pages/films?genre=Opera').expect(400);
    await request(app.getHttpServer()).get('/pages/films?take=many').expect(400);
  });
});
