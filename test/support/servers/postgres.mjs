import { realpathSync } from 'node:fs';
import { userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import pg from 'pg';
import { isStale } from './owner.mjs';
import { findBinary, freePort, launch, run, serverFolder, unprivileged, versionFolders } from './process.mjs';

const FOLDERS = [
  ...versionFolders('/usr/lib/postgresql', 'bin'),
  ...versionFolders('/opt/homebrew/opt', 'postgresql/bin'),
];

async function connected(url, work) {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 3_000 });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return await work(client);
  } finally {
    await client.end().catch(() => undefined);
  }
}

export const postgres = {
  name: 'PostgreSQL',
  variable: 'TEST_POSTGRES_URL',
  aptPackage: 'postgresql',

  defaults: () => [
    'postgresql://postgres@127.0.0.1:5432/postgres',
    'postgresql://postgres:postgres@127.0.0.1:5432/postgres',
    `postgresql://${encodeURIComponent(userInfo().username)}@/postgres?host=/var/run/postgresql`,
  ],

  /** Rejects unless the server lets us make databases. */
  probe: (url) =>
    connected(url, async (client) => {
      const { rows } = await client.query(
        'SELECT rolcreatedb OR rolsuper AS allowed FROM pg_roles WHERE rolname = current_user',
      );
      if (!rows[0]?.allowed) throw new Error('this user may not create databases');
    }),

  sweep: (url) =>
    connected(url, async (client) => {
      const { rows } = await client.query("SELECT datname FROM pg_database WHERE datname LIKE 'cacheops%'");
      for (const { datname } of rows) {
        if (isStale(datname)) await client.query(`DROP DATABASE IF EXISTS "${datname}" WITH (FORCE)`);
      }
    }),

  binaries() {
    // The two must be of one version; Debian links only some of a version's binaries into PATH.
    const initdb = findBinary(['initdb'], FOLDERS);
    const server = initdb && findBinary(['postgres'], [dirname(realpathSync(initdb))], { path: false });
    return server ? { server, initdb } : undefined;
  },

  async start({ server, initdb }) {
    const owner = unprivileged(['postgres', 'nobody']);
    const folder = serverFolder(owner);
    const data = join(folder, 'data');
    run(initdb, ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--no-locale', '--no-sync'], {
      ...owner,
      cwd: folder,
    });
    const port = await freePort();
    const url = `postgresql://postgres@127.0.0.1:${port}/postgres`;
    const settings = [
      'listen_addresses=127.0.0.1',
      'unix_socket_directories=',
      'fsync=off',
      'max_connections=200',
    ];
    const args = ['-D', data, '-p', String(port), ...settings.flatMap((setting) => ['-c', setting])];
    const ready = () => postgres.probe(url);
    // SIGTERM would wait for the clients to leave; after SIGKILL its children would keep the next one from starting.
    const signals = { stopSignal: 'SIGINT', crashSignal: 'SIGQUIT' };
    const started = await launch(server, args, { folder, owner, ready, ...signals });
    return { url, ...started };
  },
};
