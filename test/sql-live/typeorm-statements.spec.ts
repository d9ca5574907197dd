import { DataSource } from 'typeorm';
import type { SqlDialect } from '../../lib/sql/index.js';
import { readFixtures } from '../sql/fixtures.js';
import { RELATIONS } from '../sql/schema.js';
import { createDatabase, type DatabaseKind } from '../support/databases.js';
import { captureStatements } from './capture.js';
import { ENTITIES } from './model.js';

const KINDS: readonly (readonly [DatabaseKind, SqlDialect])[] = [
  ['postgres', 'postgres'],
  ['mariadb', 'mysql'],
  ['sqlite', 'sqlite'],
];

/** The fixtures of `test/sql` are only worth something while TypeORM still sends these texts. */
describe.each(KINDS)('fixtures of %s', (kind, dialect) => {
  it('are what TypeORM sends', async () => {
    const captured = await captureStatements(kind);
    const known = new Map(
      readFixtures(dialect).map(({ name, statements }) => [name, statements.map(({ sql }) => sql)]),
    );
    const seen = new Set<string>();
    for (const { name, sql } of captured) {
      const fresh = [...new Set(sql)].filter((text) => !seen.has(text));
      for (const text of fresh) seen.add(text);
      expect({ name, sql: fresh }).toEqual({ name, sql: known.get(name) ?? [] });
    }
    expect(captured.map(({ name }) => name)).toEqual(expect.arrayContaining([...known.keys()]));
  });
});

it('the schema of the fixtures is that of the entities', async () => {
  const { options } = await createDatabase('sqlite', { entities: ENTITIES });
  const db = await new DataSource(options).initialize();
  const described = new Map(RELATIONS.map(({ id, columns }) => [id, [...columns.keys()].sort()]));
  for (const metadata of db.entityMetadatas) {
    const tables = db.entityMetadatas.filter((m) => m.tableName === metadata.tableName);
    const columns = new Set(tables.flatMap((m) => m.columns.map((c) => c.databaseName)));
    expect({ table: metadata.tableName, columns: [...columns].sort() }).toEqual({
      table: metadata.tableName,
      columns: described.get(metadata.tableName),
    });
  }
  await db.destroy();
});
