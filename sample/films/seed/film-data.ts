import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Film } from '../films/film.entity.js';

/** A line of `data/films.json`, as its origin has it: some titles are numbers, and anything else may be missing. */
interface RawFilm {
  readonly Title: string | number | null;
  readonly 'US Gross': number | null;
  readonly 'Worldwide Gross': number | null;
  readonly 'US DVD Sales': number | null;
  readonly 'Production Budget': number | null;
  readonly 'Release Date': string;
  readonly 'MPAA Rating': string | null;
  readonly 'Running Time min': number | null;
  readonly Distributor: string | null;
  readonly Source: string | null;
  readonly 'Major Genre': string | null;
  readonly 'Creative Type': string | null;
  readonly Director: string | null;
  readonly 'Rotten Tomatoes Rating': number | null;
  readonly 'IMDB Rating': number | null;
  readonly 'IMDB Votes': number | null;
}

/** A film as columns, and what it names by name. */
export interface SeedFilm {
  readonly columns: Omit<
    Film,
    | 'id'
    | 'version'
    | 'genre'
    | 'genreId'
    | 'director'
    | 'directorId'
    | 'distributor'
    | 'distributorId'
    | 'rating'
  >;
  readonly genre: string | null;
  readonly director: string | null;
  readonly distributor: string | null;
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** All films of the data set, in its order. Values are kept, dubious ones too (some release years are in the future). */
export async function readFilms(): Promise<SeedFilm[]> {
  const text = await readFile(join(dataFolder(), 'films.json'), 'utf8');
  return (JSON.parse(text) as RawFilm[]).map(normalise);
}

/** `data/` stands beside the sources, and the compiled files stand one folder deeper than these. */
function dataFolder(): string {
  const fromSources = join(import.meta.dirname, '../data');
  return existsSync(fromSources) ? fromSources : join(import.meta.dirname, '../../data');
}

function normalise(raw: RawFilm): SeedFilm {
  const releaseDate = isoDate(raw['Release Date']);
  return {
    columns: {
      title: raw.Title === null ? null : String(raw.Title),
      releaseDate,
      releaseYear: Number(releaseDate.slice(0, 4)),
      runningMinutes: raw['Running Time min'],
      productionBudget: raw['Production Budget'],
      usGross: raw['US Gross'],
      worldwideGross: raw['Worldwide Gross'],
      usDvdSales: raw['US DVD Sales'],
      rottenTomatoesRating: raw['Rotten Tomatoes Rating'],
      imdbRating: raw['IMDB Rating'],
      imdbVotes: raw['IMDB Votes'],
      source: raw.Source,
      creativeType: raw['Creative Type'],
      ratingCode: raw['MPAA Rating'],
    },
    genre: raw['Major Genre'],
    director: raw.Director,
    distributor: raw.Distributor,
  };
}

/** `Jun 12 1998` -> `1998-06-12`, without a detour through a time zone. */
function isoDate(date: string): string {
  const [month = '', day = '', year = ''] = date.split(' ');
  const number = MONTHS.indexOf(month) + 1;
  if (number === 0 || day.length !== 2 || year.length !== 4)
    throw new Error(`films.json: not a date: ${date}`);
  return `${year}-${String(number).padStart(2, '0')}-${day}`;
}
