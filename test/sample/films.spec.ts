import type { INestApplication } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { CacheOpsService } from 'nestjs-cacheops';
import request from 'supertest';
import { DataSource } from 'typeorm';
import { AppModule } from '../../sample/films/app.module.js';
import { runDemo } from '../../sample/films/demo/demo.js';
import { readEnvironment } from '../../sample/films/environment.js';
import { CatalogueService } from '../../sample/films/films/catalogue.service.js';
import { Film } from '../../sample/films/films/film.entity.js';
import { FilmsService, type FilmPage } from '../../sample/films/films/films.service.js';
import { Director, Distributor, Genre, Rating } from '../../sample/films/films/named.entities.js';
import { readFilms, type SeedFilm } from '../../sample/films/seed/film-data.js';
import { SeedService } from '../../sample/films/seed/seed.service.js';
import type { Totals } from '../../sample/films/statistics/statistics.service.js';

const environment = readEnvironment({});
/** The data set takes its time to be stored where everything else runs at the same time. */
const PATIENCE = 60_000;

describe('the films sample', () => {
  let app: INestApplication;
  let data: SeedFilm[];
  const http = () => request(app.getHttpServer());
  const titles = ({ films }: FilmPage) => films.map((film) => film.title);

  beforeAll(async () => {
    data = await readFilms();
    const module = await Test.createTestingModule({ imports: [AppModule.register(environment)] }).compile();
    app = await module.createNestApplication().init();
  }, PATIENCE);
  afterAll(() => app?.close());

  it('stores every film of the data set, once, with its oddities', async () => {
    const { manager } = app.get(DataSource);
    expect(await app.get(SeedService).seed()).toBe(0);
    expect(await manager.count(Film)).toBe(3201);
    const counts = [Genre, Director, Distributor, Rating].map((entity) => manager.count(entity));
    expect(await Promise.all(counts)).toEqual([12, 550, 174, 7]);
    expect(await manager.countBy(Film, { title: '1776' })).toBe(1);
    const stored = await manager.find(Film, {
      order: { id: 'ASC' },
      relations: { genre: true, director: true },
    });
    expect(
      stored.map(({ genre, director, ...film }) => [film, genre?.name ?? null, director?.name ?? null]),
    ).toEqual(
      data.map(({ columns, genre, director }) => [expect.objectContaining({ ...columns }), genre, director]),
    );
  });

  it.each<[string, object, (film: SeedFilm) => boolean]>([
    ['genre', { genre: 'Western' }, (film) => film.genre === 'Western'],
    ['director', { director: 'Tony Scott' }, (film) => film.director === 'Tony Scott'],
    ['rating', { rating: 'NC-17' }, (film) => film.columns.ratingCode === 'NC-17'],
    ['year', { year: 1994 }, (film) => film.columns.releaseYear === 1994],
    ['text', { text: 'aLIEN' }, (film) => (film.columns.title ?? '').toLowerCase().includes('alien')],
    [
      'all',
      { genre: 'Action', year: 1996, rating: 'R' },
      ({ genre, columns }) =>
        genre === 'Action' && columns.releaseYear === 1996 && columns.ratingCode === 'R',
    ],
  ])('filters by %s', async (_name, query, matches) => {
    const { body } = await http()
      .get('/films')
      .query({ ...query, take: 100 })
      .expect(200);
    const expected = data.filter(matches).map(({ columns }) => columns.title);
    expect(expected.length).toBeGreaterThan(0);
    expect(titles(body)).toEqual(expected);
    expect(body.total).toBe(expected.length);
  });

  it('pages through everything in order', async () => {
    const { body } = await http().get('/films').query({ skip: 3190, take: 50 }).expect(200);
    expect(body).toMatchObject({ total: 3201, skip: 3190, take: 50 });
    expect(titles(body)).toEqual(data.slice(3190).map(({ columns }) => columns.title));
  });

  it('sums up as the data does', async () => {
    const { body } = (await http().get('/statistics/genres').expect(200)) as { body: Totals[] };
    const names = new Set(data.map(({ genre }) => genre));
    const sum = (films: SeedFilm[]) =>
      films.reduce((all, { columns }) => all + (columns.worldwideGross ?? 0), 0);
    expect(new Map(body.map((row) => [row.name, [row.films, row.worldwideGross]]))).toEqual(
      new Map(
        [...names].map((name) => {
          const films = data.filter(({ genre }) => genre === name);
          return [name, [films.length, sum(films)]];
        }),
      ),
    );
    const top = await http().get('/statistics/directors').query({ genre: 'Horror', take: 3 }).expect(200);
    expect(top.body).toHaveLength(3);
  });

  it.each<[string, string, string]>([
    ['/films/0', '>=1', 'a number below the first'],
    ['/films/x', 'expected number', 'not a number'],
    ['/films/99999999999', '<=2147483647', 'a number that no column holds'],
    ['/films?take=101', 'take: ', 'too many'],
    ['/films?skip=-1', 'skip: ', 'a negative offset'],
    ['/films?year=soon', 'year: ', 'not a year'],
    ['/films?colour=red', 'colour', 'an unknown filter'],
    ['/films?genre=Opera', 'genre: expected one of Action, Adventure, ', 'an unknown genre'],
    ['/films?rating=X', 'rating: expected one of G, NC-17, ', 'an unknown rating'],
  ])('answers GET %s with 400 and what was expected (%#)', async (path, message) => {
    const { body } = await http().get(path).expect(400);
    expect(body.message.join()).toContain(message);
  });

  it.each<[string, object, string]>([
    ['nothing of a new film', {}, 'title: '],
    ['a wrong type', { title: 'x', usGross: '12' }, 'usGross: Invalid input: expected number'],
    ['no date', { title: 'x', releaseDate: 'Jun 12 1998' }, 'releaseDate: Invalid ISO date'],
    [
      'a date before all films',
      { title: 'x', releaseDate: '0000-01-01' },
      'releaseDate: expected a day of the years',
    ],
    ['a text that PostgreSQL refuses', { title: 'a\0b' }, 'title: expected text without NUL'],
    ['an unknown column', { title: 'x', id: 5 }, '"id"'],
    ['an unknown genre', { title: 'x', genre: 'Opera' }, 'genre: expected one of'],
  ])('refuses a film with %s', async (_name, film, message) => {
    const { body } = await http().post('/films').send(film).expect(400);
    expect(body.message.join()).toContain(message);
  });

  it('answers 404 for a film that there is not', async () => {
    const { body } = await http().get('/films/999999').expect(404);
    expect(body.message).toBe('there is no film 999999');
    await http().patch('/films/999999').send({ title: 'x' }).expect(404);
    await http().delete('/films/999999').expect(404);
  });

  it('shows a new, an edited and a deleted film at once, in what was cached before', async () => {
    const list = async () =>
      (await http().get('/films').query({ director: 'Ann Newcomer' }).expect(200)).body;
    const musicals = async () =>
      (await http().get('/films').query({ genre: 'Musical' }).expect(200)).body.total;
    expect(titles(await list())).toEqual([]);
    expect(await musicals()).toBe(53);

    const film = {
      title: 'Début',
      director: 'Ann Newcomer',
      genre: 'Musical',
      releaseDate: '2024-02-29',
      usGross: 5,
    };
    const { body } = await http().post('/films').send(film).expect(201);
    expect(body).toMatchObject({
      title: 'Début',
      releaseYear: 2024,
      usGross: 5,
      distributor: null,
      imdbVotes: null,
    });
    expect(titles(await list())).toEqual(['Début']);
    expect(await musicals()).toBe(54);

    await http()
      .patch(`/films/${body.id}`)
      .send({ title: 'Second', genre: 'Western', usGross: null })
      .expect(200);
    expect(titles(await list())).toEqual(['Second']);
    expect(await musicals()).toBe(53);
    expect((await http().get(`/films/${body.id}`)).body).toMatchObject({
      usGross: null,
      genre: { name: 'Western' },
    });

    await http().delete(`/films/${body.id}`).expect(204);
    expect(titles(await list())).toEqual([]);
    await http().get(`/films/${body.id}`).expect(404);
  });

  it('an edit that is refused leaves everything as it was', async () => {
    const changes = { title: 'lost', director: 'Nobody Yet', genre: 'Opera' };
    await http().patch('/films/1').send(changes).expect(400);
    expect((await http().get('/films/1').expect(200)).body.title).toBe('The Land Girls');
    expect(await app.get(DataSource).manager.countBy(Director, { name: 'Nobody Yet' })).toBe(0);
  });

  it('has versions for entity tags, and writes only the one that If-Match names', async () => {
    const { id } = (await http().post('/films').send({ title: 'Versions' }).expect(201)).body as Film;
    const read = await http().get(`/films/${id}`).expect(200);
    expect(read.headers['etag']).toBe(`"${id}:1"`);
    const edit = (tag: string) =>
      http().patch(`/films/${id}`).set('If-Match', tag).send({ title: 'Versioned' });
    expect((await edit(`"${id}:1"`).expect(200)).headers['etag']).toBe(`"${id}:2"`);
    const { body } = await edit(`"${id}:1"`).expect(412);
    expect(body).toMatchObject({ code: 'RECORD_MODIFIED', actual: '2', current: { title: 'Versioned' } });
    await http().delete(`/films/${id}`).set('If-Match', `"${id}:1"`).expect(412);
    await http().delete(`/films/${id}`).set('If-Match', `"${id}:2"`).expect(204);
  });

  it('answers 409 to the second of two requests that add the same director', async () => {
    const { manager } = app.get(DataSource);
    // What the second request saw before the first committed.
    const late = Object.assign(Object.create(manager) as typeof manager, { findOneBy: async () => null });
    const adding = app.get(CatalogueService).idOrNew(Director, 'Tony Scott', late);
    await expect(adding).rejects.toMatchObject({
      status: 409,
      message: expect.stringContaining('Tony Scott'),
    });
    const broken = Object.assign(Object.create(late) as typeof manager, {
      save: async () => Promise.reject(new Error('no disk')),
    });
    await expect(app.get(CatalogueService).idOrNew(Director, 'Ed New', broken)).rejects.toThrow('no disk');
  });

  it('says in its headers what a request cost, also when requests overlap', async () => {
    const get = (path: string, headers = {}) => http().get(path).set(headers).expect(200);
    const cost = ({ headers }: request.Response) => [headers['x-source'], headers['x-sql-statements']];
    expect(cost(await get('/films?year=1972'))).toEqual(['database', expect.stringMatching(/^[1-9]/)]);
    const uncached = { 'Cache-Control': 'no-cache' };
    const [hit, past, other] = await Promise.all([
      get('/films?year=1972'),
      get('/films?year=1972', uncached),
      get('/films/77', uncached),
    ]);
    expect(cost(hit)).toEqual(['memory', '0']);
    expect(cost(past)).toEqual(['database', expect.stringMatching(/^[1-9]/)]);
    expect(cost(other)).toEqual(['database', '2']);
    expect(hit.body).toEqual(past.body);
  });

  describe('the demo', () => {
    const demo = async () => {
      const lines: string[] = [];
      const isFine = await runDemo(app, environment, (line) => lines.push(line));
      return { isFine, text: lines.join('\n') };
    };
    const watched = async () => [
      (await http().get('/films?genre=Horror')).body,
      (await http().get('/films?genre=Drama')).body,
    ];

    beforeAll(() => app.listen(0, '127.0.0.1'));

    it(
      'finds every hit and miss where it belongs, and puts back what it edits',
      async () => {
        const before = await watched();
        expect(await demo()).toMatchObject({ isFine: true, text: expect.stringContaining('10 of 16 reads') });
        expect(await watched()).toEqual(before);
      },
      PATIENCE,
    );

    it(
      'fails when a hit is missing',
      async () => {
        const cacheOps = app.get(CacheOpsService);
        const subscription = cacheOps.events$.subscribe(
          ({ type }) => void (type === 'store' && cacheOps.invalidateAll()),
        );
        const { isFine, text } = await demo();
        subscription.unsubscribe();
        expect(isFine).toBe(false);
        expect(text).toContain('<- expected cache');
      },
      PATIENCE,
    );

    it(
      'fails when an answer is stale',
      async () => {
        const films = app.get(FilmsService);
        const { edit } = films;
        films.edit = (...args) => app.get(CacheOpsService).withoutInvalidation(() => edit.apply(films, args));
        const { isFine, text } = await demo();
        films.edit = edit;
        await app.get(CacheOpsService).invalidateAll();
        expect(isFine).toBe(false);
        expect(text).toContain('<- stale');
      },
      PATIENCE,
    );
  });
});

describe('readEnvironment', () => {
  it.each([
    ['postgres://u:p@h:1/d', 'postgres'],
    ['postgresql://h/d', 'postgres'],
    ['mysql://h/d', 'mysql'],
    ['mariadb://h/d', 'mariadb'],
  ])('%s is a %s database', (url, type) => {
    expect(readEnvironment({ DATABASE_URL: url }).database).toMatchObject({ type, url });
  });

  it('refuses what it does not know, and says what it does', () => {
    for (const url of ['mongodb://h', 'shop.db']) {
      expect(() => readEnvironment({ DATABASE_URL: url })).toThrow(
        'expected postgres://, mysql:// or mariadb://',
      );
    }
  });

  it('does not share the cache of a database that is not shared', () => {
    const prefixes = [readEnvironment({}).prefix, readEnvironment({}).prefix];
    expect(new Set(prefixes).size).toBe(2);
    expect(readEnvironment({ DATABASE_URL: 'mysql://h/d' }).prefix).toBe('films:');
    expect(readEnvironment({ CACHE_PREFIX: 'mine:' }).prefix).toBe('mine:');
  });
});
