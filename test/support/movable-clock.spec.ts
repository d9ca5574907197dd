import { execFileSync } from 'node:child_process';
import { Redis } from 'ioredis';
import { DataSource } from 'typeorm';
import { MovableClock } from './movable-clock.js';
import { ownServer } from './own-server.js';
import { findFaketime } from './servers/faketime.mjs';
import { mariadb } from './servers/mariadb.mjs';
import { postgres } from './servers/postgres.mjs';
import { redis } from './servers/redis.mjs';

const HOUR = 3_600_000;
const MINUTE = 60_000;

const sql = async (type: 'postgres' | 'mariadb', url: string, now: string) => {
  const source = await new DataSource({ type, url }).initialize();
  const ask = async () => Number((await source.query<{ now: string }[]>(`SELECT ${now} AS now`))[0]?.now);
  return { ask, end: () => source.destroy() };
};

/** Servers, and how to ask them for the time in milliseconds. */
const SERVERS = [
  [
    redis,
    async (url: string) => {
      const client = new Redis(url);
      return {
        ask: async () => Number((await client.time())[0]) * 1_000,
        end: async () => client.disconnect(),
      };
    },
  ],
  [postgres, (url: string) => sql('postgres', url, 'extract(epoch FROM clock_timestamp()) * 1000')],
  [mariadb, (url: string) => sql('mariadb', `${url}/mysql`, 'UNIX_TIMESTAMP(SYSDATE(3)) * 1000')],
] as const;

describe('a movable clock', () => {
  it.each(SERVERS.map(([server, open]) => [server.name, server, open] as const))(
    'is the one that %s tells, each time it is set',
    async (_, server, open) => {
      const clock = new MovableClock();
      const own = await ownServer(clock.server(server));
      const { ask, end } = await open(own.url);
      try {
        for (const ms of [0, HOUR, -HOUR, 1_500]) {
          clock.set(ms);
          expect(Math.abs((await ask()) - Date.now() - ms)).toBeLessThan(MINUTE);
        }
      } finally {
        await end();
        await own.stop();
        clock.remove();
      }
    },
  );

  it('leaves the monotonic clock alone', () => {
    const clock = new MovableClock();
    clock.set(HOUR);
    const script = 'console.log(Date.now(), Number(process.hrtime.bigint() / 1000000n))';
    const told = execFileSync(process.execPath, ['-e', script], {
      env: { ...process.env, ...clock.environment },
      encoding: 'utf8',
    });
    clock.remove();
    const [wall, monotonic] = told.split(' ').map(Number) as [number, number];
    expect(Math.abs(wall - Date.now() - HOUR)).toBeLessThan(MINUTE);
    expect(Math.abs(monotonic - Number(process.hrtime.bigint() / 1_000_000n))).toBeLessThan(MINUTE);
  });
});

describe('findFaketime', () => {
  const saved = process.env['TEST_FAKETIME'];
  beforeEach(() => delete process.env['TEST_FAKETIME']);
  afterEach(() => {
    if (saved === undefined) delete process.env['TEST_FAKETIME'];
    else process.env['TEST_FAKETIME'] = saved;
  });

  it('takes the variable, and says so if nothing is there', () => {
    process.env['TEST_FAKETIME'] = process.execPath;
    expect(findFaketime()).toBe(process.execPath);
    process.env['TEST_FAKETIME'] = '/nowhere';
    expect(() => findFaketime()).toThrow('TEST_FAKETIME: there is no /nowhere');
  });

  it('uses what the installation brought, or says how to get it', () => {
    expect(findFaketime({ folders: [], install: () => '/new' })).toBe('/new');
    expect(() => findFaketime({ folders: [], install: () => undefined })).toThrow(
      /set TEST_FAKETIME .* apt-get install faketime/,
    );
  });
});
