import { initSqlParser, SqlAnalyser, type SqlDialect } from '../../lib/sql/index.js';
import { describeAnalysis } from './describe-analysis.js';
import { COMMON, MYSQL, POSTGRES, SQLITE, type RawCase } from './raw-cases.js';
import { schemaOf } from './schema.js';

beforeAll(() => initSqlParser());

const DIALECTS: readonly (readonly [SqlDialect, readonly RawCase[]])[] = [
  ['postgres', POSTGRES],
  ['mysql', MYSQL],
  ['sqlite', SQLITE],
];

/** `$9` stays: it stands inside a string. */
const inDialect = (sql: string, dialect: SqlDialect) =>
  dialect === 'postgres' ? sql : sql.replace(/\$[1-8]/g, '?');

describe.each(DIALECTS)('statements written by hand for %s', (dialect, own) => {
  const analyser = new SqlAnalyser(schemaOf(dialect));

  it.each([...COMMON.map(([sql, says]): RawCase => [inDialect(sql, dialect), says]), ...own])(
    '%s',
    (sql, says) => {
      expect(describeAnalysis(analyser.analyse(sql))).toBe(says);
    },
  );
});
