import { RedisWaiter } from '../../lib/locks/drivers/redis.waiters.js';
import { Timeouts } from '../../lib/locks/timeouts.js';
import { ManualClock } from '../../lib/testing/manual-clock.js';
import { request } from './requests.js';

/** Of the server, when it refused the lock. */
const REFUSED = 1_000_000;
const TOKEN = 5;

/**
 * What a waiter makes of a lease that it was handed.
 * @param server by how much the server's clock went on between the refusal and the hand-over
 * @param here how long it took until the waiter heard of it
 */
function heard(server: number, here: number, token = TOKEN + 1) {
  const clock = new ManualClock();
  const waiter = new RedisWaiter(request(), clock, new Timeouts(clock, clock));
  waiter.refused({ granted: false, retryAfter: 1, now: REFUSED, lastToken: TOKEN, isNew: true }, 0);
  clock.block(here);
  waiter.handOver(token, REFUSED + server);
  return waiter.taken();
}

describe('a waiter that was handed a lease', () => {
  it('counts it from when it began, however late it hears of it', () => {
    for (const here of [10_000, 70_000]) expect(heard(10_000, here)?.since).toBeCloseTo(9_989, 0);
    expect(heard(0, 0)?.since).toBeLessThanOrEqual(0);
  });

  it('asks when the clock of the server was set meanwhile, and so does not tell when that was', () => {
    // It stood still for a minute, in which the lease began and ended.
    expect(heard(3_600_000, 60_000)).toBeUndefined();
    expect(heard(-3_600_000, 60_000)).toBeUndefined();
  });

  it('does not take news of an earlier life for those of this one', () => {
    expect(heard(10_000, 20_000, TOKEN)).toBeUndefined();
  });
});
