import { randomBytes } from 'node:crypto';
import { Redis } from 'ioredis';

export const REDIS_URL = process.env.REDIS_URL ?? 'redis://127.0.0.1:6379';

/** A client of its own and a prefix of its own; `dispose` removes what was stored under the prefix. */
export class RedisFixture {
  readonly prefix = `cacheops-test:${randomBytes(6).toString('hex')}:`;
  readonly client = new Redis(REDIS_URL, { maxRetriesPerRequest: 1 });

  async keys(): Promise<string[]> {
    const keys: string[] = [];
    for await (const batch of this.client.scanStream({ match: `${this.prefix}*`, count: 1000 })) {
      keys.push(...(batch as string[]));
    }
    return keys;
  }

  async clear(): Promise<void> {
    const keys = await this.keys();
    if (keys.length > 0) await this.client.unlink(keys);
  }

  async dispose(): Promise<void> {
    await this.clear();
    this.client.disconnect();
  }
}
