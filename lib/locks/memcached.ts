export { MemcachedLockDriver, type MemcachedLockDriverOptions } from './drivers/memcached.lock-driver.js';
