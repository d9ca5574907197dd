import { readdirSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { BusSource } from '../../lib/drivers/bus.interface.js';
import type { CacheDriver } from '../../lib/drivers/cache-driver.interface.js';
import type { EntryStore } from '../../lib/drivers/entry-store.interface.js';
import { GuardedDriver } from '../../lib/drivers/guarded.driver.js';
import { MemoryDriver } from '../../lib/drivers/memory.driver.js';
import { RedisDriver } from '../../lib/drivers/redis.driver.js';
import { StoreDriver } from '../../lib/drivers/store.driver.js';
import { NearDriver } from '../../lib/near-cache/near.driver.js';
import { cacheDriverContract, type CacheDriverContract } from '../../lib/testing/cache-driver.contract.js';
import { ChaosDriver } from '../../lib/testing/chaos.driver.js';
import { ManualClock } from '../../lib/testing/manual-clock.js';
import { RedisFixture } from './redis-fixture.js';

const redis = new RedisFixture();
let created = 0;

const memory: CacheDriverContract = {
  create: async () => {
    const clock = new ManualClock();
    const driver = new MemoryDriver({ clock });
    return { driver, elapse: async (ms) => clock.advance(ms), dispose: () => driver.close() };
  },
};
const shared: CacheDriverContract = {
  create: async () => {
    const driver = await RedisDriver.create({ redis: redis.client, prefix: `${redis.prefix}${created++}:` });
    return { driver, elapse: (ms) => wait(ms), dispose: () => driver.close() };
  },
};

const guarded = (contract: CacheDriverContract): CacheDriverContract => ({
  create: async () => {
    const { driver: inner, elapse } = await contract.create();
    const driver = new GuardedDriver(inner);
    await driver.probe();
    return { driver, elapse, dispose: () => driver.close() };
  },
});

const chaotic = (contract: CacheDriverContract): CacheDriverContract => ({
  create: async () => {
    const subject = await contract.create();
    return { ...subject, driver: new ChaosDriver(subject.driver) };
  },
});

const near = (contract: CacheDriverContract, mode: 'tracked' | 'checked'): CacheDriverContract => ({
  create: async () => {
    const { driver: inner, elapse } = await contract.create();
    const bus = mode === 'tracked' ? (inner as CacheDriver & BusSource) : undefined;
    const driver = new NearDriver(inner, { maxBytes: 1_000_000, bus });
    return { driver, elapse, dispose: () => driver.close() };
  },
});

/** Entries in a map, everything else in the driver. */
const stored: CacheDriverContract = {
  create: async () => {
    const clock = new ManualClock();
    const stamps = new MemoryDriver({ clock });
    const entries = new Map<string, { entry: Buffer; expires: number }>();
    const live = (key: string): Buffer | undefined => {
      const found = entries.get(key);
      return found && found.expires > clock.now() ? found.entry : undefined;
    };
    const store: EntryStore = {
      name: 'map',
      get: async (key) => live(key),
      set: async (key, entry, ttl) =>
        void entries.set(key, { entry: Buffer.from(entry), expires: clock.now() + ttl }),
      delete: async (keys) => keys.filter((key) => live(key) !== undefined && entries.delete(key)).length,
    };
    const driver = new StoreDriver(stamps, store, { readTimeout: 1_000, writeTimeout: 1_000 });
    return { driver, elapse: async (ms) => clock.advance(ms), dispose: () => stamps.close() };
  },
};

/** Every driver file with the backends it is run over. */
const CONTRACTS: Readonly<Record<string, Readonly<Record<string, CacheDriverContract>>>> = {
  'memory.driver.ts': { memory },
  'redis.driver.ts': { redis: shared },
  'guarded.driver.ts': { 'guarded memory': guarded(memory), 'guarded redis': guarded(shared) },
  'near.driver.ts': {
    'near memory, tracked': near(memory, 'tracked'),
    'near memory, checked': near(memory, 'checked'),
    'near redis, tracked': near(shared, 'tracked'),
    'near redis, checked': near(shared, 'checked'),
  },
  'store.driver.ts': { 'a store': stored },
  'chaos.driver.ts': { 'chaos without faults': chaotic(memory) },
};

for (const contracts of Object.values(CONTRACTS)) {
  for (const [name, contract] of Object.entries(contracts)) cacheDriverContract(name, contract);
}

afterAll(() => redis.dispose());

it.each(['drivers', 'near-cache', 'testing'])('every driver in lib/%s is enrolled', (folder) => {
  const files = readdirSync(fileURLToPath(new URL(`../../lib/${folder}`, import.meta.url)));
  for (const file of files.filter((name) => name.endsWith('.driver.ts'))) {
    expect(Object.keys(CONTRACTS)).toContain(file);
  }
});
