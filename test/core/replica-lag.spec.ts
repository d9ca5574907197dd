import { jest } from '@jest/globals';
import { CacheContext } from '../../lib/core/cache-context.js';
import { Instrumentation } from '../../lib/core/instrumentation.js';
import { tableToken, tagToken } from '../../lib/core/token.js';
import { MemoryDriver } from '../../lib/drivers/memory.driver.js';
import { Invalidator } from '../../lib/invalidation/invalidator.js';
import type { Changes } from '../../lib/invalidation/transaction-frames.js';
import { ChaosDriver } from '../../lib/testing/chaos.driver.js';
import { ManualClock } from '../../lib/testing/manual-clock.js';

const TABLE: Changes = {
  effects: [{ table: 'item', columns: '*', images: undefined }],
  tokens: new Set(),
};
const TAG: Changes = { effects: [], tokens: new Set([tagToken('t')]) };
const LAG = 5_000;
const PEND = 30_000;

let clock: ManualClock;
let driver: ChaosDriver;
let context: CacheContext;
let invalidator: Invalidator;

beforeEach(() => {
  jest.useFakeTimers({ doNotFake: ['nextTick', 'queueMicrotask', 'setImmediate', 'performance'] });
  clock = new ManualClock();
  driver = new ChaosDriver(new MemoryDriver({ clock }));
  context = new CacheContext();
  const settings = { pendTtl: PEND, onRedisFailure: 'degrade', replicaLag: LAG } as const;
  invalidator = new Invalidator(driver, context, new Instrumentation(), settings);
});
afterEach(() => {
  jest.useRealTimers();
  context.dispose();
});

async function pass(ms: number): Promise<void> {
  clock.advance(ms);
  await jest.advanceTimersByTimeAsync(ms);
}

/** Whether a reader may store what depends on the token. */
const mayStore = async (token: string): Promise<boolean> =>
  (await driver.pin({ tokens: [token], shapes: [], ttl: 60_000 }))[0] !== 'pending';

it('keeps readers from storing until the replicas have what was committed', async () => {
  void invalidator.settle(await invalidator.pend(TABLE));
  await pass(LAG - 1);
  expect(await mayStore(tableToken('item'))).toBe(false);
  await pass(1);
  await invalidator.drain();
  expect(await mayStore(tableToken('item'))).toBe(true);
});

it('holds back what is invalidated by hand, tags included', async () => {
  await invalidator.announce(TABLE);
  await invalidator.announce(TAG);
  expect([await mayStore(tableToken('item')), await mayStore(tagToken('t'))]).toEqual([false, false]);
  await pass(LAG);
  await invalidator.drain();
  expect([await mayStore(tableToken('item')), await mayStore(tagToken('t'))]).toEqual([true, true]);
});

it('lasts as long after a COMMIT that takes almost as long as marks live, and after a crash', async () => {
  const pending = await invalidator.pend(TABLE);
  await pass(PEND - 1);
  void pending;
  await pass(LAG);
  expect(await mayStore(tableToken('item'))).toBe(false);
  await pass(1);
  expect(await mayStore(tableToken('item'))).toBe(true);
});

it('makes stale now and after the lag what could not be marked', async () => {
  driver.fail('pend');
  const pending = await invalidator.pend(TABLE);
  expect(pending?.writer).toBeUndefined();
  const [before] = await driver.pin({ tokens: [tableToken('item')], shapes: [], ttl: 60_000 });
  void invalidator.settle(pending);
  const [during] = await driver.pin({ tokens: [tableToken('item')], shapes: [], ttl: 60_000 });
  await pass(LAG);
  await invalidator.drain();
  const [after] = await driver.states([tableToken('item')]);
  expect(during).not.toBe(before);
  expect(after).toBeUndefined();
});

it('is waited for at the end of the application', async () => {
  void invalidator.settle(await invalidator.pend(TABLE));
  let drained = false;
  const draining = invalidator.drain().then(() => (drained = true));
  await pass(LAG - 1);
  expect(drained).toBe(false);
  await pass(1);
  await draining;
});
