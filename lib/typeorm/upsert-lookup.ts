import { bindOperand } from '../sql/index.js';
import type { Operand, SqlDialect, WriteEffect } from '../sql/sql.types.js';
import type { TableFacts } from './catalog.js';
import { bindTo, quoteName } from './statement.js';
import type { UniqueKey } from './unique-keys.js';

type Row = ReadonlyMap<string, Operand>;

/** Finds the rows that an upsert meets, and afterwards those that it leaves. */
export interface UpsertLookup {
  /** ` FROM table WHERE (...)`: the rows whose key is one that the statement gives. */
  readonly from: string;
  readonly params: readonly unknown[];
  /** The keys by which rows can be in the way. */
  readonly keys: readonly UniqueKey[];
  /** Columns of those keys and of the primary key. */
  readonly keyColumns: readonly string[];
  /** How many rows the statement gives. */
  readonly rows: number;
  /** Each of them has a key by which the row that it leaves is found. */
  readonly allKeyed: boolean;
  /** Each of them can be met by one key only. */
  readonly oneKeyEach: boolean;
  /** A row that is met has all keys of the new one afterwards, so that it cannot be met beside another one. */
  readonly ownKeys: boolean;
}

/**
 * @returns `undefined` when rows can be in the way that their keys do not tell: the key is not told or has a default,
 * or is computed
 */
export function upsertLookup(
  { upsert, rows = [] }: WriteEffect,
  assigned: '*' | ReadonlySet<string>,
  params: readonly unknown[],
  table: TableFacts,
  all: readonly UniqueKey[],
  dialect: SqlDialect,
): UpsertLookup | undefined {
  if (!upsert) return undefined;
  const keys = upsert.target ? all.filter((key) => isKeyOf(key, upsert.target as readonly string[])) : all;
  if (keys.length === 0 || keys.some((key) => key.some(({ name }) => upsert.computed.includes(name))))
    return undefined;
  const bound: unknown[] = [];
  const conditions: string[] = [];
  let allKeyed = true;
  let oneKeyEach = true;
  for (const row of rows) {
    const given = keys.map((key) => valuesOf(key, row, params, table));
    // PostgreSQL tells afterwards which rows it inserted; the others do not.
    if (given.includes(undefined) && dialect !== 'postgres') return undefined;
    const parts = given.flatMap((values, i) =>
      values && values.length > 0 ? [equals(keys[i] as UniqueKey, values, bound, dialect)] : [],
    );
    conditions.push(...parts);
    allKeyed &&= parts.length > 0;
    oneKeyEach &&= parts.length < 2;
  }
  if (conditions.length === 0) return undefined;
  const ownKeys = assigned === '*' || keys.every((key) => key.every(({ name }) => assigned.has(name)));
  const from = ` FROM ${table.sqlName} WHERE (${conditions.join(' OR ')})`;
  const names = [...table.primaryColumns, ...keys.flatMap((key) => key.map(({ name }) => name))];
  return {
    from,
    params: bound,
    keys,
    keyColumns: [...new Set(names)],
    rows: rows.length,
    allKeyed,
    oneKeyEach,
    ownKeys,
  };
}

/** Values of a key in a row; none where it cannot be in anybody's way; `undefined` where they are not known. */
function valuesOf(
  key: UniqueKey,
  row: Row,
  params: readonly unknown[],
  { incrementColumn }: TableFacts,
): readonly unknown[] | undefined {
  const values: unknown[] = [];
  for (const { name } of key) {
    const operand = row.get(name);
    const value = operand && bindOperand(operand, params);
    // A key that the database makes is new, and NULL is not equal to NULL.
    if (value === null || (value === undefined && name === incrementColumn)) return [];
    if (value === undefined) return undefined;
    values.push(value);
  }
  return values;
}

function equals(key: UniqueKey, values: readonly unknown[], params: unknown[], dialect: SqlDialect): string {
  const parts = key.map(({ name, collation }, i) => {
    const place = bindTo(params, values[i], dialect);
    const by = collation === undefined ? '' : ` COLLATE ${quoteName(collation, dialect)}`;
    return `${quoteName(name, dialect)} = ${place}${by}`;
  });
  return `(${parts.join(' AND ')})`;
}

const isKeyOf = (key: UniqueKey, columns: readonly string[]): boolean =>
  key.length === columns.length && key.every(({ name }) => columns.includes(name));
