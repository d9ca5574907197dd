import { join } from 'node:path';
import mysql from 'mysql2/promise';
import { isStale, ownedName } from './owner.mjs';
import { findBinary, freePort, launch, run, serverFolder, unprivileged } from './process.mjs';

const FOLDERS = ['/usr/sbin', '/usr/libexec', '/usr/bin', '/opt/homebrew/bin'];

async function connected(url, work) {
  const connection = await mysql.createConnection({ uri: url, connectTimeout: 3_000 });
  connection.on('error', () => undefined);
  try {
    return await work(connection);
  } finally {
    await connection.end().catch(() => undefined);
  }
}

export const mariadb = {
  name: 'MariaDB',
  variable: 'TEST_MARIADB_URL',
  aptPackage: 'mariadb-server',

  defaults: () => ['mysql://root@127.0.0.1:3306', 'mysql://root:root@127.0.0.1:3306'],

  /** Rejects unless the server lets us make databases. */
  probe: (url) =>
    connected(url, async (connection) => {
      const name = ownedName();
      await connection.query(`CREATE DATABASE ${name}`);
      await connection.query(`DROP DATABASE ${name}`);
    }),

  sweep: (url) =>
    connected(url, async (connection) => {
      const [rows] = await connection.query("SHOW DATABASES LIKE 'cacheops%'");
      for (const name of rows.flatMap((row) => Object.values(row))) {
        if (isStale(name)) await connection.query(`DROP DATABASE IF EXISTS \`${name}\``);
      }
    }),

  binaries() {
    const server = findBinary(['mariadbd', 'mysqld'], FOLDERS);
    const install = findBinary(['mariadb-install-db', 'mysql_install_db'], FOLDERS);
    return server && install ? { server, install } : undefined;
  },

  async start({ server, install }, extra = []) {
    const owner = unprivileged(['mysql', 'nobody']);
    const folder = serverFolder(owner);
    const data = join(folder, 'data');
    run(
      install,
      ['--no-defaults', `--datadir=${data}`, '--auth-root-authentication-method=normal', '--skip-test-db'],
      { ...owner, cwd: folder },
    );
    const port = await freePort();
    const url = `mysql://root@127.0.0.1:${port}`;
    const args = [
      '--no-defaults',
      `--datadir=${data}`,
      `--port=${port}`,
      '--bind-address=127.0.0.1',
      `--socket=${join(folder, 'socket')}`,
      `--pid-file=${join(folder, 'pid')}`,
      '--innodb-flush-log-at-trx-commit=0',
      ...extra,
    ];
    const started = await launch(server, args, { folder, owner, ready: () => mariadb.probe(url) });
    return { url, ...started };
  },
};
