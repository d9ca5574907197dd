import type { INestApplication } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { CacheOpsService } from 'nestjs-cacheops';
import { DataSource, ILike, In, IsNull, MoreThan, type EntityManager } from 'typeorm';
import { AppModule } from '../../sample/films/app.module.js';
import { readEnvironment } from '../../sample/films/environment.js';
import { Film } from '../../sample/films/films/film.entity.js';
import { Genre } from '../../sample/films/films/named.entities.js';
import { RequestCost, RequestMeter } from '../../sample/films/meter/request-meter.js';

const PATIENCE = 60_000;

type Work = (manager: EntityManager) => Promise<unknown>;

/** The queries of docs/what-invalidates-what.md; genres 3 and 4 have films, film 7 is of genre 3. */
const READS: Readonly<Record<string, Work>> = {
  'findOneBy({ id: 7 })': (m) => m.findOneBy(Film, { id: 7 }),
  'findBy({ genreId: 3 })': (m) => m.findBy(Film, { genreId: 3 }),
  'findBy({ genreId: In([3, 4]), ratingCode: IsNull() })': (m) =>
    m.findBy(Film, { genreId: In([3, 4]), ratingCode: IsNull() }),
  'find({ select: { title: true }, where: { genreId: 3 } })': (m) =>
    m.find(Film, { select: { title: true }, where: { genreId: 3 } }),
  'countBy({ genreId: 3 })': (m) => m.countBy(Film, { genreId: 3 }),
  'findBy({ imdbRating: MoreThan(8) })': (m) => m.findBy(Film, { imdbRating: MoreThan(8) }),
  "findBy({ genreId: 3, title: ILike('%x%') })": (m) => m.findBy(Film, { genreId: 3, title: ILike('%x%') }),
  'find({ relations: { genre: true }, where: { genreId: 3 } })': (m) =>
    m.find(Film, { relations: { genre: true }, where: { genreId: 3 } }),
  "findBy({ genre: { name: 'Horror' } })": (m) => m.findBy(Film, { genre: { name: 'Horror' } }),
};

const WRITES: Readonly<Record<string, Work>> = {
  'title of film 7': (m) => m.update(Film, { id: 7 }, { title: `t${Math.random()}` }),
  'votes of film 7': (m) => m.update(Film, { id: 7 }, { imdbVotes: Math.round(Math.random() * 1e6) }),
  'title of film 8, of genre 5': (m) => m.update(Film, { id: 8 }, { title: `t${Math.random()}` }),
  'film 7 to genre 4 and back': async (m) => {
    await m.update(Film, { id: 7 }, { genreId: 4 });
    await m.update(Film, { id: 7 }, { genreId: 3 });
  },
  'a new film of genre 3': (m) => m.insert(Film, { title: 'new', genreId: 3, ratingCode: 'R' }),
  'a new film of genre 4 without rating': (m) => m.insert(Film, { title: 'new', genreId: 4 }),
  'raw SQL on a film of genre 3': (m) =>
    m.query(`UPDATE film SET title = 'raw' WHERE "genreId" = 3 AND id = 7`),
  'a new name of genre 12': (m) => m.update(Genre, { id: 12 }, { name: `n${Math.random()}` }),
  'a new name of genre 3': (m) => m.update(Genre, { id: 3 }, { name: `n${Math.random()}` }),
  'a table that nobody reads here': (m) => m.query(`INSERT INTO director (name) VALUES ('d' || random())`),
};

/** What the page says: the writes that make each query stale. */
const STALE: Readonly<Record<string, readonly (keyof typeof WRITES)[]>> = {
  'findOneBy({ id: 7 })': [
    'title of film 7',
    'votes of film 7',
    'film 7 to genre 4 and back',
    'raw SQL on a film of genre 3',
  ],
  'findBy({ genreId: 3 })': [
    'title of film 7',
    'votes of film 7',
    'film 7 to genre 4 and back',
    'a new film of genre 3',
    'raw SQL on a film of genre 3',
  ],
  'findBy({ genreId: In([3, 4]), ratingCode: IsNull() })': ['a new film of genre 4 without rating'],
  'find({ select: { title: true }, where: { genreId: 3 } })': [
    'title of film 7',
    'film 7 to genre 4 and back',
    'a new film of genre 3',
    'raw SQL on a film of genre 3',
  ],
  'countBy({ genreId: 3 })': ['film 7 to genre 4 and back', 'a new film of genre 3'],
  'findBy({ imdbRating: MoreThan(8) })': Object.keys(WRITES).slice(0, 7),
  "findBy({ genreId: 3, title: ILike('%x%') })": [
    'title of film 7',
    'votes of film 7',
    'film 7 to genre 4 and back',
    'a new film of genre 3',
    'raw SQL on a film of genre 3',
  ],
  'find({ relations: { genre: true }, where: { genreId: 3 } })': [
    'title of film 7',
    'votes of film 7',
    'film 7 to genre 4 and back',
    'a new film of genre 3',
    'raw SQL on a film of genre 3',
    'a new name of genre 3',
  ],
  "findBy({ genre: { name: 'Horror' } })": Object.keys(WRITES).slice(0, 7),
};

describe('docs/what-invalidates-what.md', () => {
  let app: INestApplication;
  let manager: EntityManager;

  /** Whether a read needs the database. */
  async function isStale(read: Work): Promise<boolean> {
    const cost = new RequestCost();
    await app.get(RequestMeter).run(cost, () => read(manager));
    return cost.statements > 0;
  }

  beforeAll(async () => {
    const module = await Test.createTestingModule({
      imports: [AppModule.register(readEnvironment({}))],
    }).compile();
    app = await module.createNestApplication().init();
    manager = app.get(DataSource).manager;
    await manager.update(Film, { id: 7 }, { genreId: 3, ratingCode: 'R' });
    await manager.update(Film, { id: 8 }, { genreId: 5 });
  }, PATIENCE);
  afterAll(() => app?.close());

  it.each(Object.entries(READS))(
    '%s is made stale by what the page says, and by nothing else',
    async (name, read) => {
      const stale: string[] = [];
      for (const [change, write] of Object.entries(WRITES)) {
        await isStale(read);
        expect(await isStale(read)).toBe(false);
        await write(manager);
        if (await isStale(read)) stale.push(change);
      }
      expect(stale).toEqual(STALE[name]);
    },
  );

  it('explain says what is printed there and in docs/automatic-caching.md', async () => {
    const query = manager.getRepository(Film).createQueryBuilder('film').where('film.genreId = 3');
    expect(await app.get(CacheOpsService).explain(query)).toMatchObject({
      cacheable: true,
      invalidatedBy: ['INSERT or DELETE of a row of film with genreId = 3; UPDATE of such a row'],
      tokens: ['*', 't:{film}', 't:{film}:genreId=3'],
    });
    const reason = await app.get(CacheOpsService).explain(query.andWhere('film.releaseDate < NOW()'));
    expect(reason).toMatchObject({ cacheable: false, reason: 'volatile function now()' });
  });
});
