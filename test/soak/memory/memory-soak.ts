import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Redis } from 'ioredis';
import { Cache } from '../../../lib/core/cache.js';
import { CacheContext } from '../../../lib/core/cache-context.js';
import { systemClock } from '../../../lib/core/clock.js';
import { dependenciesOf } from '../../../lib/core/dependencies.js';
import { Instrumentation } from '../../../lib/core/instrumentation.js';
import { nearValues } from '../../../lib/core/kept-value.js';
import { createSerializer } from '../../../lib/core/serializer.js';
import type { CacheDriver } from '../../../lib/drivers/cache-driver.interface.js';
import { GuardedDriver } from '../../../lib/drivers/guarded.driver.js';
import { RedisDriver } from '../../../lib/drivers/redis.driver.js';
import { Invalidator } from '../../../lib/invalidation/invalidator.js';
import { NearDriver } from '../../../lib/near-cache/near.driver.js';
import { ownServer } from '../../support/own-server.js';
import { redis as server } from '../../support/servers/redis.mjs';
import type { SoakOptions, SoakReport, SoakSuite } from '../soak-suite.js';

export interface MemorySoakSettings {
  readonly policy: 'allkeys-lru' | 'volatile-ttl';
  /** Of Redis. */
  readonly megabytes: number;
  /** The near cache, in bytes. */
  readonly nearBytes: number;
  /** Ends sooner when so many different keys and conditions were stored. */
  readonly most: number;
}

/** Rows of which each key depends, each by a condition of its own. */
const CONDITIONS = 9;
/** A quarter of what is read was stored a little earlier; every eighth of them changes in between. */
const BEHIND = 64;
const AT_ONCE = 64;
const CHECK_EVERY = 8_192;
const TABLE = 'item';
/** What `docs/near-cache.md` says: a third more than the budget. */
const NEAR_SHARE = 1.34;
/** What a process takes besides, in bytes: commands on their way, and what the interpreter has compiled meanwhile. */
const OVERHEAD = 24 * 2 ** 20;
/** Redis counts what clients wait for, too. */
const REDIS_SHARE = 1.2;

const UNHURRIED = { readTimeout: 20_000, writeTimeout: 20_000, invalidationTimeout: 20_000 };

/** Distinct keys and conditions without end, through a Redis and a near cache that are far too small for them. */
export class MemorySoak implements SoakSuite {
  readonly name: string;

  constructor(private readonly settings: MemorySoakSettings) {
    this.name = `memory:${settings.policy}`;
  }

  async run({ seconds }: SoakOptions): Promise<SoakReport> {
    const { policy, megabytes } = this.settings;
    const { url, stop } = await ownServer(
      server,
      '--maxmemory',
      `${megabytes}mb`,
      '--maxmemory-policy',
      policy,
    );
    try {
      const load = await Load.open(url, this.settings);
      const admin = new Redis(url, { disconnectTimeout: 100 });
      try {
        return await this.measure(load, admin, performance.now() + seconds * 1_000);
      } finally {
        admin.disconnect();
        await load.close();
      }
    } finally {
      await stop();
    }
  }

  private async measure(load: Load, admin: Redis, until: number): Promise<SoakReport> {
    const { most, megabytes, nearBytes } = this.settings;
    // What belongs to one read and one write is there before it is measured.
    await load.steps(0, AT_ONCE);
    const before = heap();
    const peaks = { redis: 0, heap: 0, near: 0 };
    let key = AT_ONCE;
    while (performance.now() < until && key * (CONDITIONS + 1) < most) {
      for (const end = key + CHECK_EVERY; key < end; key += AT_ONCE) await load.steps(key, AT_ONCE);
      peaks.redis = Math.max(peaks.redis, await infoNumber(admin, 'memory', 'used_memory'));
      peaks.heap = Math.max(peaks.heap, heap() - before);
      peaks.near = Math.max(peaks.near, load.nearBytes);
    }
    const evicted = await infoNumber(admin, 'stats', 'evicted_keys');
    const { hits, misses, errors } = load.instrumentation.stats();
    const mb = (bytes: number): string => (bytes / 2 ** 20).toFixed(1);
    const bounds = { redis: megabytes * REDIS_SHARE * 2 ** 20, heap: nearBytes * NEAR_SHARE + OVERHEAD };
    const violations: string[] = [];
    if (load.stale > 0) violations.push(`${load.stale} stale reads`);
    if (errors > 0) violations.push(`${errors} errors`);
    if (peaks.redis > bounds.redis) violations.push(`Redis took ${mb(peaks.redis)} MB`);
    if (peaks.heap > bounds.heap) violations.push(`the process grew by ${mb(peaks.heap)} MB`);
    return {
      figures: {
        'keys stored': key,
        'conditions of them': key * CONDITIONS,
        'rows changed': load.written,
        'keys evicted by Redis': evicted,
        'peak of Redis, MB': mb(peaks.redis),
        'maxmemory, MB': megabytes,
        hits,
        misses,
        'stale reads': load.stale,
        errors,
        'peak of the near cache by its own count, MB': mb(peaks.near),
        'its budget, MB': mb(nearBytes),
        'growth of the process after gc, MB': mb(peaks.heap),
        'allowed, MB': mb(bounds.heap),
      },
      violations,
    };
  }
}

/** One process that reads keys that nobody has read before, and some that it has. */
class Load {
  readonly instrumentation = new Instrumentation();
  stale = 0;
  written = 0;
  private readonly versions = new Map<number, number>();
  private readonly context = new CacheContext();
  private readonly codec: { encode(value: unknown): Buffer | undefined; decode(payload: Buffer): unknown };
  private readonly cache: Cache;
  /** Past the near cache: what Redis holds. */
  private readonly shared: Cache;
  private readonly invalidator: Invalidator;

  private constructor(
    private readonly driver: NearDriver,
    backend: CacheDriver,
  ) {
    const { encode, decode } = createSerializer();
    this.codec = Object.assign({ encode, decode }, { near: nearValues(decode) });
    const settings = { pendTtl: 30_000, onRedisFailure: 'fail' } as const;
    this.invalidator = new Invalidator(driver, this.context, this.instrumentation, settings);
    const onShapes = this.invalidator.registries.expect.bind(this.invalidator.registries);
    const limits = { loadTimeout: 60_000, onShapes };
    this.cache = new Cache(driver, this.context, this.instrumentation, systemClock, limits);
    this.shared = new Cache(backend, this.context, this.instrumentation, systemClock, limits);
  }

  static async open(url: string, { nearBytes }: MemorySoakSettings): Promise<Load> {
    const inner = await RedisDriver.create({ redis: url, prefix: 'p:' });
    const guard = new GuardedDriver(inner, UNHURRIED);
    await guard.probe();
    return new Load(new NearDriver(guard, { maxBytes: nearBytes, bus: inner }), guard);
  }

  get nearBytes(): number {
    return this.driver.near.stats().bytes;
  }

  async close(): Promise<void> {
    await this.cache.close();
    await this.shared.close();
    await this.invalidator.drain();
    await this.driver.close();
    this.context.dispose();
  }

  /** No two of those that are under way together touch the same row. */
  async steps(from: number, count: number): Promise<void> {
    await Promise.all(Array.from({ length: count }, (_, i) => this.step(from + i)));
  }

  private async step(key: number): Promise<void> {
    await this.read(key, this.cache);
    const earlier = key - BEHIND;
    if (earlier < 0) return;
    if (key % 8 === 0) await this.write(earlier);
    if (key % 4 === 0) {
      for (const cache of [this.cache, this.shared])
        if ((await this.read(earlier, cache)) < this.versionOf(earlier)) this.stale++;
    }
    this.versions.delete(key - 4 * BEHIND);
  }

  private versionOf(key: number): number {
    return this.versions.get(key) ?? 0;
  }

  private async read(key: number, cache: Cache): Promise<number> {
    const rows = Array.from(
      { length: CONDITIONS },
      (_, i) => new Map([['id', String(key * CONDITIONS + i)]]),
    );
    const { version } = (await cache.getOrSet<unknown>({
      key: `q:${key}`,
      label: 'item',
      dependencies: dependenciesOf([{ table: TABLE, reads: '*', conditions: rows }]),
      ttl: 3_600_000,
      codec: this.codec,
      load: async () => ({ version: this.versionOf(key), text: 'x'.repeat(150) }),
    })) as { version: number };
    return version;
  }

  /** Changes one of the rows of which the key depends. */
  private async write(key: number): Promise<void> {
    this.written++;
    const images = [new Map([['id', String(key * CONDITIONS + (key % CONDITIONS))]])];
    const effects = [{ table: TABLE, columns: '*' as const, images }];
    const pending = await this.invalidator.pend({ effects, tokens: new Set() });
    this.versions.set(key, this.versionOf(key) + 1);
    await this.invalidator.settle(pending);
  }
}

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** Bytes that are in use after everything that can go is gone. */
function heap(): number {
  collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

async function infoNumber(client: Redis, section: string, name: string): Promise<number> {
  return Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(await client.info(section))?.[1]);
}

const LONG = { megabytes: 64, nearBytes: 16 * 2 ** 20, most: 10_000_000 };

export const memorySoaks: readonly SoakSuite[] = [
  new MemorySoak({ policy: 'allkeys-lru', ...LONG }),
  new MemorySoak({ policy: 'volatile-ttl', ...LONG }),
];
