import { DataSource } from 'typeorm';
import { canonicalValue, type ValueClass } from '../../lib/sql/index.js';
import { createDatabase, type DatabaseKind } from '../support/databases.js';

interface Column {
  readonly valueClass: ValueClass;
  /** Type in each database; absent: not there. */
  readonly type: Readonly<Partial<Record<DatabaseKind, string>>>;
  /** What applications bind and literals say. */
  readonly values: readonly unknown[];
}

const UUID = '7f1d3c5a-1111-4222-8333-444455556666';
const COLUMNS: readonly Column[] = [
  {
    valueClass: 'integer',
    type: { postgres: 'bigint', mariadb: 'bigint', sqlite: 'integer' },
    values: [0, 1, '1', '01', '+1', -1, '-1', '9007199254740993', '9007199254740992', 2 ** 31],
  },
  {
    valueClass: 'decimal',
    type: { postgres: 'numeric(12,4)', mariadb: 'decimal(12,4)', sqlite: 'numeric(12,4)' },
    values: [0, '0.0', '-0', 1, '1.0', '1.00', '1e0', 1.5, '1.50', '01.5', '-1.5', 0.1, '.1', '100', '1e2'],
  },
  {
    valueClass: 'decimal',
    type: { postgres: 'double precision', mariadb: 'double', sqlite: 'real' },
    values: [
      ...[0, '-0', 1, '1.0', '1e0', 1.5, '1.50', 0.1, '.1', 0.1 + 0.2, 0.3, '0.30', 1e15, '1e15'],
      ...['0.123456789012345', '0.1234567890123456', '0.12345678901234561', '123456789012345'],
    ],
  },
  {
    valueClass: 'padded-text',
    type: { postgres: 'char(6)' },
    values: ['a', 'A', 'a ', 'a  ', ' a', 'é', '', ' ', 'a b', 'a\u0001'],
  },
  {
    valueClass: 'boolean',
    type: { postgres: 'boolean', mariadb: 'tinyint(1)', sqlite: 'boolean' },
    values: [1, 0, '1', '0'],
  },
  {
    valueClass: 'uuid',
    type: { postgres: 'uuid', mariadb: 'uuid' },
    values: [UUID, UUID.toUpperCase(), UUID.replaceAll('-', ''), UUID.replace('7', '8')],
  },
  {
    valueClass: 'date',
    type: { postgres: 'date', mariadb: 'date', sqlite: 'date' },
    values: ['2024-01-15', '2024-01-16', '1999-12-31'],
  },
  {
    valueClass: 'time',
    type: { postgres: 'time', mariadb: 'time(6)', sqlite: 'time' },
    values: ['10:30:00', '10:30:00.500', '10:30:00.5', '10:30:01'],
  },
  {
    valueClass: 'timestamp',
    type: { postgres: 'timestamptz', mariadb: 'datetime(3)' },
    values: [
      new Date('2024-01-15T12:00:00.000Z'),
      new Date('2024-01-15T12:00:00.001Z'),
      new Date(Date.UTC(2024, 0, 15, 12)),
    ],
  },
  {
    valueClass: 'text',
    type: { postgres: 'text', sqlite: 'text' },
    values: ['a', 'A', 'a ', ' a', 'é', 'e\u0301', '', '1', '1.0'],
  },
  {
    valueClass: 'folded-text',
    type: { mariadb: 'varchar(20) collate utf8mb4_unicode_ci', sqlite: 'varchar(20) collate nocase' },
    values: ['a', 'A', 'a ', 'AB', 'ab  ', 'é', 'e', 'E', 'ß', 'ss', '', ' ', 'a-b', 'ab', 'a\u0000', '1'],
  },
];

describe.each<DatabaseKind>(['postgres', 'mariadb', 'sqlite'])('canonical values on %s', (kind) => {
  let db: DataSource;
  let drop: () => Promise<void>;
  const columns = COLUMNS.filter(({ type }) => type[kind] !== undefined);
  const place = kind === 'postgres' ? '$1' : '?';

  beforeAll(async () => {
    const database = await createDatabase(kind);
    db = await new DataSource(database.options).initialize();
    drop = database.drop;
  });
  afterAll(async () => {
    await db.destroy();
    await drop();
  });

  /** What stands in the row `WHERE v = bound` finds must have the text of what was bound, or one of them none. */
  it.each(columns.map((column) => [`${column.valueClass} (${column.type[kind]})`, column] as const))(
    '%s: equal in the database is equal in the token',
    async (_, column) => {
      const facts = { name: 'v', valueClass: column.valueClass };
      const tableName = `t_${columns.indexOf(column)}`;
      await db.query(`create table ${tableName} (v ${column.type[kind]})`);
      for (const value of column.values)
        await db.query(`insert into ${tableName} (v) values (${place})`, [value]);
      let vouched = 0;
      for (const bound of column.values) {
        const text = canonicalValue(facts, bound);
        const found = await db.query<{ v: unknown }[]>(`select v from ${tableName} where v = ${place}`, [
          bound,
        ]);
        expect(found.length).toBeGreaterThan(0);
        for (const { v } of found) {
          const row = canonicalValue(facts, v);
          if (text === undefined || row === undefined) continue;
          expect({ bound, row: v, text: row }).toEqual({ bound, row: v, text });
          vouched++;
        }
      }
      expect(vouched).toBeGreaterThan(column.values.length / 2);
    },
  );
});
