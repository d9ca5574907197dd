import { Redis } from 'ioredis';
import { createDatabase, serverUrl, type DatabaseKind } from '../support/databases.js';
import { dropPrefix, redisUrl, uniquePrefix } from '../support/redis.js';
import { InstalledSample } from './installed-sample.js';

describe('main.js --demo', () => {
  let sample: InstalledSample;

  beforeAll(async () => {
    sample = await InstalledSample.build();
  }, 120_000);
  afterAll(() => sample?.remove());

  it('runs with nothing beside Node', async () => {
    const { code, output } = await sample.demo({});
    expect(output).toContain('Database: sqljs. Cache: memory of this process.');
    expect(output).toMatch(/GET \/films\?genre=Horror&take=50 +memory +0 /);
    expect(output).toContain('Every answer was the same as an uncached read');
    expect(code).toBe(0);
  }, 60_000);

  it('fails when it cannot start', async () => {
    const { code, output } = await sample.demo({ DATABASE_URL: 'shop.db' });
    expect(output).toContain('DATABASE_URL: expected postgres://');
    expect(code).toBe(1);
  });

  it.each(['postgres', 'mariadb'] as const)(
    'runs on %s and Redis, and again on the filled database',
    async (kind) => {
      const database = await createDatabase(kind);
      const prefix = uniquePrefix();
      const env = {
        DATABASE_URL: urlOf(kind, database.options.database as string),
        REDIS_URL: redisUrl(),
        CACHE_PREFIX: prefix,
      };
      const client = new Redis(redisUrl());
      try {
        for (const _run of [1, 2]) {
          const { code, output } = await sample.demo(env);
          expect(output).toContain(`Database: ${kind}. Cache: Redis.`);
          expect(output).toMatch(/GET \/films\?genre=Horror&take=50 +shared +0 /);
          expect(output).toContain('Every answer was the same as an uncached read');
          expect(code).toBe(0);
        }
      } finally {
        await dropPrefix(client, prefix);
        client.disconnect();
        await database.drop();
      }
    },
    60_000,
  );
});

function urlOf(kind: Exclude<DatabaseKind, 'sqlite'>, database: string): string {
  const url = new URL(serverUrl(kind === 'postgres' ? 'TEST_POSTGRES_URL' : 'TEST_MARIADB_URL'));
  url.pathname = database;
  return kind === 'postgres' ? url.href : url.href.replace(/^mysql:/, 'mariadb:');
}
