import fc from 'fast-check';
import initSqlJs, { type Database } from 'sql.js';
import {
  bindRead,
  canonicalValue,
  initSqlParser,
  SqlAnalyser,
  type ReadAnalysis,
  type RelationFacts,
  type SqlCatalog,
} from '../../lib/sql/index.js';

/** Three small tables whose every row is compared with what the analyser says can matter. */
const COLUMNS = ['a', 'b', 'c'];
const table = (id: string): RelationFacts => ({
  id,
  kind: 'table',
  columns: new Map([
    ['id', { name: 'id', valueClass: 'integer' }],
    ...COLUMNS.map((name) => [name, { name, valueClass: name === 'c' ? 'boolean' : 'integer' }] as const),
  ]),
});
const RELATIONS = [table('l'), table('r'), table('m')];
const catalog: SqlCatalog = {
  dialect: 'sqlite',
  relations: RELATIONS,
  get: (id) => RELATIONS.find((relation) => relation.id === id),
  find: (path) => RELATIONS.find((relation) => relation.id === path[0]),
};

type Row = Record<string, number | null>;
let db: Database;
let rows: Readonly<Record<string, readonly Row[]>>;

beforeAll(async () => {
  await initSqlParser();
  db = new (await initSqlJs()).Database();
  const values = [null, 0, 1];
  for (const name of ['l', 'r', 'm']) {
    db.run(`CREATE TABLE ${name} (id INTEGER PRIMARY KEY, a INTEGER, b INTEGER, c BOOLEAN)`);
    for (const a of values)
      for (const b of values)
        for (const c of name === 'm' ? [null] : [null, 1])
          db.run(`INSERT INTO ${name} (a, b, c) VALUES (?, ?, ?)`, [a, b, c]);
  }
  rows = { l: select('SELECT * FROM l'), r: select('SELECT * FROM r'), m: select('SELECT * FROM m') };
});
afterAll(() => db.close());

function select(sql: string, params: readonly (number | null)[] = []): Row[] {
  const statement = db.prepare(sql, [...params]);
  const found: Row[] = [];
  while (statement.step()) found.push(statement.getAsObject() as Row);
  statement.free();
  return found;
}

/** A condition over the aliases; every number becomes a literal or a parameter as the text is built. */
const operand = fc.oneof(fc.integer({ min: 0, max: 3 }).map(String), fc.constant('?'), fc.constant('NULL'));
const condition = (aliases: readonly string[]): fc.Arbitrary<string> => {
  const column = fc
    .tuple(fc.constantFrom(...aliases), fc.constantFrom(...COLUMNS))
    .map((parts) => parts.join('.'));
  const leaf = fc.oneof(
    { weight: 5, arbitrary: fc.tuple(column, operand).map(([c, v]) => `${c} = ${v}`) },
    fc.tuple(column, operand).map(([c, v]) => `${v} = ${c}`),
    fc.tuple(column, operand).map(([c, v]) => `${c} <> ${v}`),
    fc.tuple(column, operand).map(([c, v]) => `${c} > ${v}`),
    fc.tuple(column, column).map(([c, d]) => `${c} = ${d}`),
    fc.tuple(column, fc.array(operand, { maxLength: 3 })).map(([c, list]) => `${c} IN (${list.join(', ')})`),
    fc
      .tuple(column, fc.array(operand, { minLength: 1, maxLength: 3 }))
      .map(([c, list]) => `${c} NOT IN (${list.join(', ')})`),
    fc.tuple(column, column, operand, operand).map(([c, d, v, w]) => `(${c}, ${d}) = (${v}, ${w})`),
    { weight: 4, arbitrary: column.map((c) => `${c} IS NULL`) },
    column.map((c) => `${c} IS NOT NULL`),
    fc.constantFrom(...aliases).map((alias) => `${alias}.c`),
    fc.constantFrom('0 = 1', '1 = 1', 'TRUE', 'FALSE', '1 <> 1', '1', '0'),
    fc.tuple(column, operand, operand).map(([c, v, w]) => `${c} BETWEEN ${v} AND ${w}`),
    fc.tuple(column, operand).map(([c, v]) => `coalesce(${c}, 1) = ${v}`),
  );
  return fc.letrec<{ node: string }>((tie) => ({
    node: fc.oneof(
      { maxDepth: 4, withCrossShrink: true },
      leaf,
      fc.tuple(tie('node'), tie('node')).map(([x, y]) => `(${x} AND ${y})`),
      fc.tuple(tie('node'), tie('node')).map(([x, y]) => `${x} OR ${y}`),
      tie('node').map((x) => `NOT (${x})`),
      tie('node').map((x) => `(${x}) IS TRUE`),
      tie('node').map((x) => `(${x}) IS FALSE`),
    ),
  })).node;
};

const params = fc.array(fc.constantFrom(0, 1, 2, null), { minLength: 200, maxLength: 200 });

/** Whether a row of a table can matter to one execution of a statement. */
function matcher(tableName: string, sql: string, values: readonly unknown[]): (row: Row) => boolean {
  const analysis = new SqlAnalyser(catalog).analyse(sql) as ReadAnalysis;
  if (analysis.uncacheable !== undefined) throw new Error(analysis.uncacheable);
  const { conditions = [] } =
    bindRead(analysis, values, catalog).find(({ table: id }) => id === tableName) ?? {};
  const columns = (catalog.get(tableName) as RelationFacts).columns;
  return (row) =>
    conditions.some((conjunction) =>
      [...conjunction].every(([column, value]) => {
        const facts = columns.get(column);
        return facts !== undefined && canonicalValue(facts, row[column]) === value;
      }),
    );
}

const countOf = (sql: string) => (sql.match(/\?/g) ?? []).length;

it('every row that satisfies a WHERE matches one of its conjunctions', () => {
  fc.assert(
    fc.property(condition(['l']), params, (where, values) => {
      const sql = `SELECT id, a, b, c FROM l WHERE ${where}`;
      const bound = values.slice(0, countOf(sql));
      const matches = matcher('l', sql, bound);
      expect(select(sql, bound).filter((row) => !matches(row))).toEqual([]);
    }),
    { numRuns: 1500 },
  );
});

/** ON conditions of all kinds, half of them with an equality between the two sides. */
const onCondition = (left: readonly string[], right: string): fc.Arbitrary<string> => {
  const link = fc
    .tuple(fc.constantFrom(...left), fc.constantFrom('a', 'b'), fc.constantFrom('a', 'b'))
    .map(([alias, a, b]) => `${alias}.${a} = ${right}.${b}`);
  const more = condition([...left, right]);
  return fc.oneof(
    more,
    link,
    fc.tuple(link, more).map(([x, y]) => `${x} AND (${y})`),
  );
};

it('a row outside all conjunctions can go without changing the result of a join', () => {
  const joins = fc.constantFrom('JOIN', 'LEFT JOIN', 'RIGHT JOIN', 'FULL JOIN');
  const statement = fc
    .tuple(joins, onCondition(['x'], 'y'), joins, onCondition(['x', 'y'], 'z'), condition(['x', 'y', 'z']))
    .map(
      ([first, on, second, then, where]) =>
        `SELECT x.id AS x, y.id AS y, z.id AS z FROM l x ${first} r y ON ${on} ${second} m z ON ${then} WHERE ${where}`,
    );
  fc.assert(
    fc.property(statement, params, fc.constantFrom('l', 'r', 'm'), (sql, values, name) => {
      const bound = values.slice(0, countOf(sql));
      const matches = matcher(name, sql, bound);
      const irrelevant = (rows[name] as readonly Row[])
        .filter((row) => !matches(row))
        .map((row) => row['id']);
      if (irrelevant.length === 0) return;
      const without = `SELECT * FROM ${name} WHERE id NOT IN (${irrelevant.join(', ')})`;
      const reduced = `WITH ${name}_less AS (${without}) ${sql.replace(` ${name} `, ` ${name}_less `)}`;
      const sorted = (found: readonly Row[]) => found.map(({ x, y, z }) => `${x}/${y}/${z}`).sort();
      expect(sorted(select(reduced, bound))).toEqual(sorted(select(sql, bound)));
    }),
    { numRuns: 4000 },
  );
});
