// What a waiter does with notices that a lock may be free; the driver without them is in lock-backend.spec.ts.
import { PollingLine } from '../../lib/locks/polling-line.js';
import type { LockDriver, LockWatch } from '../../lib/locks/lock-driver.interface.js';
import { MemoryLockDriver } from '../../lib/locks/drivers/memory.lock-driver.js';
import { ChaosLockDriver } from '../../lib/testing/chaos.lock-driver.js';
import { ManualClock } from '../../lib/testing/manual-clock.js';
import { settled, withoutTurns } from './lock-fixture.js';
import { request } from './requests.js';

let clock: ManualClock;
let chaos: ChaosLockDriver;
let line: PollingLine;
/** Those who watch now. */
let watches: Set<LockWatch & { isUp: boolean; heard: () => void }>;
let opensUp: boolean;

beforeEach(() => {
  clock = new ManualClock();
  watches = new Set();
  opensUp = true;
  const memory = withoutTurns(new MemoryLockDriver({ clock, scheduler: clock }));
  const driver: LockDriver = {
    ...memory,
    capabilities: { ...memory.capabilities, wakeUp: 'notice' },
    watch: (_, heard) => {
      const watch = { isUp: opensUp, heard, close: () => void watches.delete(watch) };
      watches.add(watch);
      return watch;
    },
  };
  chaos = new ChaosLockDriver(driver);
  line = new PollingLine(chaos, { clock, scheduler: clock, timeout: 1_000 });
});
afterEach(() => line.close());

const held = request({ names: ['a'], ttl: 60_000 });
const wait = (ms = 30_000) => line.acquireInTurn(request({ names: ['a'] }), { wait: ms });
const pass = async (ms: number): Promise<void> => {
  for (let left = ms; left > 0; left -= 50) {
    clock.advance(50);
    await settled();
  }
};

describe('a waiter that is told when a lock may be free', () => {
  it('does not watch for a lock that is free', async () => {
    expect((await wait()).granted).toBe(true);
    expect(watches.size).toBe(0);
  });

  it('asks once, and then when it is told', async () => {
    await chaos.acquire(held);
    const waiting = wait();
    await pass(10_000);
    expect(chaos.calls.acquire).toBe(2);
    await chaos.release(held);
    for (const { heard } of watches) heard();
    expect((await waiting).granted).toBe(true);
    expect(chaos.calls.acquire).toBe(3);
    expect(watches.size).toBe(0);
  });

  it('asks when the lease in the way should be over: nobody tells of a holder that has died', async () => {
    await chaos.acquire(held);
    const waiting = wait(90_000);
    await pass(59_950);
    expect(chaos.calls.acquire).toBe(2);
    await pass(100);
    expect((await waiting).granted).toBe(true);
  });

  it('does not sleep through what it is told while it asks', async () => {
    await chaos.acquire(held);
    const waiting = wait();
    await settled();
    const refusal = chaos.holdReply('acquire');
    for (const { heard } of watches) heard();
    await refusal.reached;
    await chaos.release(held);
    for (const { heard } of watches) heard();
    refusal.release();
    expect((await waiting).granted).toBe(true);
  });

  it.each([
    ['before it is told anything', false],
    ['when it is told no more', true],
  ])('asks again and again %s', async (_, first) => {
    opensUp = first;
    await chaos.acquire(held);
    const waiting = wait();
    await settled();
    for (const watch of watches) {
      watch.isUp = false;
      if (first) watch.heard();
    }
    await pass(1_000);
    expect(chaos.calls.acquire).toBeGreaterThan(8);
    await chaos.release(held);
    await pass(200);
    expect((await waiting).granted).toBe(true);
  });

  it('closes its watch when it gives up', async () => {
    await chaos.acquire(held);
    const waiting = wait(1_000);
    await pass(1_000);
    expect((await waiting).granted).toBe(false);
    expect(watches.size).toBe(0);
  });
});
