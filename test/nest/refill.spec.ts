import { Redis } from 'ioredis';
import { DataSource } from 'typeorm';
import {
  CacheOpsConfigError,
  CacheOpsModule,
  type CacheOpsOptions,
  CacheOpsService,
  dep,
  type ValueOptions,
} from '../../lib/index.js';
import { resolveOptions } from '../../lib/cacheops.options.js';
import { dropPrefix, redisUrl, uniquePrefix } from '../support/redis.js';
import { closeApps, KeptLog, sqlite, start } from './app.js';
import { Article, Category } from './entities.js';

const prefix = uniquePrefix();
afterEach(() => closeApps());
afterAll(async () => {
  const client = new Redis(redisUrl());
  await dropPrefix(client, prefix);
  client.disconnect();
});

async function startApp(options: CacheOpsOptions) {
  const app = await start({
    imports: [sqlite(), CacheOpsModule.forRoot({ logger: new KeptLog(), ...options })],
  });
  const cacheOps = app.get(CacheOpsService);
  const refreshed = () =>
    new Promise<void>((resolve) => {
      const subscription = cacheOps.events$.subscribe(({ type }) => {
        if (type !== 'refresh') return;
        subscription.unsubscribe();
        resolve();
      });
    });
  return { cacheOps, refreshed, manager: app.get(DataSource).manager };
}

const BACKENDS: readonly [string, () => CacheOpsOptions][] = [
  ['memory', () => ({})],
  ['Redis', () => ({ redis: redisUrl(), prefix: `${prefix}${Math.random()}:` })],
];

describe.each(BACKENDS)('on %s', (_, backend) => {
  it('expire(tag) lets a value with grace be served once more, and one without not', async () => {
    const { cacheOps, refreshed } = await startApp(backend());
    let n = 1;
    const graceful = () => cacheOps.getOrSet('a', () => n, { tags: ['t'], grace: '1h' });
    const strict = () => cacheOps.getOrSet('b', () => n, { tags: ['t'] });
    await Promise.all([graceful(), strict()]);
    n = 2;
    await cacheOps.expire('t');
    const done = refreshed();
    expect([await graceful(), await strict()]).toEqual([1, 2]);
    await done;
    expect(await graceful()).toBe(2);
    n = 3;
    await cacheOps.invalidate('t');
    expect([await graceful(), await strict()]).toEqual([3, 3]);
  });

  it('expire(rows) reaches what depends on those rows, and nothing else', async () => {
    const { cacheOps, refreshed, manager } = await startApp({
      ...backend(),
      entities: { Article: { ops: 'all', grace: '1h' } },
    });
    await manager.insert(Category, [{ name: 'a' }, { name: 'b' }]);
    await manager.insert(Article, [
      { title: 'one', categoryId: 1 },
      { title: 'two', categoryId: 2 },
    ]);
    const counts = () => Promise.all([1, 2].map((categoryId) => manager.countBy(Article, { categoryId })));
    const value = () =>
      cacheOps.getOrSet('v', () => Date.now(), { deps: [dep(Article, { categoryId: 2 })], grace: '1h' });
    const before = [await counts(), await value()];
    const done = refreshed();
    await cacheOps.expire(dep(Article, { categoryId: 1 }));
    const { staleHits } = cacheOps.stats();
    expect([await counts(), await value()]).toEqual(before);
    expect(cacheOps.stats().staleHits - staleHits).toBe(1);
    await done;
    await counts();
    expect(cacheOps.stats().staleHits - staleHits).toBe(1);
    expect(cacheOps.stats().expiries).toBe(1);
  });

  it('a wrapped function keeps its policy', async () => {
    const { cacheOps, refreshed } = await startApp(backend());
    let n = 1;
    const wrapped = cacheOps.wrap((id: number) => `${id}:${n}`, {
      key: 'w',
      tags: ['w'],
      grace: '1h',
      lock: true,
    });
    expect(await wrapped(1)).toBe('1:1');
    n = 2;
    await cacheOps.expire('w');
    const done = refreshed();
    expect(await wrapped(1)).toBe('1:1');
    await done;
    expect(await wrapped(1)).toBe('1:2');
  });

  it('`timeout` is the time of the factory', async () => {
    const { cacheOps } = await startApp(backend());
    const hung = cacheOps.getOrSet('k', () => new Promise<number>(() => undefined), { timeout: 10 });
    await expect(hung).rejects.toMatchObject({
      code: 'LOAD_TIMEOUT',
      message: 'value: no result within 10 ms',
    });
  });
});

describe('what is refused', () => {
  const BAD: readonly [string, unknown, RegExp][] = [
    ['garce', { garce: '1h' }, /Did you mean grace\?/],
    ['grace', { grace: 0 }, /more than 0 ms/],
    ['grace', { grace: 'soon' }, /got "soon"/],
    ['lock', { lock: 'yes' }, /true or false, got "yes"/],
    ['jitter', { jitter: 1.5 }, /a number from 0 to 1, got 1.5/],
    ['jitter', { jitter: '10%' }, /got "10%"/],
    ['beta', { beta: -1 }, /at least 0, got -1/],
    ['beta', { beta: NaN }, /at least 0, got NaN/],
    ['softTimeout', { softTimeout: 100 }, /a grace beside it/],
    ['softTimeout', { grace: '1h', softTimeout: '30d' }, /at most 24 days/],
    ['timeout', { timeout: '30d' }, /at most 24 days/],
  ];

  it.each(BAD)('%s of a value: %j', async (option, options, message) => {
    const { cacheOps } = await startApp({});
    const given = options as ValueOptions;
    const refusal = { option, code: 'CONFIG', message: expect.stringMatching(message) as string };
    await expect(cacheOps.getOrSet('k', () => 1, given)).rejects.toMatchObject(refusal);
    await expect(cacheOps.set('k', 1, given)).rejects.toMatchObject(refusal);
    expect(() => cacheOps.wrap((id: number) => id, { key: 'w', ...given })).toThrow(CacheOpsConfigError);
  });

  it.each(BAD.filter(([option]) => option !== 'timeout'))(
    '%s of a profile: %j',
    (option, profile, message) => {
      const refused = () => resolveOptions({ entities: { A: profile as object } });
      expect(refused).toThrow(expect.objectContaining({ option: `entities.A.${option}` }));
      expect(refused).toThrow(message);
    },
  );
});

it('a profile is read with its policy', () => {
  const options = { grace: '1h', softTimeout: 50, lock: true, jitter: 0.1, beta: 1 };
  expect(resolveOptions({ entities: { A: options } }).entities[0]?.profile).toMatchObject({
    refill: { grace: 3_600_000, softTimeout: 50, lock: true, jitter: 0.1, beta: 1 },
  });
});
