import type { Redis } from 'ioredis';
import { leaseToken, type Token } from '../../../lib/core/token.js';
import { MemoryDriver } from '../../../lib/drivers/memory.driver.js';
import { RedisDriver } from '../../../lib/drivers/redis.driver.js';
import { entryKey, registryKey, stampKey } from '../../../lib/drivers/redis.script-parts.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';
import type { ExplorableBackend, Reached } from './explore.js';
import {
  ALL_SHAPES,
  ALL_TOKENS,
  LEASE_TTL,
  MARK_TTL,
  newWorld,
  type Scenario,
  TABLE,
  take,
  type World,
} from './world.js';

/** Loses single keys, as its own bounds would make it. */
class ForgetfulMemoryDriver extends MemoryDriver {
  forgetToken(token: Token): void {
    this.stamps.drop(token);
  }

  forgetRegistry(table: string): void {
    this.tables.drop(table);
  }
}

/** Gets to a state by taking its path again from the start, on a fresh driver. */
export class MemoryBackend implements ExplorableBackend {
  #clock = new ManualClock();
  driver = new ForgetfulMemoryDriver({ clock: this.#clock });

  async restore({ path }: Reached, scenario: Scenario): Promise<World> {
    this.#clock = new ManualClock();
    this.driver = new ForgetfulMemoryDriver({ clock: this.#clock });
    const world = newWorld(scenario);
    for (const step of path) await take(step, world, scenario, this);
    return world;
  }

  async save(): Promise<{ saved: unknown; view: string }> {
    const view: unknown[] = [(await this.driver.read('', ALL_TOKENS)).states];
    for (const shape of ALL_SHAPES) view.push((await this.driver.read(shape, [])).entry?.toString());
    view.push(await this.driver.registries([TABLE]).then((registries) => registries.get(TABLE)));
    return { saved: undefined, view: JSON.stringify(view) };
  }

  async evictToken(token: Token): Promise<void> {
    this.driver.forgetToken(token);
  }

  async evictRegistry(table: string): Promise<void> {
    this.driver.forgetRegistry(table);
  }

  async expireMarks(): Promise<void> {
    this.#clock.advance(MARK_TTL + 1);
  }

  async expireLeases(): Promise<void> {
    this.#clock.advance(LEASE_TTL + 1);
  }
}

interface SavedKeys {
  readonly strings: Readonly<Record<string, string>>;
  readonly registry: Readonly<Record<string, string>>;
}

const LONG_AGO = 1;

/** The real scripts; a state is restored by writing its keys. */
export class RedisBackend implements ExplorableBackend {
  readonly #registry: string;
  readonly #strings: readonly string[];
  readonly #leases: readonly string[];

  private constructor(
    readonly driver: RedisDriver,
    private readonly client: Redis,
    private readonly prefix: string,
  ) {
    this.#registry = prefix + registryKey(TABLE);
    this.#leases = ALL_SHAPES.map((key) => prefix + leaseToken(key));
    const keys = [...ALL_TOKENS.map(stampKey), ...ALL_SHAPES.map(entryKey)];
    this.#strings = [...keys.map((key) => prefix + key), ...this.#leases];
  }

  static async create(client: Redis, prefix: string): Promise<RedisBackend> {
    return new RedisBackend(await RedisDriver.create({ redis: client, prefix }), client, prefix);
  }

  async restore({ world, saved }: Reached): Promise<World> {
    await this.#load((saved as SavedKeys | undefined) ?? { strings: {}, registry: {} });
    return structuredClone(world);
  }

  async save(): Promise<{ saved: unknown; view: string }> {
    const saved = await this.#dump();
    // Deadlines tell nothing but whether they have passed.
    return {
      saved,
      view: JSON.stringify(saved).replace(/(w\d):(\d+)/g, (_, w, at) => `${w}:${at.length > 1}`),
    };
  }

  async evictToken(token: Token): Promise<void> {
    await this.client.del(this.prefix + stampKey(token));
  }

  async evictRegistry(table: string): Promise<void> {
    await this.client.del(this.prefix + registryKey(table));
  }

  /** As time does it: deadlines pass in the text of marks, and a key of which all have passed is gone. */
  async expireMarks(): Promise<void> {
    const { strings, registry } = await this.#dump();
    const left = Object.entries(strings).filter(([, value]) => !value.startsWith('!'));
    const aged = Object.entries(registry).map(([field, value]) => [
      field,
      field === '!' ? value.replace(/:\d+/g, `:${LONG_AGO}`) : value,
    ]);
    const onlyMarks = aged.every(([field]) => field === '!');
    await this.#load({
      strings: Object.fromEntries(left),
      registry: onlyMarks ? {} : Object.fromEntries(aged),
    });
  }

  async expireLeases(): Promise<void> {
    await this.client.del(...this.#leases);
  }

  async #dump(): Promise<SavedKeys> {
    const [values, registry] = await Promise.all([
      this.client.mget(...this.#strings),
      this.client.hgetall(this.#registry),
    ]);
    const strings: Record<string, string> = {};
    this.#strings.forEach((key, i) => {
      const value = values[i];
      if (typeof value === 'string') strings[key] = value;
    });
    return { strings, registry };
  }

  async #load({ strings, registry }: SavedKeys): Promise<void> {
    const pipeline = this.client.pipeline().del(this.#registry, ...this.#strings);
    for (const [key, value] of Object.entries(strings)) pipeline.set(key, value, 'PX', MARK_TTL * 60);
    if (Object.keys(registry).length > 0)
      pipeline.hset(this.#registry, registry).pexpire(this.#registry, MARK_TTL * 60);
    await pipeline.exec();
  }
}
