export {
  cacheDriverContract,
  type CacheDriverContract,
  type CacheDriverSubject,
} from './cache-driver.contract.js';
export { ChaosDriver, type DriverMethod } from './chaos.driver.js';
export { ChaosLockDriver, type LockDriverMethod } from './chaos.lock-driver.js';
export type { Barrier } from './faults.js';
export {
  lockDriverContract,
  type LockDriverContract,
  type LockDriverSubject,
} from './lock-driver.contract.js';
export { ManualClock } from './manual-clock.js';
