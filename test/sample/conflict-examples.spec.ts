import type { INestApplication } from '@nestjs/common';
import { APP_FILTER } from '@nestjs/core';
import { Test } from '@nestjs/testing';
import { TypeOrmModule } from '@nestjs/typeorm';
import { CacheOpsModule, RecordModifiedFilter } from 'nestjs-cacheops';
import request from 'supertest';
import { DataSource, type EntitySubscriberInterface, type Repository } from 'typeorm';
import {
  Article,
  ArticleForms,
  ArticlesController,
  countView,
  saveEdit,
  saveList,
} from '../../sample/examples/conflicts.example.js';

const silent = { log: () => undefined, warn: () => undefined, error: () => undefined };

describe('docs/conflicts.md', () => {
  let app: INestApplication;
  let articles: Repository<Article>;

  beforeAll(async () => {
    const module = await Test.createTestingModule({
      imports: [
        TypeOrmModule.forRoot({ type: 'sqljs', entities: [Article], synchronize: true }),
        TypeOrmModule.forFeature([Article]),
        CacheOpsModule.forRoot({ entities: { Article: { ops: 'all' } }, versioning: {}, logger: silent }),
      ],
      controllers: [ArticlesController],
      providers: [{ provide: APP_FILTER, useClass: RecordModifiedFilter }],
    }).compile();
    app = await module.createNestApplication({ logger: false }).init();
    articles = app.get(DataSource).getRepository(Article);
  });
  afterAll(() => app.close());

  const article = (title = 'first'): Promise<Article> => articles.save(articles.create({ title }));
  const row = (id: number): Promise<Article> => articles.findOneOrFail({ where: { id }, cache: false });

  it('counts a view again when somebody was faster', async () => {
    const { id } = await article();
    let tries = 0;
    const faster: EntitySubscriberInterface<Article> = {
      listenTo: () => Article,
      // Between the look at the row and the write.
      beforeUpdate: async () => {
        if (tries++ === 0) await articles.update({ id }, { title: 'theirs' });
      },
    };
    const { subscribers } = articles.manager.dataSource;
    subscribers.push(faster);
    await countView(articles.manager.dataSource, id);
    subscribers.splice(subscribers.indexOf(faster), 1);
    expect(tries).toBeGreaterThan(1);
    expect((await row(id)).views).toBe(1);
  });

  it('merges edits of different properties, keeps their views, and throws what both have changed', async () => {
    const base = { title: 'first', body: '', views: 0 };
    const mine = await article();
    await articles.update({ id: mine.id }, { body: 'theirs', views: 7 });
    await saveEdit(articles, Object.assign(mine, { title: 'mine', views: 1 }), base);
    expect(await row(mine.id)).toMatchObject({ title: 'mine', body: 'theirs', views: 7, version: 3 });
    await articles.update({ id: mine.id }, { title: 'theirs' });
    const again = saveEdit(articles, Object.assign(mine, { title: 'mine again' }), {
      ...base,
      title: 'mine',
    });
    await expect(again).rejects.toMatchObject({
      conflicts: [{ path: 'title', base: 'mine', mine: 'mine again', theirs: 'theirs' }],
    });
  });

  it('saves a list, and tells what was left out', async () => {
    const list = [await article('a'), await article('b'), await article('c')];
    await articles.update({ id: list[1]!.id }, { body: 'theirs' });
    for (const each of list) each.title += '!';
    expect(await saveList(articles, list)).toEqual(['b!']);
    expect((await Promise.all(list.map(({ id }) => row(id)))).map(({ title }) => title)).toEqual([
      'a!',
      'b',
      'c!',
    ]);
  });

  it('signs the version in a form', async () => {
    const [mine, other] = [await article(), await article()];
    const [secret, old] = ['the secret of this year', 'the secret of last year'];
    const forms = new ArticleForms([secret, old]);
    const token = forms.token(mine);
    expect(forms.version(mine.id, token)).toBe(1);
    expect(forms.version(mine.id, new ArticleForms([old]).token(mine))).toBe(1);
    expect(() => forms.version(other.id, token)).toThrow();
    expect(() => forms.version(mine.id, token.replace(/^1/, '2'))).toThrow();
  });

  it('answers with entity tags, 412, 409 and 428, and shows what may be shown', async () => {
    const { id } = await article();
    const http = request(app.getHttpServer());
    const read = await http.get(`/articles/${id}`).expect(200);
    expect(read.headers['etag']).toBe(`"${id}:1"`);
    const mine = http.patch(`/articles/${id}`).set('If-Match', `"${id}:1"`);
    expect((await mine.send({ title: 'second' }).expect(200)).headers['etag']).toBe(`"${id}:2"`);
    const late = http.patch(`/articles/${id}`).set('If-Match', `"${id}:1"`);
    const { body } = await late.send({ title: 'late' }).expect(412);
    expect(body).toMatchObject({
      code: 'RECORD_MODIFIED',
      actual: '2',
      current: { title: 'second', body: '' },
    });
    expect(JSON.stringify(body)).not.toContain('editors');
    await http.patch(`/articles/${id}/body`).send({ body: 'x' }).expect(428);
    await http.patch(`/articles/${id}/body`).set('If-Match', `"${id}:2"`).send({ body: 'x' }).expect(200);
    expect(await row(id)).toMatchObject({ title: 'second', body: 'x', version: 3 });
    const faster: EntitySubscriberInterface<Article> = {
      listenTo: () => Article,
      beforeUpdate: async ({ entity }) => {
        if (entity?.['title'] === 'mine')
          await articles.query(`UPDATE article SET version = 9 WHERE id = ${id}`);
      },
    };
    const { subscribers } = articles.manager.dataSource;
    subscribers.push(faster);
    await http.patch(`/articles/${id}`).send({ title: 'mine' }).expect(409);
    subscribers.splice(subscribers.indexOf(faster), 1);
  });
});
