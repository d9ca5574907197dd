import { MemoryDriver } from '../../lib/drivers/memory.driver.js';
import { ExpiringMap } from '../../lib/drivers/expiring-map.js';
import { ManualClock } from '../../lib/testing/manual-clock.js';

const TTL = 60_000;
const KB = Buffer.alloc(1_000);

function setUp(maxBytes?: number) {
  const clock = new ManualClock();
  const driver = new MemoryDriver({ clock, maxBytes });
  const put = (key: string, entry = KB, ttl = TTL) =>
    driver.write({ key, entry, tokens: [], stamps: [], ttl });
  const has = async (key: string) => (await driver.read(key, [])).entry !== undefined;
  return { clock, driver, put, has };
}

describe('bounds', () => {
  it('never takes more than maxBytes', async () => {
    const { driver, put } = setUp(50_000);
    for (let i = 0; i < 1_000; i++) {
      await put(`k${i}`, Buffer.alloc((i * 37) % 2_000));
      expect(driver.bytes).toBeLessThanOrEqual(50_000);
    }
  });

  it('counts stamps, which push entries out', async () => {
    const { driver, put, has } = setUp(50_000);
    for (let i = 0; i < 40; i++) await put(`k${i}`);
    await driver.pin({ tokens: Array.from({ length: 1_000 }, (_, i) => `g:${i}`), shapes: [], ttl: TTL });
    expect(driver.bytes).toBeLessThanOrEqual(50_000);
    expect(await has('k0')).toBe(false);
  });

  it('keeps marks when stamps have to go', async () => {
    const { driver } = setUp(20_000);
    await driver.pend({ writer: 'w', tokens: ['g:marked'], registries: new Map(), ttl: TTL });
    await driver.pin({ tokens: Array.from({ length: 1_000 }, (_, i) => `g:${i}`), shapes: [], ttl: TTL });
    expect((await driver.read('', ['g:marked', 'g:0'])).states).toEqual(['pending', undefined]);
  });

  it('does not store an entry that is too large, and drops the one it should have replaced', async () => {
    const { put, has } = setUp(50_000);
    await put('k');
    expect(await put('k', Buffer.alloc(60_000))).toBe(false);
    expect(await has('k')).toBe(false);
  });

  it('forgets the oldest of very many registries', async () => {
    const { driver } = setUp();
    for (let i = 0; i <= 10_000; i++) {
      await driver.pin({ tokens: [], shapes: [{ table: `t${i}`, shape: 'a' }], ttl: TTL });
    }
    const registries = await driver.registries(['t0', 't10000']);
    expect(registries.get('t0')?.version).toBe('');
    expect(registries.get('t10000')?.shapes).toEqual(['a']);
  });

  it.each([0, -1, Number.NaN])('refuses maxBytes of %p', (maxBytes) => {
    expect(() => new MemoryDriver({ maxBytes })).toThrow('maxBytes');
  });
});

describe('eviction', () => {
  it('keeps what is read through a scan of many keys', async () => {
    const { put, has } = setUp(100_000);
    const hot = Array.from({ length: 20 }, (_, i) => `hot${i}`);
    for (const key of hot) await put(key);
    for (const key of hot) await has(key);
    for (let i = 0; i < 2_000; i++) await put(`scan${i}`);
    const kept = await Promise.all(hot.map(has));
    expect(kept.filter(Boolean).length).toBe(hot.length);
  });

  it('makes room for a new working set', async () => {
    const { put, has } = setUp(100_000);
    for (let i = 0; i < 50; i++) await put(`old${i}`);
    for (let i = 0; i < 50; i++) await has(`old${i}`);
    const fresh = Array.from({ length: 40 }, (_, i) => `new${i}`);
    for (let round = 0; round < 10; round++) {
      for (const key of fresh) if (!(await has(key))) await put(key);
    }
    const kept = await Promise.all(fresh.map(has));
    expect(kept.filter(Boolean).length).toBeGreaterThan(30);
  });
});

describe('ExpiringMap', () => {
  it('drops what ran out while others are inserted', () => {
    const map = new ExpiringMap<{ expires: number }>();
    for (let i = 0; i < 1_000; i++) map.set(`old${i}`, { expires: 10 }, 0);
    for (let i = 0; i < 1_100; i++) map.set(`new${i}`, { expires: 100 }, 10);
    expect(map.size).toBe(1_100);
  });

  it('stays bounded when everything is short-lived', () => {
    const map = new ExpiringMap<{ expires: number }>();
    for (let i = 0; i < 100_000; i++) map.set(`k${i}`, { expires: i + 100 }, i);
    expect(map.size).toBeLessThan(500);
  });
});
