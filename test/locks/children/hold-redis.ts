// node --import ./tools/typescript.mjs hold-redis.ts <url> <ttl>: holds `a`, and tells what it believes when it is asked.
import { systemClock, systemScheduler } from '../../../lib/core/clock.js';
import { RedisLockDriver } from '../../../lib/locks/drivers/redis.lock-driver.js';
import { NO_LOCKABLE_ENTITIES, NO_TRANSACTIONS } from '../../../lib/locks/lock.ports.js';
import { LockService } from '../../../lib/locks/lock.service.js';

const [redis = '', digits = ''] = process.argv.slice(2);
const ttl = Number(digits);
const locks = new LockService({
  open: () => RedisLockDriver.create({ redis }),
  defaults: { ttl, wait: 5_000 },
  timeout: 1_000,
  entities: NO_LOCKABLE_ENTITIES,
  transactions: NO_TRANSACTIONS,
  clock: systemClock,
  scheduler: systemScheduler,
});
const lock = await locks.acquire('a');
const { signal } = lock;

process.on('message', (task) => {
  // As a long computation does; what follows runs before any timer or news from outside.
  if (task === 'block') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ttl * 3);
  const isHeld = lock.isHeld();
  const reason = (signal.reason as { code?: string } | undefined)?.code;
  void lock.release().then((released) => process.send?.({ isHeld, reason, released }));
});
process.send?.({ fencingToken: lock.fencingToken });
