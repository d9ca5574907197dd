import { systemClock, systemScheduler } from '../../lib/core/clock.js';
import type { LockDriver } from '../../lib/locks/lock-driver.interface.js';
import { NO_LOCKABLE_ENTITIES, NO_TRANSACTIONS } from '../../lib/locks/lock.ports.js';
import { LockService, type LockServiceParts } from '../../lib/locks/lock.service.js';

/** A lock service in real time, without entities and transactions. */
export const serviceOver = (driver: LockDriver, parts: Partial<LockServiceParts> = {}): LockService =>
  new LockService({
    open: async () => driver,
    defaults: { ttl: 10_000, wait: 5_000 },
    timeout: 2_000,
    entities: NO_LOCKABLE_ENTITIES,
    transactions: NO_TRANSACTIONS,
    clock: systemClock,
    scheduler: systemScheduler,
    ...parts,
  });
