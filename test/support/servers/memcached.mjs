import { once } from 'node:events';
import { createConnection } from 'node:net';
import { findBinary, freePort, launch, serverFolder, unprivileged } from './process.mjs';

const TIMEOUT_MS = 3_000;

/** Rejects unless a memcached answers that accepts the text protocol without a password. */
async function probe(url) {
  const { hostname, port } = new URL(url);
  const socket = createConnection({ host: hostname, port: Number(port || 11_211) });
  socket.setTimeout(TIMEOUT_MS, () => socket.destroy(new Error('no answer')));
  try {
    await once(socket, 'connect');
    socket.write('version\r\n');
    const [reply] = await once(socket, 'data');
    if (!String(reply).startsWith('VERSION')) throw new Error(`it answers ${JSON.stringify(String(reply))}`);
  } finally {
    socket.destroy();
  }
}

export const memcached = {
  name: 'memcached',
  variable: 'TEST_MEMCACHED_URL',
  aptPackage: 'memcached',

  defaults: () => ['memcached://127.0.0.1:11211'],

  probe,

  /** Its keys cannot be listed by all servers, and those of the tests expire. */
  sweep: () => Promise.resolve(),

  binaries() {
    const server = findBinary(['memcached'], ['/usr/sbin', '/opt/homebrew/bin']);
    return server ? { server } : undefined;
  },

  async start({ server }, extra = []) {
    const owner = unprivileged(['memcache', 'nobody']);
    const folder = serverFolder(owner);
    const port = await freePort();
    const url = `memcached://127.0.0.1:${port}`;
    const args = ['-l', '127.0.0.1', '-p', String(port), '-U', '0', '-m', '32', ...extra];
    const started = await launch(server, args, { folder, owner, ready: () => probe(url) });
    return { url, ...started };
  },
};
