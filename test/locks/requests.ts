import type { LockDriver, LockRequest } from '../../lib/locks/lock-driver.interface.js';

let owners = 0;

/** An exclusive lock of `a` for a minute, by an owner of its own, unless `options` say otherwise. */
export const request = (options: Partial<LockRequest> = {}): LockRequest => ({
  names: ['a'],
  owner: `owner-${++owners}`,
  mode: 'exclusive',
  limit: 1,
  ttl: 60_000,
  metadata: '',
  ...options,
});

/** Resolves when this many wait for `a`. */
export async function inLine(driver: LockDriver, count: number): Promise<void> {
  while ((await driver.inspect('a')).waiting !== count) await new Promise((resolve) => setImmediate(resolve));
}
