import { DataSource } from 'typeorm';
import { initSqlParser, SqlAnalyser, type SqlDialect, type WriteAnalysis } from '../../lib/sql/index.js';
import { readFixtures } from '../sql/fixtures.js';
import { schemaOf } from '../sql/schema.js';
import { createDatabase, type DatabaseKind } from '../support/databases.js';
import { ENTITIES } from './model.js';

/** Writes whose conditions are hard to cut out of their text, with the ids of the rows that they touch. */
const WRITES: readonly (readonly [sql: string, params: readonly unknown[], ids: readonly number[]])[] = [
  ['update review set author = $1 where seq = $2', ['x', 2], [2]],
  ['update review set author = $1', ['x'], [1, 2, 3, 4]],
  ["update review set author = 'where' /* where */ where author = 'it''s $1 ?' -- tail\n", [], [1]],
  [
    'update review set stars = stars + 1, author = $1 where stars > $2 and (seq = $3 or author = $4)',
    ['y', 0, 3, 'b'],
    [2, 3],
  ],
  [
    'update review set author = (select max(name) from actor where id > $1) where seq in ($2, $3)',
    [0, 1, 4],
    [1, 4],
  ],
  [
    'update review set author = $1 where seq in (select r.seq from (select seq from review where stars = $2) r)',
    ['z', 2],
    [2],
  ],
  [
    "update review set author = case when stars > $1 then 'a' else 'b' end where not (stars is null) and seq <> $2",
    [1, 1],
    [2, 3],
  ],
  ['delete from review where stars is null', [], [4]],
  [
    'delete from review where exists (select 1 from actor where actor.id = review.seq and actor.name = $1)',
    ['two'],
    [2],
  ],
  ['delete from review where seq between $1 and $2 and author like $3', [1, 3, '%b%'], [2]],
];

/** The same of several tables, which MySQL writes in another way. */
const JOINED: typeof WRITES = [
  [
    'update review set author = a.name from actor a where a.id = review.seq and a.name <> $1',
    ['two'],
    [1, 3],
  ],
  [
    'update review as r set stars = $1 from actor a, review s where a.id = r.seq and s.seq = r.seq + $2 and r.stars > $3',
    [7, 1, 1],
    [2, 3],
  ],
  [
    'with named as (select id from actor where name = $1) update review set author = $2 where seq in (select id from named)',
    ['three', 'x'],
    [3],
  ],
  [
    'with named as (select id from actor where name = $1) update review set author = $2 from named where seq = named.id and stars = $3',
    ['three', 'x', 3],
    [3],
  ],
  ['with n as (select id from actor) delete from review where seq not in (select id from n)', [], [4]],
];

const KINDS: readonly (readonly [DatabaseKind, SqlDialect])[] = [
  ['postgres', 'postgres'],
  ['mariadb', 'mysql'],
  ['sqlite', 'sqlite'],
];

describe.each(KINDS)('image queries on %s', (kind, dialect) => {
  let db: DataSource;
  let drop: () => Promise<void>;
  const analyser = new SqlAnalyser(schemaOf(dialect));
  const numbered = (sql: string) => (dialect === 'postgres' ? sql : sql.replace(/\$(?!1 \?)\d/g, '?'));

  beforeAll(async () => {
    await initSqlParser();
    const database = await createDatabase(kind, { entities: ENTITIES, synchronize: true });
    db = await new DataSource(database.options).initialize();
    drop = database.drop;
    for (const name of ['one', 'two', 'three']) await db.query(`insert into actor (name) values ('${name}')`);
    await db.query("insert into film (title, version) values ('f', 1)");
    for (const [seq, author, stars] of [
      [1, "it''s $1 ?", 1],
      [2, 'b', 2],
      [3, 'c', 3],
      [4, 'd', 'null'],
    ]) {
      await db.query(
        `insert into review (film_id, seq, author, stars) values (1, ${seq}, '${author}', ${stars})`,
      );
    }
  });
  afterAll(async () => {
    await db.destroy();
    await drop();
  });

  const writes = dialect === 'mysql' ? WRITES : [...WRITES, ...JOINED];

  it.each(writes)('%s', async (sql, params, ids) => {
    const { effects } = analyser.analyse(numbered(sql)) as WriteAnalysis;
    const image = effects[0]?.image;
    expect(image).toBeDefined();
    const found = await db.query<{ seq: number }[]>(
      `${image?.head ?? ''}select ${image?.target ?? 'review'}.seq${image?.from} order by 1`,
      image?.params.map((i) => params[i]) as unknown[],
    );
    expect(found.map(({ seq }) => Number(seq))).toEqual(ids);
  });

  it('the text of every write that TypeORM sends is valid', async () => {
    const writes = readFixtures(dialect).flatMap(({ statements }) =>
      statements.map(({ sql }) => analyser.analyse(sql)),
    );
    const images = writes
      .flatMap((a) => (a.kind === 'write' ? a.effects : []))
      .flatMap(({ image }) => image ?? []);
    expect(images.length).toBeGreaterThan(20);
    for (const { head = '', from, params } of images) {
      // Numbers do for most columns; where they do not, the database complains of the value and not of the syntax.
      const complaint = await db
        .query(
          `${head}select 1${from} limit 1`,
          params.map(() => 1),
        )
        .then(
          () => '',
          (error: unknown) => String(error),
        );
      expect(complaint).not.toMatch(/syntax error|SQL syntax|does not exist|no such|bind message|unknown/i);
    }
  });
});
