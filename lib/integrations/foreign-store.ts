import { CacheOpsConfigError } from '../cacheops.errors.js';
import type { EntryStore } from '../drivers/entry-store.interface.js';

interface Readable {
  get(key: string): Promise<unknown>;
  /** @param ttl milliseconds */
  set(key: string, value: string, ttl: number): Promise<unknown>;
}

/** A cache of cache-manager (version 5 or later), such as the one behind `CACHE_MANAGER`; or a Keyv. */
export type ForeignCache = Readable &
  ({ del(key: string): Promise<unknown> } | { delete(key: string): Promise<unknown> });

/**
 * Entries in a cache of another library, for `CacheOpsService.storedIn`: the values lie there, what says whether they
 * are fresh lies here. Some of those caches keep texts, or make JSON of everything; as base64 bytes survive them all.
 */
export class ForeignStore implements EntryStore {
  /** @param name part of the keys; processes that share the cache must use the same */
  constructor(
    private readonly cache: ForeignCache,
    readonly name = 'cache-manager',
  ) {
    const has = (method: string): boolean =>
      typeof Reflect.get(Object(cache) as object, method) === 'function';
    if (has('get') && has('set') && (has('del') || has('delete'))) return;
    throw new CacheOpsConfigError('ForeignStore', 'a cache with get, set, and del or delete', cache);
  }

  async get(key: string): Promise<Buffer | undefined> {
    const text = await this.cache.get(this.keyOf(key));
    return typeof text === 'string' ? Buffer.from(text, 'base64') : undefined;
  }

  async set(key: string, entry: Buffer, ttl: number): Promise<void> {
    await this.cache.set(this.keyOf(key), entry.toString('base64'), ttl);
  }

  async delete(keys: readonly string[]): Promise<number> {
    const { cache } = this;
    const outcomes = await Promise.all(
      keys.map((key) => ('del' in cache ? cache.del(this.keyOf(key)) : cache.delete(this.keyOf(key)))),
    );
    return outcomes.filter((outcome) => outcome !== false).length;
  }

  private keyOf(key: string): string {
    return `cacheops:${key}`;
  }
}
