import type { SqlDialect } from './sql.types.js';

const SCHEMAS: Readonly<Record<SqlDialect, ReadonlySet<string>>> = {
  postgres: new Set(['information_schema', 'pg_catalog']),
  mysql: new Set(['information_schema', 'performance_schema', 'mysql', 'sys']),
  sqlite: new Set(),
};

/** Whether a name belongs to the database's own catalogue, which no statement of ours invalidates. */
export function isSystemRelation(path: readonly string[], dialect: SqlDialect): boolean {
  const parts = path.map((part) => part.toLowerCase());
  if (parts.slice(0, -1).some((part) => SCHEMAS[dialect].has(part))) return true;
  const name = parts.at(-1) ?? '';
  return dialect === 'postgres' ? name.startsWith('pg_') : dialect === 'sqlite' && name.startsWith('sqlite_');
}
