import { Redis } from 'ioredis';
import { CacheOpsModule, type CacheOpsOptions, CacheOpsService } from '../../lib/index.js';
import { dropPrefix, redisUrl, uniquePrefix } from '../support/redis.js';
import { closeApps, KeptLog, start } from './app.js';

// Characters that are special in a pattern of Redis, and to Lua.
const prefix = `${uniquePrefix()}a[b]*?\\^%1-:`;
const client = new Redis(redisUrl());
afterEach(async () => {
  await closeApps();
  await dropPrefix(client, prefix);
});
afterAll(() => client.disconnect());

const BACKENDS: [string, CacheOpsOptions][] = [
  ['memory', {}],
  ['Redis', { redis: redisUrl(), prefix }],
  ['Redis with a near cache', { redis: redisUrl(), prefix, near: {} }],
  [
    'a client with a prefix of its own',
    { redis: new Redis(redisUrl(), { keyPrefix: `${prefix}own:`, lazyConnect: true }) },
  ],
];
afterAll(() => (BACKENDS[3]![1].redis as Redis).disconnect());

describe.each(BACKENDS)('keys of a tag on %s', (_, options) => {
  let cacheOps: CacheOpsService;
  beforeEach(async () => {
    const app = await start({
      imports: [
        CacheOpsModule.forRoot({
          logger: new KeptLog(),
          timeouts: { read: '5s', invalidation: '5s' },
          ...options,
        }),
      ],
    });
    cacheOps = app.get(CacheOpsService);
    await cacheOps.invalidateAll();
  });
  const keys = async (tag: string): Promise<string[]> => {
    const found: string[] = [];
    for await (const key of cacheOps.keys(tag)) found.push(key);
    return found.sort();
  };

  it('are those of values that would be served, each once', async () => {
    const f = cacheOps.wrap((n: number) => n, { key: 'f', tags: ['t', 'ü "x"'] });
    await f(1);
    await f(2);
    await cacheOps.set('plain', 1);
    await cacheOps.set('other', 1, { tags: ['tt', 'shop'] });
    await cacheOps.set('both', 1, { tags: ['t', 'shop'] });
    expect(await keys('t')).toEqual(['both', 'f(n1;)', 'f(n2;)']);
    expect(await keys('ü "x"')).toEqual(['f(n1;)', 'f(n2;)']);
    await cacheOps.invalidate('shop');
    expect(await keys('t')).toEqual(['f(n1;)', 'f(n2;)']);
    await f.invalidate(1);
    expect(await keys('t')).toEqual(['f(n2;)']);
    await cacheOps.invalidate('t');
    expect(await keys('t')).toEqual([]);
  });

  it('are found among many', async () => {
    await Promise.all(
      Array.from({ length: 1_200 }, (_each, n) =>
        cacheOps.set(`k${n}`, n, { tags: [n % 500 ? 'many' : 'few'] }),
      ),
    );
    expect(await keys('few')).toEqual(['k0', 'k1000', 'k500']);
    expect((await keys('many')).length).toBe(1_197);
  });

  it('of something else are refused', () => {
    expect(() => cacheOps.keys('')).toThrow(/a tag, which is a text that is not empty/);
  });
});

it('are those of the tenant that asks', async () => {
  let tenant = 'a';
  const app = await start({ imports: [CacheOpsModule.forRoot({ prefix: () => tenant })] });
  const cacheOps = app.get(CacheOpsService);
  await cacheOps.set('of a', 1, { tags: ['t'] });
  tenant = 'b';
  await cacheOps.set('of b', 1, { tags: ['t'] });
  const found: string[] = [];
  for await (const key of cacheOps.keys('t')) found.push(key);
  expect(found).toEqual(['of b']);
});
