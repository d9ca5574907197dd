import { strict as assert } from 'node:assert';
import type { Repository } from 'typeorm';
import type { OperationCase, Comparison, ComparisonFactory, Counts, Target } from '../comparison.js';
import { CommandCounter } from '../counters.js';
import { type Article, GROUPS, ROWS, ROWS_PER_GROUP } from '../entities.js';
import { ArticleDatabase, ownRedis, sameData, type Articles } from '../world.js';

const UNCACHED = 'TypeORM, uncached';
const MEMORY = 'hit in memory';
const SHARED = 'hit in Redis';
const OWN_REDIS = "TypeORM's cache, ioredis";
const OWN_TABLE = "TypeORM's cache, database";

const HOUR = 3_600_000;

/** A query in a loop over its parameters. `cache` is TypeORM's option, for its own cache. */
interface Query {
  readonly title: string;
  readonly parameters: number;
  readonly rows: number;
  readonly targets: readonly Target[];
  run(repository: Repository<Article>, turn: number, cache: boolean): Promise<Article[]>;
}

const find: Query = {
  title: `find of ${ROWS_PER_GROUP} rows by a column (PostgreSQL)`,
  parameters: GROUPS,
  rows: ROWS_PER_GROUP,
  targets: [1, 64].flatMap((concurrency): Target[] => [
    { name: MEMORY, concurrency, speed: 10 },
    { name: SHARED, concurrency, speed: 3 },
    { name: SHARED, than: OWN_REDIS, concurrency, speed: 1 },
    { name: SHARED, than: OWN_TABLE, concurrency, speed: 1 },
  ]),
  run: (repository, turn, cache) =>
    repository.find({
      where: { groupId: 1 + (turn % GROUPS) },
      order: { id: 'ASC' },
      ...(cache && { cache: true }),
    }),
};

const findOneBy: Query = {
  title: 'findOneBy id (PostgreSQL)',
  parameters: ROWS,
  rows: 1,
  targets: [1, 64].flatMap((concurrency): Target[] => [
    { name: MEMORY, concurrency, speed: 12 },
    { name: SHARED, than: OWN_REDIS, concurrency, speed: 1 },
    { name: SHARED, than: OWN_TABLE, concurrency, speed: 1 },
  ]),
  run: async (repository, turn, cache) => {
    const where = { id: 1 + (turn % ROWS) };
    const found = cache
      ? await repository.findOne({ where, cache: true })
      : await repository.findOneBy(where);
    return found ? [found] : [];
  },
};

/** The way to a hit when the front door of find options is not passed. */
const builder: Query = {
  title: 'getOne by id through the query builder (PostgreSQL)',
  parameters: ROWS,
  rows: 1,
  targets: [1, 64].map((concurrency): Target => ({ name: MEMORY, concurrency, speed: 12 })),
  run: async (repository, turn, cache) => {
    const select = repository.createQueryBuilder('article').where({ id: 1 + (turn % ROWS) });
    const found = await (cache ? select.cache(true) : select).getOne();
    return found ? [found] : [];
  },
};

async function create(query: Query): Promise<Comparison> {
  const redis = await ownRedis();
  const database = await ArticleDatabase.create('postgres');
  const driver = await redis.driver();
  const options = { port: Number(redis.url.port), host: redis.url.hostname };
  const theirs = await database.plain({ type: 'ioredis', options, duration: HOUR });
  const { client } = theirs.dataSource.queryResultCache as unknown as { client: typeof redis.client };
  const theirCommands = new CommandCounter(client);
  const ways: readonly Way[] = [
    way(UNCACHED, query, await database.plain(), { statements: 1 }),
    way(MEMORY, query, await database.cached(), { statements: 0, hits: 1, misses: 0 }),
    way(SHARED, query, await database.cached(driver, redis.commands), {
      statements: 0,
      hits: 1,
      misses: 0,
      commands: 1,
    }),
    way(OWN_REDIS, query, counting(theirs, theirCommands), { statements: 0, commands: 1 }, true),
    way(
      OWN_TABLE,
      query,
      await database.plain({ type: 'database', duration: HOUR }),
      { statements: 1 },
      true,
    ),
  ];
  for (const subject of ways) {
    for (let turn = 0; turn < query.parameters; turn++) await subject.run(turn);
  }
  return {
    title: query.title,
    concurrency: [1, 64],
    cases: ways,
    targets: query.targets,
    check: () => sameResults(ways, query),
    close: async () => {
      await database.close();
      await driver.close();
      await redis.close();
    },
  };
}

interface Way extends OperationCase {
  run(turn: number): Promise<Article[]>;
}

function way(
  name: string,
  query: Query,
  { repository, counts }: Articles,
  expects: Partial<Counts>,
  cache = false,
): Way {
  return { name, counts, expects, run: (turn) => query.run(repository, turn, cache) };
}

const counting = (articles: Articles, commands: CommandCounter): Articles => ({
  ...articles,
  counts: () => ({ ...articles.counts(), commands: commands.count }),
});

async function sameResults(ways: readonly Way[], { rows }: Query): Promise<void> {
  const [expected = [], ...others] = await Promise.all(ways.map((subject) => subject.run(3)));
  assert.equal(expected.length, rows);
  for (const other of others) assert.ok(sameData(other, expected), 'the same rows');
}

export const findRows: ComparisonFactory = { title: find.title, create: () => create(find) };
export const findById: ComparisonFactory = { title: findOneBy.title, create: () => create(findOneBy) };
export const getOne: ComparisonFactory = { title: builder.title, create: () => create(builder) };
