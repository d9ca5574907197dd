import { Redis } from 'ioredis';
import { CacheOpsModule, type CacheOpsOptions, CacheOpsService } from '../../lib/index.js';
import { closeApps, KeptLog, start } from '../nest/app.js';
import { dropPrefix, redisUrl, uniquePrefix } from '../support/redis.js';

const client = new Redis(redisUrl());
let prefix: string;
beforeEach(() => (prefix = uniquePrefix() + Math.random()));
afterEach(async () => {
  await closeApps();
  await dropPrefix(client, prefix);
});
afterAll(() => client.disconnect());

/** What one process has of a cache that several share. */
async function process(options: CacheOpsOptions = {}): Promise<CacheOpsService> {
  const app = await start({
    imports: [
      CacheOpsModule.forRoot({
        redis: redisUrl(),
        prefix,
        logger: new KeptLog(),
        timeouts: { read: '5s' },
        ...options,
      }),
    ],
  });
  return app.get(CacheOpsService);
}

/** A load that begins when it is asked for and ends when it is told to. */
function held(value: string) {
  let begin = (): void => undefined;
  let end = (): void => undefined;
  const begun = new Promise<void>((resolve) => (begin = resolve));
  const ended = new Promise<void>((resolve) => (end = resolve));
  return { begun, end, load: async () => (begin(), await ended, value) };
}

const keysOf = async (pattern: string): Promise<string[]> => {
  const keys: string[] = [];
  for await (const some of client.scanStream({ match: prefix + pattern })) keys.push(...(some as string[]));
  return keys;
};
const turn = () => new Promise((resolve) => setTimeout(resolve, 5));

describe('cacheme in Redis', () => {
  it('CM-11 and CM-29 and CM-X06 the mark of a load has an owner and an end; left behind, it holds nobody up', async () => {
    const [one, two] = [await process(), await process()];
    const { begun, end, load } = held('12');
    const first = one.getOrSet('k', load, { lock: true });
    await begun;
    const [mark, ...more] = await keysOf('r:*');
    expect(more).toEqual([]);
    expect(await client.get(mark!)).toMatch(/^[\w-]{16}$/);
    const life = await client.pttl(mark!);
    expect(life).toBeGreaterThan(0);
    expect(life).toBeLessThanOrEqual(3_000);
    end();
    expect(await first).toBe('12');
    while ((await keysOf('r:*')).length > 0) await turn();

    // A process that died while it was loading.
    await one.delete('k');
    await client.set(mark!, 'somebody who died', 'PX', 60);
    expect(await two.getOrSet('k', () => '15', { lock: true })).toBe('15');
    expect(await one.getOrSet('k', () => 'other', { lock: true })).toBe('15');
  });

  it('CM-30 who waits gets the value of who loads, and does not load', async () => {
    const [one, two] = [await process(), await process()];
    const { begun, end, load } = held('100');
    const first = one.getOrSet('k', load, { lock: true });
    await begun;
    const second = two.getOrSet('k', () => 'of two', { lock: true });
    end();
    expect([await first, await second]).toEqual(['100', '100']);
  });

  it('CM-60 a near cache before a shared one: both are filled, forgotten, and the near one again from the shared', async () => {
    const near = { near: { mode: 'checked' } } as const;
    const [one, two] = [await process(near), await process(near)];
    let loads = 0;
    const read = (cacheOps: CacheOpsService) => cacheOps.getOrSet('k', () => ++loads, { tags: ['t'] });
    while ((await read(one), one.stats().nearHits === 0)) await turn();
    expect([await read(two), loads]).toEqual([1, 1]);
    await two.invalidate('t');
    expect([await read(one), await read(two), loads]).toEqual([2, 2, 2]);
    const { nearHits } = two.stats();
    while (two.stats().nearHits === nearHits) expect(await read(two)).toBe(2);
  });

  it('CM-62 the prefix stands before every key', async () => {
    const cacheOps = await process();
    await cacheOps.set('test', 1);
    expect(await keysOf('e:v:test')).toHaveLength(1);
    expect((await keysOf('s:*')).length).toBeGreaterThan(0);
  });

  it('CM-X04 a ttl below a second', async () => {
    const cacheOps = await process();
    await cacheOps.set('k', 1, { ttl: 400 });
    const life = await client.pttl(`${prefix}e:v:k`);
    expect(life).toBeGreaterThan(0);
    expect(life).toBeLessThanOrEqual(400);
  });

  it('CM-X05 an invalidation reaches what other processes keep', async () => {
    const near = { near: { mode: 'tracked' } } as const;
    const [one, two] = [await process(near), await process(near)];
    const read = (value: string) => one.getOrSet('k', () => value, { tags: ['t'] });
    while ((await read('old'), one.stats().nearHits === 0)) await turn();
    await two.invalidate('t');
    while ((await read('new')) === 'old') await turn();
    expect(await read('newer')).toBe('new');
  });
});
