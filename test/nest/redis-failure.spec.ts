import { Redis } from 'ioredis';
import { DataSource } from 'typeorm';
import { CacheOpsModule, type CacheOpsOptions, CacheOpsService } from '../../lib/index.js';
import { dropPrefix, redisUrl, uniquePrefix } from '../support/redis.js';
import { closeApps, KeptLog, sqlite, start } from './app.js';
import { Category } from './entities.js';
import { freePort, OwnRedis, SilentServer } from './redis-server.js';
import { watchTimers } from '../support/timers.js';

let port: number;
let redis: OwnRedis;
let silent: SilentServer | undefined;
let client: Redis | undefined;

beforeEach(async () => {
  port = await freePort();
  redis = new OwnRedis(port);
});
afterEach(async () => {
  await closeApps();
  client?.disconnect();
  client = undefined;
  await redis.remove();
  await silent?.close();
  silent = undefined;
});

async function startApp(extra: CacheOpsOptions = {}) {
  const log = new WatchedLog();
  const options = {
    redis: `redis://127.0.0.1:${port}`,
    logger: log,
    entities: { '*': { ops: 'all' } },
    ...extra,
  } as const;
  const app = await start({ imports: [sqlite(), CacheOpsModule.forRoot(options)] });
  return { log, cacheOps: app.get(CacheOpsService), manager: app.get(DataSource).manager };
}

/** Lets a test wait for a line. */
class WatchedLog extends KeptLog {
  private readonly waiting: { text: RegExp; found: () => void }[] = [];

  constructor() {
    super();
    for (const method of ['log', 'warn'] as const) {
      const keep = this[method];
      this[method] = (message) => {
        keep(message);
        for (const { text, found } of this.waiting) if (text.test(message)) found();
      };
    }
  }

  line(text: RegExp): Promise<void> {
    return new Promise((found) => this.waiting.push({ text, found }));
  }
}

type App = Awaited<ReturnType<typeof startApp>>;

async function expectUncached({ manager, cacheOps }: App): Promise<void> {
  const { stores, hits } = cacheOps.stats();
  const before = await manager.count(Category);
  await manager.save(Category, { name: 'while away' });
  expect(await manager.count(Category)).toBe(before + 1);
  expect(cacheOps.stats()).toMatchObject({ stores, hits });
}

async function expectCached({ manager, cacheOps }: App): Promise<void> {
  const { hits } = cacheOps.stats();
  const before = await manager.count(Category);
  expect(await manager.count(Category)).toBe(before);
  expect(cacheOps.stats().hits).toBe(hits + 1);
  await manager.save(Category, { name: 'n' });
  expect(await manager.count(Category)).toBe(before + 1);
}

describe('Redis at the start', () => {
  it.each<[string, () => Promise<void>]>([
    ['refuses connections', async () => undefined],
    ['accepts and never answers', async () => (silent = new SilentServer()).listen(port)],
  ])(
    'that %s delays nothing, is warned of once, and is used when it comes',
    async (_, prepare) => {
      await prepare();
      const began = performance.now();
      const app = await startApp();
      expect(performance.now() - began).toBeLessThan(4_500);
      expect(app.log.warnings).toEqual([expect.stringMatching(/^warn: Redis is not available/)]);
      await expectUncached(app);
      const back = app.log.line(/Redis is back/);
      await silent?.close();
      silent = undefined;
      await redis.start();
      await back;
      await expectCached(app);
      expect(app.log.warnings).toHaveLength(1);
    },
    20_000,
  );
});

describe('Redis later', () => {
  it('goes and comes back with one line each, and nothing stale', async () => {
    await redis.start();
    const app = await startApp();
    await expectCached(app);
    const gone = app.log.line(/not available/);
    await redis.stop();
    await gone;
    await expectUncached(app);
    await expectUncached(app);
    const back = app.log.line(/Redis is back/);
    await redis.start();
    await back;
    await expectCached(app);
    expect(app.log.lines.slice(1)).toEqual([
      expect.stringMatching(/^warn: Redis is not available; .*\(.+\)$/),
      'log: Redis is back; the cache serves again',
    ]);
  }, 20_000);

  it.each([
    ['degrade', true],
    ['fail', false],
  ] as const)(
    'away, onRedisFailure: %s decides about writes and calls by hand',
    async (onRedisFailure, passes) => {
      const { manager, cacheOps } = await startApp({ onRedisFailure });
      const refused = expect.objectContaining({ code: 'INVALIDATION' }) as Error;
      const calls = [
        () => manager.insert(Category, { name: 'n' }),
        () => cacheOps.invalidate(Category),
        () => cacheOps.invalidate('tag'),
        () => cacheOps.delete('k'),
      ];
      for (const call of calls) {
        await (passes ? expect(call()).resolves.not.toThrow() : expect(call()).rejects.toThrow(refused));
      }
      expect(await manager.count(Category)).toBe(passes ? 1 : 0);
      expect(await cacheOps.getOrSet('k', () => 1)).toBe(1);
      await expect(cacheOps.explain('k')).rejects.toThrow(expect.objectContaining({ code: 'DRIVER' }));
    },
    20_000,
  );
});

describe('the end of the application', () => {
  it('closes its own connection and leaves no timers', async () => {
    await redis.start();
    const watcher = (client = new Redis(port));
    const connections = async (): Promise<number> =>
      ((await watcher.client('LIST')) as string).trim().split('\n').length;
    const timers = watchTimers();
    const { manager } = await startApp();
    await manager.save(Category, { name: 'n' });
    expect(await connections()).toBe(2);
    await closeApps();
    while ((await connections()) > 1) await new Promise(setImmediate);
    // The destroy hooks of cleared timers run when the turn is over.
    await new Promise(setImmediate);
    expect(timers.alive()).toEqual([]);
    timers.stop();
  });

  it('leaves a client of the application open, with every invalidation delivered', async () => {
    const mine = (client = new Redis(redisUrl()));
    const prefix = uniquePrefix();
    const { manager } = await startApp({ redis: mine, prefix });
    await manager.count(Category);
    await manager.save(Category, { name: 'n' });
    await closeApps();
    expect(mine.status).toBe('ready');
    const states = await mine.mget(`${prefix}s:t:{category}:`, `${prefix}s:*`);
    expect(states).toEqual([null, expect.any(String)]);
    await dropPrefix(mine, prefix);
  });
});
