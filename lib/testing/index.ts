export {
  cacheDriverContract,
  type CacheDriverContract,
  type CacheDriverSubject,
} from './cache-driver.contract.js';
export { type Barrier, ChaosDriver, type DriverMethod } from './chaos.driver.js';
export { ManualClock } from './manual-clock.js';
