import type { ResolvedOptions } from './cacheops.options.js';
import type { CacheContext } from './core/cache-context.js';
import { systemClock, systemScheduler } from './core/clock.js';
import type { EntitySources } from './core/entity-model.js';
import { AmbientTransaction } from './invalidation/ambient-transaction.js';
import { MemoryLockDriver } from './locks/drivers/memory.lock-driver.js';
import { RedisLockDriver } from './locks/drivers/redis.lock-driver.js';
import type { LockDriver } from './locks/lock-driver.interface.js';
import { LockService } from './locks/lock.service.js';
import { LockableRows } from './service/lockable-rows.js';

/** Locks go on where the cache is switched off: without it an application is slow, without them it is wrong. */
export function createLocks(
  options: ResolvedOptions,
  context: CacheContext,
  sources: EntitySources,
): LockService {
  const { ttl, wait, timeout } = options.locks;
  return new LockService({
    open: async () => openLockDriver(options),
    defaults: { ttl, wait },
    timeout,
    entities: new LockableRows(sources.model),
    transactions: {
      afterEnd: (transaction, task) => {
        if (transaction !== true) return sources.afterEnd(transaction, task);
        const { transaction: ambient } = context;
        return ambient instanceof AmbientTransaction && ambient.afterEnd(task);
      },
    },
    clock: systemClock,
    scheduler: systemScheduler,
  });
}

function openLockDriver({
  locks: { driver },
  redis,
  prefix,
}: ResolvedOptions): LockDriver | Promise<LockDriver> {
  if (typeof driver === 'function') return driver();
  if (driver === 'memory' || redis === undefined) return new MemoryLockDriver();
  return RedisLockDriver.create({ redis, prefix });
}
