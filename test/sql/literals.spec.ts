import fc from 'fast-check';
import {
  initSqlParser,
  SqlAnalyser,
  type Conjunction,
  type SqlCatalog,
  type SqlDialect,
  type StatementAnalysis,
  type WriteAnalysis,
} from '../../lib/sql/index.js';
import { cutLiterals } from '../../lib/sql/literals.js';
import { StatementReader } from '../../lib/sql/statement-reader.js';
import { readFixtures } from './fixtures.js';
import { COMMON, MYSQL, POSTGRES, SQLITE } from './raw-cases.js';
import { schemaOf } from './schema.js';

beforeAll(() => initSqlParser());

const DIALECTS: readonly SqlDialect[] = ['postgres', 'mysql', 'sqlite'];
const MAX = 32;

/** The analysis as a text in which neither the order within a conjunction counts nor its repetition. */
function comparable(analysis: StatementAnalysis): string {
  return JSON.stringify(analysis, (key, value: unknown) => {
    if (key === 'conditions' || key === 'where') {
      const conjunctions = (value as readonly Conjunction[]).map((conjunction) =>
        [...new Set(conjunction.map((equality) => comparableValue(equality)))].sort(),
      );
      return [...new Set(conjunctions.map((equalities) => equalities.join(' & ')))];
    }
    return value instanceof Map ? [...(value as Map<string, unknown>)].map(comparableValue) : value;
  });
}

const comparableValue = (value: unknown): string =>
  JSON.stringify(value, (_key, inner: unknown) => (typeof inner === 'bigint' ? `${inner}n` : inner));

const direct = (sql: string, catalog: SqlCatalog) => {
  try {
    return comparable(new StatementReader(catalog, MAX).read(sql));
  } catch (error) {
    return comparable({ kind: 'opaque', reason: `analysis failed: ${String(error)}` });
  }
};

/** Counts how often the schema is asked for a relation, which only a reading of the text does. */
function counting(dialect: SqlDialect): { readonly catalog: SqlCatalog; readonly lookups: () => number } {
  const schema = schemaOf(dialect);
  let lookups = 0;
  const find = (path: readonly string[]) => {
    lookups++;
    return schema.find(path);
  };
  return { catalog: { ...schema, find }, lookups: () => lookups };
}

describe('texts that differ in numbers', () => {
  it.each<readonly [string, string]>([
    ['select id from film where id = 1', 'select id from film where id = 2'],
    ['select id from film where "f"."id"=-1 limit 3', 'select id from film where "f"."id"=5.5 limit 4'],
    ['select id from film where id in (1,2) offset 1', 'select id from film where id in (8,9) offset 10'],
    ['select id from film where id>1 or id != 3', 'select id from film where id>2 or id != -4'],
    ['select id from film limit 1 offset 1', 'select id from film limit 5 offset 20'],
    [
      'update film set version = 4, title = $1 where id in (4)',
      'update film set version = 7, title = $1 where id in (7)',
    ],
    [
      'insert into film (id, title) values (1, $1), (2, $2)',
      'insert into film (id, title) values (3, $1), (3, $2)',
    ],
    [
      `select id from film where id in (${Array.from({ length: 40 }, (_, i) => i + 1).join(', ')})`,
      `select id from film where id in (${Array.from({ length: 90 }, (_, i) => i + 7).join(',')})`,
    ],
  ])('are read once: %s', (first, second) => {
    const { catalog, lookups } = counting('postgres');
    const analyser = new SqlAnalyser(catalog);
    const one = analyser.analyse(first);
    const before = lookups();
    expect(before).toBeGreaterThan(0);
    const two = analyser.analyse(second);
    expect(lookups()).toBe(before);
    expect(comparable(one)).toBe(direct(first, catalog));
    expect(comparable(two)).toBe(direct(second, catalog));
  });

  it.each<readonly [string, string]>([
    ['select id from film where id = 1 and version = 1', 'select id from film where id = 1 and version = 2'],
    ['select id from film order by 1', 'select id from film order by 2'],
    ['select id from film where 0 = 1', 'select id from film where 1 = 1'],
    ['select id from film where id between 1 and 2', 'select id from film where id between 1 and 3'],
    ["select id from film where title = 'x = 1'", "select id from film where title = 'x = 2'"],
    ['select id from film /* id = 1 */', 'select id from film /* id = 2 */'],
  ])('are read apart where a number may matter: %s', (first, second) => {
    const { catalog, lookups } = counting('postgres');
    const analyser = new SqlAnalyser(catalog);
    analyser.analyse(first);
    const before = lookups();
    expect(comparable(analyser.analyse(second))).toBe(direct(second, catalog));
    expect(lookups()).toBeGreaterThan(before);
  });

  it.each(DIALECTS)('keep their numbers in the text of an image query (%s)', (dialect) => {
    const analyser = new SqlAnalyser(schemaOf(dialect));
    const place = dialect === 'postgres' ? '$2' : '?';
    const image = (sql: string) => (analyser.analyse(sql) as WriteAnalysis).effects[0]?.image;
    const first = dialect === 'postgres' ? '$1' : '?';
    for (const [id, list] of [
      [5, '6, 07'],
      [8, '9, 1.50'],
      [8, Array.from({ length: 40 }, (_, i) => i).join(',')],
    ] as const) {
      const where = `id = ${id} and version in (${list}) and title = `;
      expect(image(`update film set title = ${first}, version = 12 where ${where}${place}`)).toEqual({
        from: ` FROM film WHERE ${where}${first}`,
        params: [1],
      });
    }
  });

  it('leave parameters their numbers', () => {
    const analyser = new SqlAnalyser(schemaOf('sqlite'));
    const sql = 'select id from film where title = ? and id = 5 and version = ? limit 4';
    expect(comparable(analyser.analyse(sql))).toBe(direct(sql, schemaOf('sqlite')));
  });

  it('do not touch placeholders that look like ours', () => {
    expect(
      cutLiterals('select id from film where id = 5 and title = ?1000001', 'sqlite', MAX),
    ).toBeUndefined();
    expect(cutLiterals('select id from film where title = ?', 'sqlite', MAX)).toBeUndefined();
  });
});

describe.each(DIALECTS)('analysis with numbers cut out is that without (%s)', (dialect) => {
  const catalog = schemaOf(dialect);
  const own = { postgres: POSTGRES, mysql: MYSQL, sqlite: SQLITE }[dialect];

  it('for all known statements, whichever comes first', () => {
    const analyser = new SqlAnalyser(catalog);
    const known = [
      ...[...COMMON, ...own].map(([sql]) => (dialect === 'postgres' ? sql : sql.replace(/\$[1-8]/g, '?'))),
      ...readFixtures(dialect).flatMap(({ statements }) => statements.map(({ sql }) => sql)),
    ];
    for (const sql of known)
      for (const shift of [0, 1, 7]) {
        const other = sql.replace(/(?<![\w$?.:'])\d{1,3}(?![\w.'])/g, (n) => String(Number(n) + shift));
        expect({ sql: other, says: comparable(analyser.analyse(other)) }).toEqual({
          sql: other,
          says: direct(other, catalog),
        });
      }
  });

  it('for random statements', () => {
    const analyser = new SqlAnalyser(catalog);
    fc.assert(
      fc.property(statement(dialect), (sql) => {
        expect(comparable(analyser.analyse(sql))).toBe(direct(sql, catalog));
      }),
      { numRuns: 1500 },
    );
  });
});

/** Statements full of numbers, at places where they may be cut and at others. */
function statement(dialect: SqlDialect): fc.Arbitrary<string> {
  const cuttable = fc.oneof(
    { weight: 6, arbitrary: fc.integer({ min: 0, max: 4 }).map(String) },
    fc.constantFrom('-5', '6.5', '12345678901234567890', '-7.25'),
  );
  const others = ['1e9', '0x1F', '.5', '8.', '1.2345678901234567'];
  const number = fc.oneof({ weight: 9, arbitrary: cuttable }, fc.constantFrom(...others));
  // What stays in the text must not be equal to what is cut out: only within one kind equal conditions are united.
  const fixed = fc.constantFrom('901', '902');
  const column = fc.constantFrom(
    'id',
    'version',
    'year_made',
    'category_id',
    '"id"',
    '`version`',
    'f.id',
    'nonsense',
    'NULL',
    'TRUE',
  );
  const list = fc.oneof(
    { weight: 8, arbitrary: fc.array(cuttable, { minLength: 1, maxLength: 4 }) },
    fc.tuple(fc.constantFrom(...others), fc.array(fixed, { maxLength: 3 })).map(([n, rest]) => [n, ...rest]),
    fc.integer({ min: 31, max: 36 }).map((length) => Array.from({ length }, (_, i) => String(i + 20))),
  );
  const leaf = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.tuple(column, fc.constantFrom('=', ' = ', '= '), number).map((x) => x.join('')),
    },
    fc.tuple(column, fc.constantFrom('<>', '>', '<=', '!=', '=='), number).map((x) => x.join(' ')),
    fc.tuple(fixed, column).map(([n, c]) => `${n} = ${c}`),
    fc.tuple(fixed, fixed).map(([n, m]) => `${n} = ${m}`),
    fc
      .tuple(column, fc.constantFrom('in', 'IN', 'not in'), list)
      .map(([c, op, l]) => `${c} ${op} (${l.join(', ')})`),
    fc.tuple(column, list).map(([c, l]) => `${c} IN (${l.join(',')})`),
    fc.tuple(fixed, fixed).map(([n, m]) => `${n} in (${m}, 3)`),
    fc.tuple(column, number, fixed).map(([c, n, m]) => `${c} = ${n} + ${m}`),
    fc.tuple(column, number, fixed).map(([c, n, m]) => `${c} = ${n} = ${m}`),
    fc.tuple(column, number).map(([c, n]) => `coalesce(${c} = ${n}, false)`),
    fc.tuple(column, number, number).map(([c, n, m]) => `case when ${c} = ${n} then 1 else 2 end = ${m}`),
    fc.tuple(number).map(([n]) => `title = 'it''s id = ${n} in (${n}, 2)'`),
    fc.tuple(number).map(([n]) => `title = "id = ${n}"`),
    fc.tuple(number).map(([n]) => `title = /* id = ${n} */ 'x' -- limit ${n}\n`),
    fc
      .tuple(column, number)
      .map(([c, n]) => `exists (select 1 from review where stars = ${n} and film_id = ${c} limit ${n})`),
    fc.tuple(column, number).map(([c, n]) => `date(${n}) = ${n} and ${c} = ${n}`),
    fc.tuple(column, fixed).map(([c, n]) => `(${c}, version) = (${n}, 903)`),
    fc.constantFrom('title = ?', 'visible', '1 = 1', '0=1'),
  );
  const condition = fc.letrec<{ node: string }>((tie) => ({
    node: fc.oneof(
      { maxDepth: 3 },
      leaf,
      fc.tuple(tie('node'), tie('node')).map(([x, y]) => `(${x}) AND ${y}`),
      fc.tuple(tie('node'), tie('node')).map(([x, y]) => `${x} OR (${y})`),
      tie('node').map((x) => `NOT (${x})`),
    ),
  })).node;
  const tail = fc.oneof(
    fc.constantFrom('', ';', ' order by 1', ' order by 2 -- x'),
    fc.tuple(number, number).map(([n, m]) => ` LIMIT ${n} OFFSET ${m}`),
    fc.tuple(number, number).map(([n, m]) => ` limit ${n}, ${m}`),
  );
  const values = fc.array(fc.oneof(number, fc.constantFrom('?', 'NULL', "'x, 5'", 'date(1, 2)', '(4)')), {
    minLength: 3,
    maxLength: 3,
  });
  const written = fc.oneof(
    {
      weight: 4,
      arbitrary: fc.tuple(condition, tail).map(([w, t]) => `select id, title from film f where ${w}${t}`),
    },
    fc
      .tuple(condition, tail)
      .map(
        ([w, t]) =>
          `select f.id, 5 as n from film f left join category c on c.id = f.category_id and c.id = 3 where ${w} group by 1, 2${t}`,
      ),
    {
      weight: 2,
      arbitrary: fc
        .tuple(number, column, condition, tail)
        .map(([n, c, w, t]) => `update film set title = ?, ${c} = ${n} where ${w}${t}`),
    },
    fc.tuple(condition, tail).map(([w, t]) => `delete from film where ${w}${t}`),
    fc
      .tuple(values, values, number)
      .map(
        ([a, b, n]) =>
          `insert into film (id, title, version) values (${a.join(', ')}), (${b.join(',')})${upsert(n)}`,
      ),
  );
  const upsert = (n: string) =>
    dialect === 'mysql'
      ? ` on duplicate key update version = ${n}`
      : ` on conflict (id) do update set version = ${n}`;
  if (dialect !== 'postgres') return written;
  return written.map((sql) => {
    let i = 0;
    return sql.replace(/\?/g, () => `$${++i}`);
  });
}
