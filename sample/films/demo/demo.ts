import type { INestApplication } from '@nestjs/common';
import { CacheOpsService } from 'nestjs-cacheops';
import type { Environment } from '../environment.js';
import type { Film } from '../films/film.entity.js';
import type { FilmPage } from '../films/films.service.js';
import { Client, type Answer } from './client.js';
import { Report } from './report.js';

const LIST = '/films?genre=Horror&take=50';
const PAGE = '/films?skip=3000&take=50';
const STATISTICS = '/statistics/genres';
const WARM_UP = 20;

/**
 * Drives the running application over HTTP and prints what each request cost. What it edits it puts back.
 * @returns whether every hit and miss was where it belongs, and every answer equal to an uncached one
 */
export async function runDemo(
  app: INestApplication,
  { database, redis }: Environment,
  print: (line: string) => void,
): Promise<boolean> {
  const client = new Client(await app.getUrl());
  const films = await choose(client);
  await warmUp(client, [LIST, PAGE, STATISTICS, pathOf(films.horror)]);
  await app.get(CacheOpsService).invalidateAll();
  print(`Database: ${database.type}. Cache: ${redis === undefined ? 'memory of this process' : 'Redis'}.\n`);
  const report = new Report(print);
  report.head();
  try {
    await script(new Stage(client, report), films);
  } finally {
    await restore(client, films);
  }
  return report.summary();
}

/** Both ways, as often as it takes Node to compile them: else whatever is called first looks slow. */
async function warmUp(client: Client, paths: readonly string[]): Promise<void> {
  for (let round = 0; round < WARM_UP; round++) {
    for (const path of paths) {
      await client.getUncached(path);
      await client.get(path);
    }
  }
}

interface Chosen {
  readonly horror: Film;
  readonly drama: Film;
}

async function script(stage: Stage, { horror, drama }: Chosen): Promise<void> {
  stage.chapter('Each request twice: the first is answered by the database, the second by the cache.');
  for (const path of [LIST, pathOf(horror), STATISTICS, PAGE]) {
    await stage.read(path, 'database');
    await stage.read(path, 'cache');
  }

  stage.chapter('Edits that do not concern them: another genre, and a column that the list does not show.');
  await stage.edit(drama, { title: `${drama.title} (edited)` });
  await stage.edit(horror, { imdbVotes: (horror.imdbVotes ?? 0) + 1 });
  await stage.read(LIST, 'cache');
  await stage.read(STATISTICS, 'cache');

  stage.chapter(
    'A title that the list shows: the list is read again, once. The sums do not care for titles.',
  );
  await stage.edit(horror, { title: `${horror.title} (edited)` });
  await stage.read(LIST, 'database');
  await stage.read(LIST, 'cache');
  await stage.read(STATISTICS, 'cache');

  stage.chapter('A figure that the sums are made of.');
  await stage.edit(drama, { worldwideGross: (drama.worldwideGross ?? 0) + 1_000_000 });
  await stage.read(STATISTICS, 'database');
  await stage.read(STATISTICS, 'cache');
  await stage.read(LIST, 'cache');
}

/** Sends a request, holds it against what was announced, and prints it. */
class Stage {
  constructor(
    private readonly client: Client,
    private readonly report: Report,
  ) {}

  chapter(text: string): void {
    this.report.chapter(text);
  }

  async read(path: string, expected: 'cache' | 'database'): Promise<void> {
    const answer = await this.client.get(path);
    const uncached = await this.client.getUncached(path);
    this.report.read(answer);
    this.report.row(`GET ${path}`, answer, problemOf(answer, uncached, expected));
  }

  async edit(film: Film, changes: Partial<Film>): Promise<void> {
    const answer = await this.client.patch(pathOf(film), changes);
    const request = `PATCH ${pathOf(film)} ${JSON.stringify(changes)}`;
    this.report.row(request, answer, answer.status === 200 ? undefined : `status ${answer.status}`);
  }
}

function problemOf(answer: Answer, uncached: Answer, expected: 'cache' | 'database'): string | undefined {
  if (answer.status !== 200) return `status ${answer.status}`;
  if (answer.body !== uncached.body) return 'stale: an uncached read answers something else';
  const isHit = answer.source !== 'database';
  return isHit === (expected === 'cache') ? undefined : `expected ${expected}`;
}

/** Films to edit, with a title each. */
async function choose(client: Client): Promise<Chosen> {
  const first = async (genre: string): Promise<Film> => {
    const { body } = await client.getUncached(`/films?genre=${genre}`);
    const found = (JSON.parse(body) as FilmPage).films.find((film) => film.title !== null);
    if (!found) throw new Error(`the database holds no film of the genre ${genre}`);
    return JSON.parse((await client.getUncached(pathOf(found))).body) as Film;
  };
  return { horror: await first('Horror'), drama: await first('Drama') };
}

async function restore(client: Client, { horror, drama }: Chosen): Promise<void> {
  await client.patch(pathOf(horror), { title: horror.title, imdbVotes: horror.imdbVotes });
  await client.patch(pathOf(drama), { title: drama.title, worldwideGross: drama.worldwideGross });
}

const pathOf = ({ id }: Film): string => `/films/${id}`;
