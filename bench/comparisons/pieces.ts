import { strict as assert } from 'node:assert';
import type { EntityMetadata, FindManyOptions, SelectQueryBuilder } from 'typeorm';
import type { QueryExpressionMap } from 'typeorm/query-builder/QueryExpressionMap.js';
import { RawSqlResultsToEntityTransformer } from 'typeorm/query-builder/transformer/RawSqlResultsToEntityTransformer.js';
import { isFresh, openEntry } from '../../lib/core/entry.js';
import { createSerializer } from '../../lib/core/serializer.js';
import type { CacheOp } from '../../lib/typeorm/profiles.js';
import type { ReadDoor, ReadPlan, ReadSubject } from '../../lib/typeorm/read-door.js';
import type { ComparisonFactory, Comparison } from '../comparison.js';
import { Article, ROWS_PER_GROUP } from '../entities.js';
import { ArticleDatabase, sameData, type Articles } from '../world.js';

/** A read whose hit is taken to pieces. */
interface Read {
  readonly title: string;
  readonly op: CacheOp;
  readonly options: FindManyOptions<Article>;
  readonly rows: number;
  hit(articles: Articles): Promise<unknown>;
}

const READS: readonly Read[] = [
  {
    title: `Pieces of a find of ${ROWS_PER_GROUP} rows`,
    op: 'fetch',
    options: { where: { groupId: 3 }, order: { id: 'ASC' } },
    rows: ROWS_PER_GROUP,
    hit: ({ repository }) => repository.find({ where: { groupId: 3 }, order: { id: 'ASC' } }),
  },
  {
    title: 'Pieces of a findOneBy id',
    op: 'get',
    options: { where: { id: 123 }, take: 1 },
    rows: 1,
    hit: ({ repository }) => repository.findOneBy({ id: 123 }),
  },
];

async function create(read: Read): Promise<Comparison> {
  const database = await ArticleDatabase.create('postgres');
  const cached = await database.cached();
  const plain = await database.plain();
  const { services, observed, repository } = cached;
  assert.ok(services && observed);
  const { door } = observed;
  const metadata = repository.metadata;
  const build = (): SelectQueryBuilder<Article> =>
    repository.manager.createQueryBuilder(Article, 'Article').setFindOptions(read.options);
  const [sql, params] = build().getQueryAndParameters();
  const subject = subjectOf(metadata, read.op);
  const decide = (): ReadPlan => planOf(door, subject, sql, params);
  const entities = await plain.repository.find(read.options);
  assert.equal(entities.length, read.rows);
  const { key, dependencies } = decide();
  const graph = door.shared.entityCodec.encode(metadata, entities);
  assert.ok(graph);
  const stored = await stamped(cached, decide(), graph);
  const rows = await plain.dataSource.query<Record<string, unknown>[]>(sql, params);
  const serializer = createSerializer();
  const packedRows = serializer.encode(rows.map((row) => ({ ...row })));
  const { expressionMap } = build() as unknown as { expressionMap: QueryExpressionMap };
  await read.hit(cached);
  const hydrate = (): unknown[] =>
    new RawSqlResultsToEntityTransformer(expressionMap, cached.dataSource.driver, []).transform(
      rows,
      expressionMap.mainAlias as NonNullable<typeof expressionMap.mainAlias>,
    );
  return {
    title: read.title,
    concurrency: [1],
    cases: [
      {
        name: 'hit in memory, whole',
        run: () => read.hit(cached),
        counts: cached.counts,
        expects: { hits: 1, misses: 0, statements: 0 },
      },
      { name: 'builder from find options', run: build },
      { name: 'builder and its SQL', run: () => build().getQueryAndParameters() },
      { name: 'door.decide', run: decide },
      { name: 'driver.read (memory)', run: () => services.driver.read(key, dependencies.tokens) },
      {
        name: 'isFresh and openEntry',
        run: () => isFresh(stored.entry, stored.states) && openEntry(stored.entry),
      },
      { name: 'entity codec, decode', run: () => door.shared.entityCodec.decode(metadata, graph) },
      { name: 'entity codec, encode', run: () => door.shared.entityCodec.encode(metadata, entities) },
      { name: 'serializer, decode of the graph', run: () => services.serializer.decode(graph) },
      { name: 'serializer, decode of raw rows', run: () => serializer.decode(packedRows) },
      { name: 'TypeORM hydrates raw rows', run: hydrate },
    ],
    targets: [],
    check: async () => {
      assert.ok(isFresh(stored.entry, stored.states));
      assert.ok(sameData(hydrate(), entities), 'hydrated');
      assert.ok(sameData(door.shared.entityCodec.decode(metadata, graph), entities), 'decoded');
      assert.deepEqual(serializer.decode(packedRows), rows);
    },
    close: () => database.close(),
  };
}

const subjectOf = (metadata: EntityMetadata, op: CacheOp): ReadSubject => ({
  metadata,
  entities: [metadata],
  op,
  cache: undefined,
  duration: undefined,
  id: undefined,
  refusal: undefined,
});

function planOf(door: ReadDoor, subject: ReadSubject, sql: string, params: readonly unknown[]): ReadPlan {
  const decision = door.decide(subject, undefined, () => ({ sql, params, variant: '' }));
  if ('refusal' in decision) throw new Error(decision.refusal);
  return decision;
}

/** The entry as the cache would have stored it, and the states that it is compared with. */
async function stamped({ services }: Articles, plan: ReadPlan, payload: Buffer) {
  const { cache, driver } = services as NonNullable<Articles['services']>;
  const bytes = { encode: () => payload, decode: (found: Buffer) => found };
  await cache.getOrSet({ ...plan, codec: bytes, load: () => Promise.resolve(payload) });
  const { entry, states } = await driver.read(plan.key, plan.dependencies.tokens);
  assert.ok(entry);
  return { entry, states };
}

export const pieces: readonly ComparisonFactory[] = READS.map((read) => ({
  title: read.title,
  create: () => create(read),
}));
