import {
  bindOperand,
  bindRead,
  bindWhere,
  initSqlParser,
  SqlAnalyser,
  type ReadAnalysis,
  type RelationFacts,
  type SqlDialect,
  type WriteAnalysis,
} from '../../lib/sql/index.js';
import { schemaOf } from './schema.js';

beforeAll(() => initSqlParser());

function bound(where: string, params: readonly unknown[], dialect: SqlDialect = 'postgres', max?: number) {
  const catalog = schemaOf(dialect);
  const analysis = new SqlAnalyser(catalog).analyse(`select id from film where ${where}`) as ReadAnalysis;
  const [read] = bindRead(analysis, params, catalog, max);
  return read?.conditions.map((condition) => Object.fromEntries(condition));
}

describe('bindRead', () => {
  it('puts canonical values in', () => {
    expect(bound('id = $1 and price = $2 and visible = $3', ['01', '1.50', 1])).toEqual([
      { id: '1', price: '1.5', visible: '1' },
    ]);
  });
  it('leaves out a column whose value has no canonical text', () => {
    expect(bound('id = $1 and created_at = $2', [1, '2024-01-01'])).toEqual([{ id: '1' }]);
    expect(bound('id = $1', [{}])).toEqual([{}]);
    expect(bound('id = $1', [])).toEqual([{}]);
  });
  it('drops what can never be true', () => {
    expect(bound('id = $1 and id = $2', [1, 2])).toEqual([]);
    expect(bound('id = $1 and id = $2', [1, '1.0'])).toEqual([{ id: '1' }]);
    expect(bound('id = $1', [null])).toEqual([]);
    expect(bound('id = $1 or id = $2', [null, 3])).toEqual([{ id: '3' }]);
    expect(bound('id = $1 and id is null', [3])).toEqual([]);
    expect(bound('id = any($1)', [[]])).toEqual([]);
    expect(bound('id = any($1)', [[null]])).toEqual([]);
  });
  it('IS NULL is a value of its own', () => {
    expect(bound('category_id is null', [])).toEqual([{ category_id: null }]);
  });
  it('spreads lists', () => {
    expect(bound('id = any($1) and visible = true', [[1, 2, '2']])).toEqual([
      { visible: '1', id: '1' },
      { visible: '1', id: '2' },
    ]);
    expect(bound('id = any($1)', ['{1,2}'])).toEqual([{}]);
    expect(bound('id = any($1) and version = 3', [[1, 'x']])).toEqual([{ version: '3' }]);
    expect(bound('id in (?)', [[1, 2]], 'mysql')).toEqual([{ id: '1' }, { id: '2' }]);
    expect(bound('id in (?)', [[[1, 2]]], 'mysql')).toEqual([{}]);
    expect(bound('id = any($1) and id in ($2, $3)', [[1, 2], 2, 3])).toEqual([{ id: '2' }]);
  });
  it('a list that is too long is left out, what stands beside it stays', () => {
    const many = Array.from({ length: 40 }, (_, i) => i);
    expect(bound('id = any($1) and version = $2', [many, 1])).toEqual([{ version: '1' }]);
    expect(bound('id = any($1)', [many])).toEqual([{}]);
  });
  it('equal and covered conditions are one, too many are any row', () => {
    expect(bound('id = $1 or id = $2', [1, '1'])).toEqual([{ id: '1' }]);
    expect(bound('id = $1 or (id = $2 and version = 1)', [1, 1])).toEqual([{ id: '1' }]);
    expect(bound('id = $1 or id = $2 or id = $3', [1, 2, 3], 'postgres', 2)).toEqual([{}]);
  });
  it('only PostgreSQL reads a boolean from a word', () => {
    expect(bound('visible = $1', ['true'])).toEqual([{ visible: '1' }]);
    expect(bound('visible = ?', ['true'], 'mysql')).toEqual([{}]);
    expect(bound('visible = ?', ['1'], 'mysql')).toEqual([{ visible: '1' }]);
  });
});

describe('writes', () => {
  const effectOf = (sql: string) =>
    (new SqlAnalyser(schemaOf('postgres')).analyse(sql) as WriteAnalysis).effects[0];

  it('bindWhere binds the condition of a write', () => {
    const film = schemaOf('postgres').get('film') as RelationFacts;
    const effect = effectOf('update film set title = $1 where id in ($2, $3) and created_at = $4');
    const conditions = bindWhere(effect?.where ?? [], ['x', 1, '2', 'soon'], film);
    expect(conditions.map((condition) => Object.fromEntries(condition))).toEqual([{ id: '1' }, { id: '2' }]);
  });
  it('bindOperand gives the value', () => {
    expect(bindOperand({ param: 1 }, ['a', 'b'])).toBe('b');
    expect(bindOperand({ list: 0 }, [[1]])).toEqual([1]);
    expect(bindOperand({ literal: 5 }, [])).toBe(5);
  });
  it('an image query repeats FROM and WHERE with its own numbers', () => {
    const image = (sql: string) => effectOf(sql)?.image;
    expect(
      image(
        'update film as f set title = $1, year_made = $4 where f.id = $3 /* x */ and f.version = $2 -- y\n returning id',
      ),
    ).toEqual({
      from: ' FROM film as f WHERE f.id = $1 and f.version = $2',
      params: [2, 1],
    });
    expect(image('update film set title = $1 where title = $1 or title = $2 and id = $1')?.from).toBe(
      ' FROM film WHERE title = $1 or title = $2 and id = $1',
    );
    expect(image('delete from only film')).toEqual({ from: ' FROM only film', params: [] });
    expect(image("update film set title = (select 'where' from actor where id = $1) where id = $2")).toEqual({
      from: ' FROM film WHERE id = $1',
      params: [1],
    });
  });
});

describe('SqlAnalyser', () => {
  it('remembers texts, and forgets the least recently used', () => {
    const analyser = new SqlAnalyser(schemaOf('postgres'), { memo: 2 });
    const [a, b, c] = ['select id from film', 'select id from actor', 'select id from detail'] as const;
    const [first, second] = [analyser.analyse(a), analyser.analyse(b)];
    expect(analyser.analyse(a)).toBe(first);
    analyser.analyse(c);
    expect(analyser.analyse(a)).toBe(first);
    expect(analyser.analyse(b)).not.toBe(second);
  });
  it('takes the number of conjunctions', () => {
    const analyser = new SqlAnalyser(schemaOf('postgres'), { maxConjunctions: 2 });
    const read = (where: string) =>
      (analyser.analyse(`select id from film where ${where}`) as ReadAnalysis).tables[0]?.conditions;
    expect(read('id in (1, 2)')).toHaveLength(2);
    expect(read('id in (1, 2, 3)')).toEqual([[]]);
    expect(read('id in (1, 2) and version in (3, 4)')).toHaveLength(2);
  });
  it.each([
    'select (',
    "select 'open",
    'select "open',
    '/* open',
    '$$ open',
    '?',
    ';;',
    ')',
    'with',
    '\u0000',
    'select * from film where '.repeat(500) + '1',
    `select ${'('.repeat(3000)}1`,
  ])('never throws: %#', (sql) => {
    for (const dialect of ['postgres', 'mysql', 'sqlite'] as const)
      expect(new SqlAnalyser(schemaOf(dialect)).analyse(sql).kind).toMatch(/read|opaque|session/);
  });
});
