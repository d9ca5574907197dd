import type { Redis } from 'ioredis';
import type { BusSource } from '../../lib/drivers/bus.interface.js';
import type { CacheDriver } from '../../lib/drivers/cache-driver.interface.js';
import { MemoryDriver } from '../../lib/drivers/memory.driver.js';
import { BUS_KEY } from '../../lib/drivers/redis.bus.scripts.js';
import { RedisDriver } from '../../lib/drivers/redis.driver.js';
import { registryKey } from '../../lib/drivers/redis.script-parts.js';
import type { ManualClock } from '../../lib/testing/manual-clock.js';
import { RedisFixture } from '../drivers/redis-fixture.js';

/** What a test does to a backend besides using it. */
export interface TestBackend {
  readonly driver: CacheDriver & BusSource;
  /** As a `FLUSHDB`. */
  flush(): Promise<void>;
  /** Forgets all but what was published last. */
  reset(): Promise<void>;
  forgetRegistry(table: string): Promise<void>;
  /** Lets time pass, for the backend and for `clock`. */
  pass(ms: number): Promise<void>;
  dispose(): Promise<void>;
}

export const BACKENDS: readonly (readonly [string, (clock: ManualClock) => Promise<TestBackend>])[] = [
  ['memory', async (clock) => new MemoryTestBackend(clock)],
  ['redis', (clock) => RedisTestBackend.create(clock)],
];

class Forgetful extends MemoryDriver {
  flush(): Promise<void> {
    return super.close();
  }

  forgetRegistry(table: string): void {
    this.tables.drop(table);
  }
}

class MemoryTestBackend implements TestBackend {
  readonly driver: Forgetful;

  constructor(private readonly clock: ManualClock) {
    this.driver = new Forgetful({ clock });
  }

  flush(): Promise<void> {
    return this.driver.flush();
  }

  reset(): Promise<void> {
    return this.flush();
  }

  async forgetRegistry(table: string): Promise<void> {
    this.driver.forgetRegistry(table);
  }

  async pass(ms: number): Promise<void> {
    this.clock.advance(ms);
  }

  async dispose(): Promise<void> {
    await this.driver.close();
  }
}

class RedisTestBackend implements TestBackend {
  private constructor(
    private readonly clock: ManualClock,
    private readonly fixture: RedisFixture,
    readonly driver: RedisDriver,
  ) {}

  static async create(clock: ManualClock): Promise<RedisTestBackend> {
    const fixture = new RedisFixture();
    const { client, prefix } = fixture;
    return new RedisTestBackend(clock, fixture, await RedisDriver.create({ redis: client, prefix }));
  }

  flush(): Promise<void> {
    return this.fixture.clear();
  }

  async reset(): Promise<void> {
    const { client, prefix } = this.fixture;
    const keys = (await this.fixture.keys()).filter((key) => key !== prefix + BUS_KEY);
    if (keys.length > 0) await client.unlink(keys);
  }

  async forgetRegistry(table: string): Promise<void> {
    await this.fixture.client.del(this.fixture.prefix + registryKey(table));
  }

  /** As the server's clock would do it: expiries come nearer, and so do the deadlines in the text of marks. */
  async pass(ms: number): Promise<void> {
    this.clock.advance(ms);
    const { client } = this.fixture;
    for (const key of await this.fixture.keys()) {
      await age(client, key, ms);
      const left = await client.pttl(key);
      if (left >= 0) await client.pexpire(key, Math.max(0, left - ms));
    }
  }

  async dispose(): Promise<void> {
    await this.driver.close();
    await this.fixture.dispose();
  }
}

async function age(client: Redis, key: string, ms: number): Promise<void> {
  const earlier = (marks: string): string => marks.replace(/:(\d+)/g, (_, at) => `:${Number(at) - ms}`);
  if ((await client.type(key)) === 'hash') {
    const marks = await client.hget(key, '!');
    if (marks !== null) await client.hset(key, '!', earlier(marks));
  } else {
    const text = await client.get(key);
    if (text?.startsWith('!')) await client.set(key, earlier(text), 'KEEPTTL');
  }
}
