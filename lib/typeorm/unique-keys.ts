import type { SqlDialect } from '../sql/sql.types.js';
import type { TableFacts } from './catalog.js';
import type { Execute, StructuredResult } from './statement.js';

export interface KeyColumn {
  readonly name: string;
  /** SQLite: how the key compares the column, whatever the column itself says. */
  readonly collation?: string;
}

/** Columns that no two rows share. */
export type UniqueKey = readonly KeyColumn[];

/** A part of a key as the catalogue of the database has it; `column: null` is an expression or a prefix. */
interface KeyPart {
  readonly key: string;
  readonly column: string | null;
  readonly collation?: string;
}

const POSTGRES = `SELECT i.indexrelid::text AS "key", a.attname::text AS "column"
FROM pg_class c JOIN pg_index i ON i.indrelid = c.oid
CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k(attnum, position)
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum
WHERE c.oid = to_regclass($1) AND c.relkind = 'r' AND i.indisunique AND i.indpred IS NULL AND i.indexprs IS NULL
AND k.position <= i.indnkeyatts ORDER BY 1, k.position`;

const SQLITE = `SELECT l.name AS "key", x.name AS "column", x.coll AS "collation"
FROM pragma_index_list(?) l, pragma_index_xinfo(l.name) x WHERE l."unique" = 1 AND x.key = 1
UNION ALL SELECT '', name, 'BINARY' FROM pragma_table_info(?)
WHERE pk > 0 AND NOT EXISTS (SELECT 1 FROM pragma_index_list(?) WHERE origin = 'pk')`;

/**
 * The unique keys of tables as the database itself knows them: upserts go by those, also by keys that no entity
 * declares. Each table is asked once.
 */
export class UniqueKeys {
  private readonly known = new Map<string, readonly UniqueKey[]>();

  constructor(private readonly dialect: SqlDialect) {}

  /**
   * @returns PostgreSQL: the keys without predicate of an ordinary table (a partitioned one has none here). Elsewhere
   * all keys; none when one of them is of an expression or of a part of a column.
   */
  async of(table: TableFacts, execute: Execute): Promise<readonly UniqueKey[]> {
    let keys = this.known.get(table.id);
    if (!keys) this.known.set(table.id, (keys = keysOf(await this.parts(table, execute))));
    return keys;
  }

  private async parts({ sqlName }: TableFacts, execute: Execute): Promise<readonly KeyPart[]> {
    const ask = async (sql: string, params: readonly unknown[]): Promise<Record<string, unknown>[]> =>
      ((await execute(sql, params, true)) as StructuredResult).records ?? [];
    if (this.dialect === 'postgres') return (await ask(POSTGRES, [sqlName])) as unknown as KeyPart[];
    if (this.dialect === 'mysql') {
      const rows = await ask(`SHOW INDEX FROM ${sqlName} WHERE Non_unique = 0`, []);
      return rows.map((row) => ({
        key: String(row['Key_name']),
        column: row['Sub_part'] === null ? (row['Column_name'] as string | null) : null,
      }));
    }
    const [, name] = /^"((?:[^"]|"")*)"$/.exec(sqlName) ?? [];
    if (name === undefined) return [];
    const bare = name.replaceAll('""', '"');
    return (await ask(SQLITE, [bare, bare, bare])) as unknown as KeyPart[];
  }
}

function keysOf(parts: readonly KeyPart[]): readonly UniqueKey[] {
  const keys = new Map<string, KeyColumn[]>();
  for (const { key, column, collation } of parts) {
    if (column === null) return [];
    const columns = keys.get(key) ?? [];
    columns.push({ name: column, ...(collation !== undefined && { collation }) });
    keys.set(key, columns);
  }
  return [...keys.values()];
}
