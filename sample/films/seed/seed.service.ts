import { Injectable, Logger, type OnApplicationBootstrap } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { Film } from '../films/film.entity.js';
import { Director, Distributor, Genre, Rating } from '../films/named.entities.js';
import { readFilms, type SeedFilm } from './film-data.js';

/** Rows in one INSERT: 17 columns each, far below the 32,766 parameters that SQLite takes. */
const BATCH = 200;

/** Fills an empty database at start. */
@Injectable()
export class SeedService implements OnApplicationBootstrap {
  private readonly logger = new Logger(SeedService.name);

  constructor(private readonly dataSource: DataSource) {}

  async onApplicationBootstrap(): Promise<void> {
    const films = await this.seed();
    if (films > 0) this.logger.log(`stored ${films} films`);
  }

  /**
   * Stores the data set unless there are films already. One transaction: an interrupted start leaves nothing behind.
   * @returns the number of films stored
   */
  async seed(): Promise<number> {
    if (await this.dataSource.manager.exists(Film, { cache: false })) return 0;
    const films = await readFilms();
    await this.dataSource.transaction((manager) => store(films, manager));
    return films.length;
  }
}

async function store(films: readonly SeedFilm[], manager: EntityManager): Promise<void> {
  await manager.insert(
    Rating,
    distinct(films.map((film) => film.columns.ratingCode)).map((code) => ({ code })),
  );
  const genres = await storeNames(
    Genre,
    films.map((film) => film.genre),
    manager,
  );
  const directors = await storeNames(
    Director,
    films.map((film) => film.director),
    manager,
  );
  const distributors = await storeNames(
    Distributor,
    films.map((film) => film.distributor),
    manager,
  );
  const rows = films.map(({ columns, genre, director, distributor }) => ({
    ...columns,
    genreId: genres.get(genre) ?? null,
    directorId: directors.get(director) ?? null,
    distributorId: distributors.get(distributor) ?? null,
  }));
  for (const batch of batches(rows)) await manager.insert(Film, batch);
}

/** @returns ids by name */
async function storeNames(
  entity: typeof Genre | typeof Director | typeof Distributor,
  names: readonly (string | null)[],
  manager: EntityManager,
): Promise<ReadonlyMap<string | null, number>> {
  for (const batch of batches(distinct(names)))
    await manager.insert(
      entity,
      batch.map((name) => ({ name })),
    );
  return new Map((await manager.find(entity)).map(({ id, name }) => [name, id]));
}

const distinct = (values: readonly (string | null)[]): string[] =>
  [...new Set(values)].filter((value) => value !== null).sort();

function batches<T>(rows: readonly T[]): T[][] {
  return Array.from({ length: Math.ceil(rows.length / BATCH) }, (_, i) =>
    rows.slice(i * BATCH, (i + 1) * BATCH),
  );
}
