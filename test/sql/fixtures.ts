import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { SqlDialect } from '../../lib/sql/index.js';

/** One statement and what `describeAnalysis` must say of it. */
export interface Fixture {
  readonly sql: string;
  readonly says: string;
}

export interface FixtureCase {
  readonly name: string;
  readonly statements: readonly Fixture[];
}

export const fixturePath = (dialect: SqlDialect): string =>
  fileURLToPath(new URL(`./fixtures/typeorm-${dialect}.json`, import.meta.url));

/** Statements as TypeORM sends them, captured by `test/sql-live`, each under the first case that sends it. */
export const readFixtures = (dialect: SqlDialect): readonly FixtureCase[] =>
  JSON.parse(readFileSync(fixturePath(dialect), 'utf8')) as FixtureCase[];
