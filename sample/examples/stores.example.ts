import { CACHE_MANAGER, CacheModule } from '@nestjs/cache-manager';
import { Inject, Injectable, Module } from '@nestjs/common';
import type { Cache } from 'cache-manager';
import { type CachedValues, CacheOpsModule, CacheOpsService } from 'nestjs-cacheops';
import { createKeyv } from 'nestjs-cacheops/cache-manager';
import { FileStore } from 'nestjs-cacheops/file';

/** Large values in files; what makes them stale is known where it always is. */
@Injectable()
export class Reports {
  private readonly files: CachedValues;

  constructor(cacheOps: CacheOpsService, @Inject('REPORTS') directory: string) {
    this.files = cacheOps.storedIn(new FileStore({ directory }));
  }

  report(shop: number, make: () => Promise<Buffer>): Promise<Buffer> {
    return this.files.getOrSet(`report ${shop}`, make, { ttl: '7d', tags: [`shop ${shop}`] });
  }
}

/** Code that was written for @nestjs/cache-manager goes on as it is. */
@Injectable()
export class Profiles {
  constructor(@Inject(CACHE_MANAGER) private readonly cache: Cache) {}

  profile(user: number, load: () => Promise<object>): Promise<object> {
    return this.cache.wrap(`profile:${user}`, load);
  }
}

export const register = (reports: string) => {
  @Module({
    imports: [
      CacheOpsModule.forRoot(),
      CacheModule.registerAsync({
        inject: [CacheOpsService],
        useFactory: (cacheOps: CacheOpsService) => ({
          // `cacheOps.invalidate('user 7')` forgets the profile of user 7.
          stores: [createKeyv(cacheOps, { tags: (key) => [key.replace('profile:', 'user ')] })],
        }),
      }),
    ],
    providers: [Reports, Profiles, { provide: 'REPORTS', useValue: reports }],
  })
  class AppModule {}
  return AppModule;
};
