import type { ResolvedOptions } from './cacheops.options.js';
import type { Cache } from './core/cache.js';
import type { CacheDriver } from './drivers/cache-driver.interface.js';
import type { EntryStore } from './drivers/entry-store.interface.js';
import { StoreDriver } from './drivers/store.driver.js';
import { CachedValues, type CachedValuesParts } from './service/cached-values.js';
import { Values, type ValueServices } from './service/values.js';

interface StoreParts extends Omit<CachedValuesParts, 'values'>, Omit<ValueServices, 'cache'> {
  readonly options: Pick<ResolvedOptions, 'keyspace' | 'timeouts'>;
  readonly newCache: (driver: CacheDriver, keyspace: () => string) => Cache;
}

/** Values in stores of the application: each with a cache of its own, over the stamps of all. */
export class Stores {
  private readonly caches: Cache[] = [];

  constructor(private readonly parts: StoreParts) {}

  open(store: EntryStore): CachedValues {
    const { options, newCache, driver: stamps } = this.parts;
    const { read: readTimeout, write: writeTimeout } = options.timeouts;
    const driver = new StoreDriver(stamps, store, { readTimeout, writeTimeout });
    const cache = newCache(driver, () => `${store.name} ${options.keyspace?.() ?? ''}`);
    this.caches.push(cache);
    return new CachedValues({ ...this.parts, values: new Values({ ...this.parts, cache, driver }) });
  }

  async close(): Promise<void> {
    await Promise.all(this.caches.map((cache) => cache.close()));
  }
}
