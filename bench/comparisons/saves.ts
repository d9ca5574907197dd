import { strict as assert } from 'node:assert';
import type { DatabaseKind } from '../../test/support/databases.js';
import type { Case, Comparison, ComparisonFactory, Counts, Target } from '../comparison.js';
import { type Article, articleRow, GROUPS, ROWS } from '../entities.js';
import { ArticleDatabase, ownRedis, type Articles } from '../world.js';

const PLAIN = 'plain TypeORM';
const MEMORY = 'doors, cache in memory';
const SHARED = 'doors, cache in Redis';

interface Save {
  readonly title: string;
  readonly kind: DatabaseKind;
  readonly durable?: boolean;
  /** Statements that one operation takes, plain and through the doors. */
  readonly statements: { readonly plain: number; readonly doors: number };
  readonly targets: readonly Target[];
  /** Makes the operation. */
  prepare(articles: Articles, name: string): Promise<(turn: number) => Promise<unknown>>;
}

const HOLDS: readonly Target[] = [
  { name: MEMORY, concurrency: 1, cost: 1.15 },
  { name: SHARED, concurrency: 1, cost: 1.15 },
];

async function update({ repository }: Articles, name: string): Promise<(turn: number) => Promise<unknown>> {
  const all = await repository.manager.query<{ id: number }[]>('SELECT id FROM article ORDER BY id');
  const entities = await Promise.all(all.slice(0, ROWS).map(({ id }) => repository.findOneByOrFail({ id })));
  let saved = 0;
  return (turn) => {
    const entity = entities[turn % entities.length] as Article;
    // A title that the row does not have: an entity that is not changed is not written.
    entity.title = `${name} ${saved++}`;
    return repository.save(entity);
  };
}

async function insert({ repository }: Articles): Promise<(turn: number) => Promise<unknown>> {
  return (turn) => repository.save(repository.create(articleRow(turn % ROWS)));
}

async function create(save: Save, smoke: boolean): Promise<Comparison> {
  const redis = await ownRedis();
  const driver = await redis.driver();
  const database = await ArticleDatabase.create(save.kind, save.durable ?? true);
  const { plain, doors } = save.statements;
  const ways = [
    { name: PLAIN, articles: await database.plain(), expects: { statements: plain } },
    { name: MEMORY, articles: await database.cached(), expects: { statements: doors } },
    {
      name: SHARED,
      articles: await database.cached(driver, redis.commands),
      expects: { statements: doors, commands: 2 },
    },
  ];
  const cases: Case[] = [];
  for (const { name, articles, expects } of ways) {
    // Readers of several shapes, so that the write has tokens to work out.
    for (let group = 1; group <= GROUPS; group++) await read(articles, group);
    const run = await save.prepare(articles, name);
    await run(0);
    cases.push({ name, run, counts: articles.counts, expects: expects satisfies Partial<Counts> });
  }
  return {
    title: save.title,
    concurrency: smoke || save.kind === 'sqlite' ? [1] : [1, 16],
    cases,
    targets: save.targets,
    check: async () => {
      for (const { articles, name } of ways) await invalidates(articles, name);
    },
    close: async () => {
      await database.close();
      await driver.close();
      await redis.close();
    },
  };
}

async function read({ repository }: Articles, group: number): Promise<void> {
  await repository.find({ where: { groupId: group }, order: { id: 'ASC' } });
  await repository.countBy({ groupId: group });
  await repository.findOneBy({ id: group });
  await repository.findOneBy({ slug: articleRow(group).slug });
}

/** A save is seen by the next read, however the way caches. */
async function invalidates({ repository }: Articles, name: string): Promise<void> {
  const entity = await repository.findOneByOrFail({ id: 5 });
  entity.title = `Checked ${name}`;
  await repository.save(entity);
  assert.equal((await repository.findOneByOrFail({ id: 5 })).title, `Checked ${name}`);
}

const SAVES: readonly Save[] = [
  {
    title: 'save() of a changed entity (PostgreSQL)',
    kind: 'postgres',
    statements: { plain: 4, doors: 4 },
    targets: HOLDS,
    prepare: update,
  },
  {
    title: 'save() of a new entity (PostgreSQL)',
    kind: 'postgres',
    statements: { plain: 3, doors: 3 },
    targets: HOLDS,
    prepare: insert,
  },
  // Without the disk, what is left is work of the processor: dearer in proportion, and the doors show more clearly.
  {
    title: 'save() of a changed entity (PostgreSQL, synchronous_commit=off)',
    kind: 'postgres',
    durable: false,
    statements: { plain: 4, doors: 4 },
    targets: [],
    prepare: update,
  },
  {
    title: 'save() of a changed entity (sql.js)',
    kind: 'sqlite',
    statements: { plain: 4, doors: 5 },
    targets: [],
    prepare: update,
  },
  {
    title: 'save() of a new entity (sql.js)',
    kind: 'sqlite',
    statements: { plain: 4, doors: 5 },
    targets: [],
    prepare: insert,
  },
];

export const saves: readonly ComparisonFactory[] = SAVES.map((save) => ({
  title: save.title,
  create: (smoke) => create(save, smoke),
}));
