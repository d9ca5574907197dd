import type { SqlDialect } from '../../sql/sql.types.js';
import { quoteName } from '../statement.js';
import type { TriggerNames } from '../trigger-tables.js';

export type TriggerKind = 'insert' | 'update' | 'delete';

/** What a trigger must know of its table. */
export interface TriggerTable {
  readonly path: string;
  readonly names: TriggerNames;
  /** The outbox, quoted. */
  readonly outbox: string;
  /** Expression for the time of the server. */
  readonly now: string;
  readonly columns: readonly string[];
  /** Columns whose values the payload carries. */
  readonly told: readonly string[];
}

interface TriggerDialect {
  readonly up: (table: TriggerTable, kind: TriggerKind, exceptUser: string | undefined) => readonly string[];
  readonly down: (table: TriggerTable, kind: TriggerKind) => readonly string[];
}

/** PostgreSQL takes 100 arguments, SQLite 127; a pair is two. */
const PIECE = 45;

const inPieces = <T>(list: readonly T[]): readonly (readonly T[])[] =>
  Array.from({ length: Math.ceil(list.length / PIECE) }, (_, i) => list.slice(i * PIECE, (i + 1) * PIECE));

const text = (value: string): string => `'${value.replaceAll("'", "''")}'`;

/** Column names as they stand in the list of changed ones. */
const listed = (column: string): string => text(encodeURIComponent(column));

const ROWS: Readonly<Record<TriggerKind, readonly ('OLD' | 'NEW')[]>> = {
  insert: ['NEW'],
  update: ['OLD', 'NEW'],
  delete: ['OLD'],
};

interface Phrases {
  readonly dialect: SqlDialect;
  /** Functions that make JSON of their arguments. */
  readonly object: string;
  readonly array: string;
  readonly asText: (column: string) => string;
  /** The changed columns, parted by commas; empty when none changed. */
  readonly changed: (columns: readonly string[]) => string;
}

const column = (row: string, name: string, dialect: SqlDialect): string =>
  `${row}.${quoteName(name, dialect)}`;

function payload(
  table: TriggerTable,
  kind: TriggerKind,
  { dialect, object, array, asText, changed }: Phrases,
): string {
  const row = (of: 'OLD' | 'NEW'): string => {
    const pairs = table.told.map((name) => `${text(name)}, ${asText(column(of, name, dialect))}`);
    const pieces = inPieces(pairs).map((piece) => `${object}(${piece.join(', ')})`);
    return `${text(of.toLowerCase())}, ${array}(${pieces.join(', ')})`;
  };
  const parts = [`'table', ${text(table.path)}`, `'kind', ${text(kind)}`, ...ROWS[kind].map(row)];
  if (kind === 'update') parts.push(`'changed', ${changed(table.columns)}`);
  return `${object}(${parts.join(', ')})`;
}

const insert = ({ outbox, now }: TriggerTable, id: string, value: string): string =>
  `INSERT INTO ${outbox} (id, origin, payload, created_at) VALUES (${id}, 'trigger', ${value}, ${now})`;

const POSTGRES: Phrases = {
  dialect: 'postgres',
  object: 'json_build_object',
  array: 'json_build_array',
  asText: (value) => `${value}::text`,
  // Some types (json, point) have no equality of their own.
  changed: (columns) => {
    const names = columns.map((name) => {
      const [old, fresh] = ['OLD', 'NEW'].map((row) => `${column(row, name, 'postgres')}::text`);
      return `CASE WHEN ${old} IS DISTINCT FROM ${fresh} THEN ${listed(name)} END`;
    });
    return `concat_ws(',', ${inPieces(names)
      .map((piece) => `concat_ws(',', ${piece.join(', ')})`)
      .join(', ')})`;
  },
};

const MYSQL: Phrases = {
  dialect: 'mysql',
  object: 'JSON_OBJECT',
  array: 'JSON_ARRAY',
  asText: (value) => `CAST(${value} AS CHAR)`,
  changed: (columns) =>
    `CONCAT_WS(',', ${columns
      .map((name) => {
        const [old, fresh] = ['OLD', 'NEW'].map((row) => column(row, name, 'mysql'));
        return `IF(${old} <=> ${fresh}, NULL, ${listed(name)})`;
      })
      .join(', ')})`,
};

const SQLITE: Phrases = {
  dialect: 'sqlite',
  object: 'json_object',
  array: 'json_array',
  asText: (value) => `CAST(${value} AS TEXT)`,
  changed: (columns) =>
    columns
      .map((name) => {
        const [old, fresh] = ['OLD', 'NEW'].map((row) => column(row, name, 'sqlite'));
        return `CASE WHEN ${old} IS ${fresh} THEN '' ELSE ${text(`${encodeURIComponent(name)},`)} END`;
      })
      .join(' || '),
};

/** PostgreSQL needs a function for each trigger, and tells TRUNCATE as well. */
const postgres: TriggerDialect = {
  up(table, kind, exceptUser) {
    const make = (event: string, level: string, value: string): readonly string[] => {
      const { names } = table;
      const unless = exceptUser === undefined ? '' : ` WHEN (session_user <> ${text(exceptUser)})`;
      return [
        `CREATE OR REPLACE FUNCTION ${names.inSchema(event)}() RETURNS trigger LANGUAGE plpgsql AS $cacheops$ BEGIN ${insert(table, 'gen_random_uuid()::text', `(${value})::text`)}; RETURN NULL; END $cacheops$`,
        `CREATE TRIGGER ${names.trigger(event)} AFTER ${event.toUpperCase()} ON ${names.table} FOR EACH ${level}${unless} EXECUTE FUNCTION ${names.inSchema(event)}()`,
      ];
    };
    const rows = make(kind, 'ROW', payload(table, kind, POSTGRES));
    if (kind !== 'delete') return rows;
    const all = `json_build_object('table', ${text(table.path)}, 'kind', 'table')`;
    return [...rows, ...make('truncate', 'STATEMENT', all)];
  },
  down({ names }, kind) {
    return [kind, ...(kind === 'delete' ? ['truncate'] : [])].flatMap((event) => [
      `DROP TRIGGER IF EXISTS ${names.trigger(event)} ON ${names.table}`,
      `DROP FUNCTION IF EXISTS ${names.inSchema(event)}()`,
    ]);
  },
};

const mysql: TriggerDialect = {
  up(table, kind, exceptUser) {
    const statement = insert(table, 'UUID()', payload(table, kind, MYSQL));
    const body =
      exceptUser === undefined
        ? statement
        : `BEGIN IF SUBSTRING_INDEX(USER(), '@', 1) <> ${text(exceptUser)} THEN ${statement}; END IF; END`;
    const { names } = table;
    return [
      `CREATE TRIGGER ${names.trigger(kind)} AFTER ${kind.toUpperCase()} ON ${names.table} FOR EACH ROW ${body}`,
    ];
  },
  down: ({ names }, kind) => [`DROP TRIGGER IF EXISTS ${names.trigger(kind)}`],
};

const sqlite: TriggerDialect = {
  up(table, kind) {
    const statement = insert(table, 'lower(hex(randomblob(16)))', payload(table, kind, SQLITE));
    const { names } = table;
    return [
      `CREATE TRIGGER ${names.trigger(kind)} AFTER ${kind.toUpperCase()} ON ${names.table} FOR EACH ROW BEGIN ${statement}; END`,
    ];
  },
  down: ({ names }, kind) => [`DROP TRIGGER IF EXISTS ${names.trigger(kind)}`],
};

export const TRIGGER_DIALECTS: Readonly<Record<SqlDialect, TriggerDialect>> = { postgres, mysql, sqlite };
