import { Keyv } from 'keyv';
import type { CacheOpsService } from '../service/cacheops.service.js';
import { KeyvAdapter, type KeyvAdapterOptions } from './keyv-adapter.js';

export { type ForeignCache, ForeignStore } from './foreign-store.js';
export { KeyvAdapter, type KeyvAdapterOptions } from './keyv-adapter.js';

/**
 * A Keyv over the cache of the application, for the `stores` of `CacheModule`. Values are kept as the cache keeps them:
 * dates, bytes, maps and entities come back as such.
 *
 * @throws CacheOpsConfigError
 * @example CacheModule.registerAsync({
 *   inject: [CacheOpsService],
 *   useFactory: (cacheOps: CacheOpsService) => ({ stores: [createKeyv(cacheOps)] }),
 * })
 */
export function createKeyv(cacheOps: CacheOpsService, options: KeyvAdapterOptions = {}): Keyv {
  const store = new KeyvAdapter(cacheOps, options);
  return new Keyv({
    store,
    namespace: options.namespace ?? 'keyv',
    // What cannot be stored is an error of whoever stores it; reads never fail.
    throwOnErrors: true,
    // Keyv would make JSON of everything.
    serialize: undefined,
    deserialize: undefined,
  } as ConstructorParameters<typeof Keyv>[0]);
}
