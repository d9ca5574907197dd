import { initSqlParser, SqlAnalyser, type SqlDialect } from '../../lib/sql/index.js';
import { describeAnalysis } from './describe-analysis.js';
import { readFixtures } from './fixtures.js';
import { schemaOf } from './schema.js';

beforeAll(() => initSqlParser());

describe.each<SqlDialect>(['postgres', 'mysql', 'sqlite'])('what TypeORM sends to %s', (dialect) => {
  const cases = readFixtures(dialect);
  const analyser = new SqlAnalyser(schemaOf(dialect));

  it('is a good part of what TypeORM can say', () => {
    expect(cases.flatMap(({ statements }) => statements).length).toBeGreaterThanOrEqual(200);
  });

  it.each(cases.map(({ name, statements }) => [name, statements] as const))('%s', (_name, statements) => {
    for (const { sql, says } of statements)
      expect({ sql, says: describeAnalysis(analyser.analyse(sql)) }).toEqual({ sql, says });
  });
});
