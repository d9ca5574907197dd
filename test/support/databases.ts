import { DataSource, type DataSourceOptions } from 'typeorm';
import { ownedName } from './servers/owner.mjs';

export const DATABASES = ['sqlite', 'postgres', 'mariadb'] as const;
export type DatabaseKind = (typeof DATABASES)[number];

export interface TestDatabase {
  options: DataSourceOptions;
  /** Removes the database, whoever is still connected to it. */
  drop(): Promise<void>;
}

/**
 * Makes an empty database that no other test sees. `extra` (entities, synchronize, logger, ...) is merged into the
 * options; `drop()` belongs in `afterAll`. SQLite is sql.js in memory: every DataSource gets its own.
 */
export async function createDatabase(
  kind: DatabaseKind,
  extra: Partial<DataSourceOptions> = {},
): Promise<TestDatabase> {
  if (kind === 'sqlite') {
    return { options: { type: 'sqljs', ...extra } as DataSourceOptions, drop: () => Promise.resolve() };
  }
  const server = kind === 'postgres' ? postgresServer() : mariadbServer();
  const database = ownedName();
  await administer(
    server,
    kind === 'postgres' ? `CREATE DATABASE ${database} TEMPLATE template0` : `CREATE DATABASE ${database}`,
  );
  return {
    options: { ...server, ...extra, database } as DataSourceOptions,
    drop: () =>
      administer(server, `DROP DATABASE IF EXISTS ${database}${kind === 'postgres' ? ' WITH (FORCE)' : ''}`),
  };
}

/** The address of a server as jest's global setup found it. */
export function serverUrl(
  variable: 'TEST_POSTGRES_URL' | 'TEST_MARIADB_URL' | 'TEST_REDIS_URL' | 'TEST_MEMCACHED_URL',
): string {
  const url = process.env[variable];
  if (url === undefined) {
    throw new Error(
      `${variable} is not set: this spec needs a server, but jest.config.mjs lists its folder in PURE.`,
    );
  }
  return url;
}

function postgresServer(): DataSourceOptions {
  const url = new URL(serverUrl('TEST_POSTGRES_URL'));
  return { type: 'postgres', ...address(url, 5432), database: url.pathname.slice(1) || 'postgres' };
}

function mariadbServer(): DataSourceOptions {
  return { type: 'mariadb', ...address(new URL(serverUrl('TEST_MARIADB_URL')), 3306) };
}

function address(url: URL, defaultPort: number) {
  return {
    // A URL has no place for the folder of a unix socket but its query.
    host: url.searchParams.get('host') ?? url.hostname,
    port: Number(url.port || defaultPort),
    username: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password),
  };
}

async function administer(server: DataSourceOptions, statement: string): Promise<void> {
  const dataSource = await new DataSource(server).initialize();
  try {
    await dataSource.query(statement);
  } finally {
    await dataSource.destroy();
  }
}
