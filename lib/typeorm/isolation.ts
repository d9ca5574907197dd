import type { DataSource } from 'typeorm';
import type { SqlDialect } from '../sql/sql.types.js';

/**
 * Isolation level of transactions that name none, as the server says, in lower case. A server that does not tell is
 * taken for one with snapshots: then transactions read past the cache, which costs speed and is never wrong.
 */
export async function defaultIsolation(dataSource: DataSource, dialect: SqlDialect): Promise<string> {
  // sql.js has one connection in one process: what a transaction reads is what was last committed.
  if (dialect === 'sqlite') return dataSource.options.type === 'sqljs' ? 'read committed' : 'serializable';
  const asked =
    dialect === 'postgres'
      ? 'SHOW default_transaction_isolation'
      : "SHOW VARIABLES WHERE Variable_name IN ('transaction_isolation', 'tx_isolation')";
  try {
    const rows = await dataSource.query<Record<string, string>[]>(asked);
    const level = rows[0]?.['default_transaction_isolation'] ?? rows[0]?.['Value'];
    return level?.toLowerCase().replaceAll('-', ' ') ?? 'serializable';
  } catch {
    return 'serializable';
  }
}
