import type { DataSource } from 'typeorm';
import type { ColumnMetadata } from 'typeorm/metadata/ColumnMetadata.js';
import type { SqlDialect, ValueClass } from '../sql/sql.types.js';

const INTEGER =
  /^(?:(?:tiny|small|medium|big|unsigned big)?\s?int(?:eger)?|int[248]|serial[248]?|(?:big|small)serial)$/;
const DECIMAL = /^(?:decimal|numeric|dec|fixed|number)$/;
/** `real` and `float` of the servers are of single precision, which makes one of numbers that are not the same. */
const DOUBLE = /^(?:double(?: precision)?|float8)$/;
const DOUBLE_IN_SQLITE = /^(?:double(?: precision)?|real|float)$/;
const TEXT =
  /^(?:(?:var)?char(?:acter)?(?: varying)?|(?:tiny|medium|long)?text|native character|nvarchar|nchar|varying character|clob|enum|simple-enum)$/;

const FIXED_TYPES: Readonly<Record<string, ValueClass>> = {
  boolean: 'boolean',
  bool: 'boolean',
  uuid: 'uuid',
  date: 'date',
  datetime: 'timestamp',
  timestamp: 'timestamp',
  timestamptz: 'timestamp',
  'timestamp with time zone': 'timestamp',
  'timestamp without time zone': 'timestamp',
  time: 'time',
  'time without time zone': 'time',
  citext: 'folded-text',
};

const TEMPORAL: ReadonlySet<ValueClass> = new Set(['timestamp', 'date', 'time']);

/** How the database compares values of a column. What is not known to compare exactly is `opaque` (law 5). */
export function valueClassOf(
  dataSource: DataSource,
  dialect: SqlDialect,
  column: ColumnMetadata,
): ValueClass {
  if (column.isArray) return 'opaque';
  const declared = typeof column.type === 'string' ? column.type : undefined;
  if (declared === 'simple-json' || declared === 'simple-array') return 'opaque';
  const type = dataSource.driver.normalizeType(column).toLowerCase();
  if (column.type === Boolean || declared === 'boolean' || declared === 'bool') return 'boolean';
  const fixed = FIXED_TYPES[type];
  // SQLite has no times: their columns hold the text that was written and compare it byte by byte.
  if (fixed) return dialect === 'sqlite' && TEMPORAL.has(fixed) ? 'text' : fixed;
  if (INTEGER.test(type)) return 'integer';
  const double = dialect === 'sqlite' ? DOUBLE_IN_SQLITE : DOUBLE;
  if (DECIMAL.test(type) || double.test(type)) return 'decimal';
  if (TEXT.test(type) || column.enum) return textClass(dialect, type, column);
  return 'opaque';
}

function textClass(dialect: SqlDialect, type: string, column: ColumnMetadata): ValueClass {
  const collation = column.collation?.toLowerCase();
  // Binary collations of MySQL ignore trailing blanks as well; only this one compares bytes and nothing else.
  if (dialect === 'mysql')
    return collation === 'utf8mb4_0900_bin' && type !== 'char' ? 'text' : 'folded-text';
  if (dialect === 'sqlite') return collation === undefined || collation === 'binary' ? 'text' : 'folded-text';
  // PostgreSQL compares bytes unless the collation is not deterministic; `char(n)` ignores trailing blanks.
  const isExact = collation === undefined || ['c', 'posix', 'default'].includes(collation);
  if (!isExact) return 'opaque';
  return type === 'character' || type === 'char' ? 'padded-text' : 'text';
}
