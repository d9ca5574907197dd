import { strict as assert } from 'node:assert';
import { RecordModifiedError } from '../../lib/index.js';
import type { DatabaseKind } from '../../test/support/databases.js';
import type { Case, Comparison, ComparisonFactory, Target } from '../comparison.js';
import { type Article, ROWS, VersionedArticle } from '../entities.js';
import { ArticleDatabase, type Articles } from '../world.js';

const PLAIN = 'plain TypeORM';
const DOORS = 'doors, nothing cached';
const GUARDED = 'doors, nothing cached, guarded';

interface GuardedSave {
  readonly title: string;
  readonly kind: DatabaseKind;
  readonly durable?: boolean;
  /** Statements that one save takes, in every way. */
  readonly statements: number;
  readonly targets: readonly Target[];
}

const HOLDS: readonly Target[] = [
  { name: GUARDED, concurrency: 1, cost: 1.05 },
  // What the guard itself costs, without that of watching connections.
  { name: GUARDED, than: DOORS, concurrency: 1, cost: 1.05 },
];

/** Saves of changed entities, each by one who has its version; statements are counted: the guard adds none. */
async function create(
  { title, kind, durable, statements, targets }: GuardedSave,
  smoke: boolean,
): Promise<Comparison> {
  const database = await ArticleDatabase.create(kind, durable, VersionedArticle);
  const ways = [
    { name: PLAIN, articles: await database.plain() },
    { name: DOORS, articles: await database.cached(undefined, undefined, { ops: [] }) },
    { name: GUARDED, articles: await database.cached(undefined, undefined, { ops: [], versioning: {} }) },
  ];
  const cases: Case[] = [];
  for (const { name, articles } of ways) {
    // All of them have the rows' versions only if each has rows of its own.
    const run = await saving(articles, name, cases.length, ways.length);
    cases.push({ name, run, counts: articles.counts, expects: { statements } });
  }
  return {
    title,
    concurrency: smoke || kind === 'sqlite' ? [1] : [1, 16],
    cases,
    targets,
    check: async () => {
      for (const { name, articles } of ways) assert.equal(await isRefused(articles), name === GUARDED, name);
    },
    close: () => database.close(),
  };
}

async function saving(
  { repository }: Articles,
  name: string,
  way: number,
  ways: number,
): Promise<() => Promise<unknown>> {
  const all = await repository.find({ order: { id: 'ASC' }, take: ROWS });
  // Whoever saves one entity twice at a time is refused.
  const free = all.filter((_, i) => i % ways === way);
  let saved = 0;
  return async () => {
    const entity = free.shift() as Article;
    // A title that the row does not have: an entity that is not changed is not written.
    entity.title = `${name} ${saved++}`;
    await repository.save(entity);
    free.push(entity);
  };
}

/** Whether a save of a stale entity is refused. */
async function isRefused({ repository }: Articles): Promise<boolean> {
  const row = await repository.save(
    repository.create({ ...(await repository.findOneByOrFail({ id: 1 })), id: 0, version: 0 } as object),
  );
  const stale = await repository.findOneByOrFail({ id: row.id });
  await repository.update({ id: row.id }, { title: 'Somebody else' });
  stale.title = 'Stale';
  try {
    await repository.save(stale);
    return false;
  } catch (error) {
    assert.ok(error instanceof RecordModifiedError);
    return true;
  }
}

const SAVES: readonly GuardedSave[] = [
  {
    title: 'guarded save() of a changed entity (PostgreSQL)',
    kind: 'postgres',
    statements: 4,
    targets: HOLDS,
  },
  // Without the disk, what is left is work of the processor: dearer in proportion.
  {
    title: 'guarded save() of a changed entity (PostgreSQL, synchronous_commit=off)',
    kind: 'postgres',
    durable: false,
    statements: 4,
    targets: [],
  },
  { title: 'guarded save() of a changed entity (sql.js)', kind: 'sqlite', statements: 5, targets: [] },
];

export const guardedSaves: readonly ComparisonFactory[] = SAVES.map((save) => ({
  title: save.title,
  create: (smoke) => create(save, smoke),
}));
