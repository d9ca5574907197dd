import { DataSource, type DataSourceOptions } from 'typeorm';
import { FileLockDriver } from '../../../lib/locks/drivers/file.lock-driver.js';
import { MemcachedLockDriver } from '../../../lib/locks/drivers/memcached.lock-driver.js';
import { RedisLockDriver } from '../../../lib/locks/drivers/redis.lock-driver.js';
import { RedisQuorumLockDriver } from '../../../lib/locks/drivers/redis-quorum.lock-driver.js';
import { SqlLockDriver } from '../../../lib/locks/drivers/sql.lock-driver.js';
import type { LockDriver } from '../../../lib/locks/lock-driver.interface.js';

/** A driver, for another process to open. */
export type DriverConfig =
  | { readonly kind: 'redis'; readonly url: string }
  | { readonly kind: 'quorum'; readonly urls: readonly string[] }
  | { readonly kind: 'file'; readonly folder: string }
  | { readonly kind: 'memcached'; readonly url: string }
  | { readonly kind: 'sql'; readonly database: DataSourceOptions };

export async function openDriver(config: DriverConfig): Promise<LockDriver> {
  switch (config.kind) {
    case 'redis':
      return RedisLockDriver.create({ redis: config.url });
    case 'quorum':
      return RedisQuorumLockDriver.create({ masters: config.urls });
    case 'file':
      return new FileLockDriver({ folder: config.folder });
    case 'memcached':
      return new MemcachedLockDriver({ server: new URL(config.url).host });
    case 'sql':
      return new SqlLockDriver({ dataSource: await new DataSource(config.database).initialize() });
  }
}
