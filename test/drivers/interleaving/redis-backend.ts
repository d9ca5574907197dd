import type { Redis } from 'ioredis';
import { leaseToken, type Token } from '../../../lib/core/token.js';
import { RedisDriver } from '../../../lib/drivers/redis.driver.js';
import { entryKey, registryKey, stampKey } from '../../../lib/drivers/redis.script-parts.js';
import { type Content, namesFor, show } from './contents.js';
import type { RealBackend } from './remembering-backend.js';
import { ALL_SHAPES, ALL_TOKENS, MARK_TTL, TABLE } from './world.js';

interface Keys {
  readonly strings: Readonly<Record<string, string>>;
  readonly registry: Readonly<Record<string, string>>;
}

/** In the place of the deadline of a mark: it tells nothing but whether it has passed. */
const LIVE = '9';
const PASSED = '1';
const LIFE = MARK_TTL * 60;

/** The real scripts; gets to a content by writing its keys. */
export class RedisBackend implements RealBackend {
  readonly #registry: string;
  readonly #strings: readonly string[];

  private constructor(
    readonly driver: RedisDriver,
    private readonly client: Redis,
    private readonly prefix: string,
  ) {
    this.#registry = prefix + registryKey(TABLE);
    const keys = [...ALL_TOKENS.map(stampKey), ...ALL_SHAPES.map(entryKey), ...ALL_SHAPES.map(leaseToken)];
    this.#strings = keys.map((key) => prefix + key);
  }

  static async create(client: Redis, prefix: string): Promise<RedisBackend> {
    return new RedisBackend(await RedisDriver.create({ redis: client, prefix }), client, prefix);
  }

  async load({ text }: Content): Promise<readonly string[]> {
    const names = namesFor(text);
    await this.#write(JSON.parse(show(text, names)) as Keys);
    return names;
  }

  async dump(): Promise<string> {
    return JSON.stringify(await this.#read());
  }

  async evictToken(token: Token): Promise<void> {
    await this.client.del(this.prefix + stampKey(token));
  }

  async evictRegistry(table: string): Promise<void> {
    await this.client.del(this.prefix + registryKey(table));
  }

  async evictLease(key: string): Promise<void> {
    await this.client.del(this.prefix + leaseToken(key));
  }

  /** As time does it: deadlines pass in the text of marks, and a key of which all have passed is gone. */
  async expireMarks(): Promise<void> {
    const { strings, registry } = await this.#read();
    const left = Object.entries(strings).filter(([, value]) => !value.startsWith('!'));
    const aged = Object.entries(registry).map(([field, value]) => [
      field,
      field === '!' ? value.replaceAll(`:${LIVE}`, `:${PASSED}`) : value,
    ]);
    const onlyMarks = aged.every(([field]) => field === '!');
    await this.#write({
      strings: Object.fromEntries(left),
      registry: onlyMarks ? {} : Object.fromEntries(aged),
    });
  }

  async #read(): Promise<Keys> {
    const [values, registry] = await Promise.all([
      this.client.mget(...this.#strings),
      this.client.hgetall(this.#registry),
    ]);
    const strings: Record<string, string> = {};
    this.#strings.forEach((key, i) => {
      const value = values[i];
      if (typeof value === 'string') strings[key.slice(this.prefix.length)] = plainMarks(value);
    });
    if (registry['!'] !== undefined) registry['!'] = plainMarks(registry['!']);
    return { strings, registry };
  }

  async #write({ strings, registry }: Keys): Promise<void> {
    const pipeline = this.client.pipeline().del(this.#registry, ...this.#strings);
    for (const [key, value] of Object.entries(strings))
      pipeline.set(this.prefix + key, realMarks(value), 'PX', LIFE);
    const fields = Object.entries(registry).flatMap(([field, value]) => [field, realMarks(value)]);
    if (fields.length > 0) pipeline.hset(this.#registry, ...fields).pexpire(this.#registry, LIFE);
    await pipeline.exec();
  }
}

const plainMarks = (value: string): string =>
  value.replace(/\b(w\d):(\d+)/g, (_, writer: string, deadline: string) => {
    return `${writer}:${deadline.length > 1 ? LIVE : PASSED}`;
  });

const realMarks = (value: string): string =>
  value.replace(/\b(w\d):9/g, (_, writer: string) => `${writer}:${Date.now() + MARK_TTL}`);
