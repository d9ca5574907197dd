export {
  cacheDriverContract,
  type CacheDriverContract,
  type CacheDriverSubject,
} from './cache-driver.contract.js';
export { type Barrier, ChaosDriver, type DriverMethod } from './chaos.driver.js';
export {
  lockDriverContract,
  type LockDriverContract,
  type LockDriverSubject,
} from './lock-driver.contract.js';
export { ManualClock } from './manual-clock.js';
