import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ownServer } from '../../support/own-server.js';
import type { Server } from '../../support/servers/find.mjs';
import { mariadb } from '../../support/servers/mariadb.mjs';
import { memcached } from '../../support/servers/memcached.mjs';
import { ownedName } from '../../support/servers/owner.mjs';
import { postgres } from '../../support/servers/postgres.mjs';
import { redis } from '../../support/servers/redis.mjs';
import type { DriverConfig } from './drivers.js';

/** Where the locks of one soak live: a server of its own, where there is one. */
export interface Backend {
  readonly driver: DriverConfig;
  /** Lets the server crash, and starts it again. */
  readonly restart?: () => Promise<void>;
  stop(): Promise<void>;
}

export interface BackendKind {
  readonly name: string;
  /** Whether it forgets what is locked when it crashes. */
  readonly forgets: boolean;
  /** The database in which the fenced section works. */
  readonly work: 'postgres' | 'mariadb';
  /** Milliseconds. */
  readonly ttl: number;
  start(): Promise<Backend>;
}

const onServer = async (
  server: Server,
  config: (url: string) => DriverConfig,
  ...extra: readonly string[]
): Promise<Backend> => {
  const { url, restart, stop } = await ownServer(server, ...extra);
  return { driver: config(url), restart, stop };
};

/** Redis writes each command through before it answers: what was granted survives a crash. */
const REDIS_KEEPS = ['--appendonly', 'yes', '--appendfsync', 'always'];

export const BACKENDS: readonly BackendKind[] = [
  {
    name: 'redis',
    forgets: false,
    work: 'postgres',
    ttl: 500,
    start: () => onServer(redis, (url) => ({ kind: 'redis', url }), ...REDIS_KEEPS),
  },
  {
    name: 'file',
    forgets: false,
    work: 'postgres',
    ttl: 500,
    async start() {
      const folder = await mkdtemp(join(tmpdir(), ownedName()));
      return { driver: { kind: 'file', folder }, stop: () => rm(folder, { recursive: true }) };
    },
  },
  {
    name: 'sql-postgres',
    forgets: false,
    work: 'postgres',
    ttl: 500,
    start: () => onServer(postgres, (url) => ({ kind: 'sql', database: { type: 'postgres', url } })),
  },
  {
    name: 'sql-mariadb',
    forgets: false,
    work: 'mariadb',
    ttl: 500,
    start: () =>
      onServer(mariadb, (url) => ({ kind: 'sql', database: { type: 'mariadb', url: `${url}/mysql` } })),
  },
  {
    name: 'memcached',
    forgets: true,
    work: 'mariadb',
    ttl: 1_000,
    start: () => onServer(memcached, (url) => ({ kind: 'memcached', url })),
  },
];
