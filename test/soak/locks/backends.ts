import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MovableClock } from '../../support/movable-clock.js';
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
  /** The clock of the server, or of the machine. */
  readonly clock: MovableClock;
  /** For the processes, where they live by that clock, too. */
  readonly environment?: Readonly<Record<string, string>>;
  stop(): Promise<void>;
}

/** What makes a backend forget what is locked. */
export type Amnesia = 'crashed' | 'set';

export interface BackendKind {
  readonly name: string;
  readonly forgetsWhen: readonly Amnesia[];
  /** Whether its clock may be set back as well as forward; memcached begins its tokens with it. */
  readonly mayGoBack: boolean;
  /** The database in which the fenced section works. */
  readonly work: 'postgres' | 'mariadb';
  /** Milliseconds. */
  readonly ttl: number;
  /** @param choose a number below that many */
  start(choose: (count: number) => number): Promise<Backend>;
}

const onServer = async (
  server: Server,
  config: (url: string) => DriverConfig,
  ...extra: readonly string[]
): Promise<Backend> => {
  const clock = new MovableClock();
  const { url, restart, stop } = await ownServer(clock.server(server), ...extra);
  return { driver: config(url), restart, clock, stop: () => stop().finally(() => clock.remove()) };
};

/**
 * One of three masters is what crashes, and whose clock is set: always the same one, so that the others are a majority
 * that does not forget.
 */
async function onMasters(victim: number): Promise<Backend> {
  const url = (own: Backend): string => (own.driver as { url: string }).url;
  const start = () => onServer(redis, (at) => ({ kind: 'redis', url: at }), ...REDIS_KEEPS);
  const masters = await Promise.all([start(), start(), start()]);
  return {
    ...(masters[victim] as Backend),
    driver: { kind: 'quorum', urls: masters.map(url) },
    stop: async () => void (await Promise.all(masters.map((master) => master.stop()))),
  };
}

/** Redis writes each command through before it answers: what was granted survives a crash. */
const REDIS_KEEPS = ['--appendonly', 'yes', '--appendfsync', 'always'];

/** Without it the last second before a crash is gone; with it, what was committed survives that of the process. */
const MARIADB_KEEPS = ['--innodb-flush-log-at-trx-commit=2'];

export const BACKENDS: readonly BackendKind[] = [
  {
    name: 'redis',
    forgetsWhen: ['set'],
    mayGoBack: true,
    work: 'postgres',
    ttl: 500,
    start: () => onServer(redis, (url) => ({ kind: 'redis', url }), ...REDIS_KEEPS),
  },
  {
    name: 'quorum',
    // A lease that only two of them have, because the third did not answer in time, is one of a majority with the victim.
    forgetsWhen: ['set'],
    mayGoBack: true,
    work: 'postgres',
    ttl: 500,
    start: (choose) => onMasters(choose(3)),
  },
  {
    name: 'file',
    forgetsWhen: [],
    mayGoBack: true,
    work: 'postgres',
    ttl: 500,
    async start() {
      const folder = await mkdtemp(join(tmpdir(), ownedName()));
      const clock = new MovableClock();
      const stop = async (): Promise<void> => {
        clock.remove();
        await rm(folder, { recursive: true });
      };
      return { driver: { kind: 'file', folder }, clock, environment: clock.environment, stop };
    },
  },
  {
    name: 'sql-postgres',
    forgetsWhen: ['set'],
    mayGoBack: true,
    work: 'postgres',
    ttl: 500,
    start: () => onServer(postgres, (url) => ({ kind: 'sql', database: { type: 'postgres', url } })),
  },
  {
    name: 'sql-mariadb',
    forgetsWhen: ['set'],
    mayGoBack: true,
    work: 'mariadb',
    ttl: 500,
    start: () =>
      onServer(
        mariadb,
        (url) => ({ kind: 'sql', database: { type: 'mariadb', url: `${url}/mysql` } }),
        ...MARIADB_KEEPS,
      ),
  },
  {
    name: 'memcached',
    forgetsWhen: ['crashed'],
    mayGoBack: false,
    work: 'mariadb',
    ttl: 1_000,
    start: () => onServer(memcached, (url) => ({ kind: 'memcached', url })),
  },
];
