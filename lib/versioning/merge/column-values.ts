import { isDeepStrictEqual } from 'node:util';
import type { DataSource, ObjectLiteral } from 'typeorm';
import type { ColumnMetadata } from 'typeorm/metadata/ColumnMetadata.js';
import type { MergePart } from './three-way.js';

const JSON_TYPES: ReadonlySet<unknown> = new Set(['json', 'jsonb', 'simple-json']);

const NUMERIC_TYPES: ReadonlySet<string> = new Set(
  (
    'int int2 int4 int8 integer tinyint smallint mediumint bigint "unsigned big int" serial numeric decimal dec fixed ' +
    'number real float float4 float8 double "double precision" money'
  )
    .match(/"[^"]+"|\S+/g)
    ?.map((type) => type.replaceAll('"', '')),
);

/** A column as something that can be merged. Two values are the same if the database would store the same for both. */
export function columnPart(dataSource: DataSource, column: ColumnMetadata): MergePart<ObjectLiteral> {
  const { driver } = dataSource;
  const isNumeric = NUMERIC_TYPES.has(driver.normalizeType(column));
  const stored = (value: unknown): unknown => {
    const prepared: unknown = driver.preparePersistentValue(value, column);
    if (JSON_TYPES.has(column.type) && typeof prepared === 'string') return JSON.parse(prepared) as unknown;
    if (prepared instanceof Uint8Array) return Buffer.from(prepared);
    return isNumeric ? numberText(prepared) : prepared;
  };
  return {
    get: (entity) => column.getEntityValue(entity) as unknown,
    set: (entity, value) => column.setEntityValue(entity, value),
    // First as they are: a transformer need not give the same twice (encryption).
    isSame: (a, b) =>
      isDeepStrictEqual(a, b) || (a !== null && b !== null && isDeepStrictEqual(stored(a), stored(b))),
  };
}

/** Drivers answer decimals and large integers as texts: `'1.50'` and `1.5` are the same number. */
function numberText(value: unknown): unknown {
  if (typeof value !== 'number' && typeof value !== 'bigint' && typeof value !== 'string') return value;
  const text = String(value).trim();
  const match = /^([+-]?)0*(\d*?)(?:\.(\d*?)0*)?$/.exec(text);
  if (!match || !/\d/.test(text)) return value;
  const [, sign, whole = '', fraction = ''] = match;
  const digits = `${whole || '0'}${fraction && `.${fraction}`}`;
  return sign === '-' && digits !== '0' ? `-${digits}` : digits;
}
