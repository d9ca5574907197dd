import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { isStale } from './owner.mjs';
import { findBinary, freePort, launch, serverFolder } from './process.mjs';

async function connected(url, work) {
  const client = new Redis(url, { lazyConnect: true, connectTimeout: 3_000, retryStrategy: () => null });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return await work(client);
  } finally {
    client.disconnect();
  }
}

export const redis = {
  name: 'Redis',
  variable: 'TEST_REDIS_URL',
  aptPackage: 'redis-server',

  defaults: () => ['redis://127.0.0.1:6379'],

  probe: (url) => connected(url, (client) => client.ping()),

  /** Removes the keys of killed runs; a prefix is an owned name and a colon. */
  sweep: (url) =>
    connected(url, async (client) => {
      for await (const keys of client.scanStream({ match: 'cacheops_*', count: 1_000 })) {
        const stale = keys.filter((key) => isStale(key.slice(0, key.indexOf(':'))));
        if (stale.length > 0) await client.unlink(...stale);
      }
    }),

  binaries() {
    const server = findBinary(['redis-server', 'valkey-server'], ['/usr/sbin', '/opt/homebrew/bin']);
    return server ? { server } : undefined;
  },

  async start({ server }, extra = []) {
    const folder = serverFolder({});
    const port = await freePort();
    const url = `redis://127.0.0.1:${port}`;
    const args = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--dir', folder, ...extra];
    const started = await launch(server, args, { folder, owner: {}, ready: () => redis.probe(url) });
    return { url, ...started };
  },
};

/** A Sentinel that watches one master under `name`; `quorum` of them have to agree that it is dead. */
export const sentinel = (name, port, quorum) => ({
  ...redis,
  name: 'Redis Sentinel',
  sweep: async () => undefined,
  async start({ server }, extra = []) {
    const folder = serverFolder({});
    const own = await freePort();
    const url = `redis://127.0.0.1:${own}`;
    const config = join(folder, 'sentinel.conf');
    const lines = [
      `port ${own}`,
      'bind 127.0.0.1',
      `sentinel monitor ${name} 127.0.0.1 ${port} ${quorum}`,
      `sentinel down-after-milliseconds ${name} 500`,
      `sentinel failover-timeout ${name} 5000`,
    ];
    writeFileSync(config, `${lines.join('\n')}\n`);
    const args = [config, '--sentinel', ...extra];
    const started = await launch(server, args, { folder, owner: {}, ready: () => redis.probe(url) });
    return { url, ...started };
  },
});
