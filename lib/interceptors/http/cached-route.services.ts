import type { AbstractHttpAdapter } from '@nestjs/core';
import type { CacheContext } from '../../core/cache-context.js';
import type { Serializer } from '../../core/serializer.js';
import type { CachedMethodServices } from '../../service/bound-method.js';

/** What the caches of routes need. */
export interface CachedRouteServices extends CachedMethodServices {
  readonly context: CacheContext;
  readonly serializer: Serializer;
  /** Whether responses say what the cache did. */
  readonly tells: boolean;
  /** Asked for at requests: an application may have none. */
  readonly adapter: () => AbstractHttpAdapter;
}
