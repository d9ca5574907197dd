import { jest } from '@jest/globals';
import { MemoryDriver } from '../../../lib/drivers/memory.driver.js';
import { ChaosDriver } from '../../../lib/testing/chaos.driver.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';
import { EVERYTHING } from '../../../lib/core/token.js';
import { disposeProcesses, GRACE, Process, REFILL, Source, TAG, TTL } from './process.js';

let clock: ManualClock;
let memory: MemoryDriver;
let driver: ChaosDriver;
let app: Process;
let source: Source;
const unhandled: unknown[] = [];
const note = (error: unknown): void => void unhandled.push(error);

beforeAll(() => void process.on('unhandledRejection', note));
beforeEach(async () => {
  clock = new ManualClock();
  memory = new MemoryDriver({ clock });
  driver = new ChaosDriver(memory);
  app = new Process(driver, clock);
  source = new Source();
  await get();
  source.value = 2;
});
afterEach(async () => {
  disposeProcesses();
  await new Promise(setImmediate);
  expect(unhandled.splice(0)).toEqual([]);
});
afterAll(() => void process.off('unhandledRejection', note));

const graceful = { refill: { ...REFILL, grace: GRACE } };
const get = (more: object = {}) => app.get(source.load, { ...graceful, ...more });
const expire = () => driver.expire({ tokens: [TAG], registries: new Map() });

/** Two ways for an entry to end without being wrong for certain. */
const ENDS: readonly [string, () => Promise<unknown>][] = [
  ['past its ttl', async () => clock.advance(TTL)],
  ['expired by hand', expire],
];

describe.each(ENDS)('an entry %s', (_, end) => {
  beforeEach(async () => void (await end()));

  it('is served while one caller computes it anew, then the new one is', async () => {
    const done = app.next('refresh');
    const values = await Promise.all(Array.from({ length: 100 }, () => get()));
    expect(new Set(values.map(({ n }) => n))).toEqual(new Set([1]));
    expect(new Set(values).size).toBe(100);
    expect(await done).toMatchObject({ type: 'refresh', outcome: 'done' });
    expect(source.reads).toBe(2);
    expect(await get()).toEqual({ n: 2 });
    expect(source.reads).toBe(2);
    expect(app.instrumentation.stats()).toMatchObject({ misses: 1, hits: 101, staleHits: 100, refreshes: 1 });
  });

  it('is not served to a reader without grace', async () => {
    expect(await app.peek()).toBeUndefined();
    expect(await get({ refill: undefined })).toEqual({ n: 2 });
  });

  it('is not served once it was invalidated', async () => {
    await driver.restamp([TAG]);
    expect(await get()).toEqual({ n: 2 });
    expect(app.instrumentation.stats()).toMatchObject({ staleHits: 0, refreshes: 0 });
  });

  it('is not served while a writer has marked what it depends on', async () => {
    await driver.pend({ writer: 'w', tokens: [EVERYTHING], registries: new Map(), ttl: TTL });
    expect(await get()).toEqual({ n: 2 });
  });

  it('is not served when its grace is over', async () => {
    clock.advance(TTL + GRACE);
    expect(await get()).toEqual({ n: 2 });
  });

  it('is not served by another release that cannot tell', async () => {
    jest.spyOn(memory, 'read').mockResolvedValueOnce({ entry: Buffer.from('?'), states: ['s', 's'] });
    expect(await get()).toEqual({ n: 2 });
  });

  it('stays when its refresh fails, which is counted and told, and not repeated at once', async () => {
    source.fail(new Error('source'));
    const failed = app.next('refresh');
    expect(await get()).toEqual({ n: 1 });
    expect(await failed).toMatchObject({ outcome: 'failed' });
    expect(await get()).toEqual({ n: 1 });
    expect(source.reads).toBe(2);
    expect(app.instrumentation.stats()).toMatchObject({ failedRefreshes: 1, refreshes: 1, errors: 1 });
    expect(app.events).toContainEqual({ type: 'error', operation: 'refresh', error: new Error('source') });
    clock.advance(1_000);
    const done = app.next('refresh');
    await get();
    await done;
    expect(await get()).toEqual({ n: 2 });
  });

  it('is deleted when there is nothing left to store', async () => {
    const done = app.next('refresh');
    expect(await app.get(async () => undefined as unknown, graceful)).toEqual({ n: 1 });
    await done;
    expect(await get()).toEqual({ n: 2 });
    expect(app.instrumentation.stats().staleHits).toBe(1);
  });

  it('is refreshed by a load that does not need its caller', async () => {
    const done = app.next('refresh');
    let asked = false;
    const detach = () => {
      asked = true;
      return async () => ({ n: 3 });
    };
    const serving = get({ detach });
    const { n } = await serving;
    expect([n, asked]).toEqual([1, true]);
    await done;
    expect(await get()).toEqual({ n: 3 });
  });

  it('does not hide an invalidation during its refresh', async () => {
    const hold = source.hold();
    const done = app.next('refresh');
    await get();
    await hold.reached;
    source.value = 3;
    await driver.restamp([TAG]);
    const late = get();
    expect(await late).toEqual({ n: 3 });
    hold.release();
    await done;
    expect(await get()).toEqual({ n: 3 });
  });

  it('waits at the end of the application for its refresh, and begins none after it', async () => {
    const hold = source.hold();
    await get();
    await hold.reached;
    let closed = false;
    const closing = app.cache.close().then(() => (closed = true));
    await new Promise(setImmediate);
    expect(closed).toBe(false);
    hold.release();
    await closing;
    await expire();
    expect(await get()).toEqual({ n: 2 });
    expect(source.reads).toBe(2);
  });
});

describe('softTimeout', () => {
  const patient = { refill: { ...REFILL, grace: GRACE, softTimeout: 5_000 } };
  const hasty = { refill: { ...REFILL, grace: GRACE, softTimeout: 1 } };
  beforeEach(async () => void (await expire()));

  it('gives the new result to all that wait for it', async () => {
    const values = await Promise.all(Array.from({ length: 10 }, () => get(patient)));
    expect(new Set(values.map(({ n }) => n))).toEqual(new Set([2]));
    expect(new Set(values).size).toBe(10);
    expect(source.reads).toBe(2);
  });

  it('gives the old one when the new one takes longer, which is stored all the same', async () => {
    const hold = source.hold();
    const done = app.next('refresh');
    expect(await get(hasty)).toEqual({ n: 1 });
    hold.release();
    await done;
    expect(await get(hasty)).toEqual({ n: 2 });
  });

  it('gives the old one when the load fails', async () => {
    source.fail(new Error('source'));
    expect(await get(patient)).toEqual({ n: 1 });
  });

  it('does not join a refresh that knows less than the reader', async () => {
    const hold = source.hold();
    const first = get(hasty);
    await hold.reached;
    expect(await first).toEqual({ n: 1 });
    await expire();
    // The refresh under way has read the source before this expiry.
    expect(await get(patient)).toEqual({ n: 1 });
    hold.release();
  });
});

it('does not store what was loaded before an expiry', async () => {
  await driver.restamp([TAG]);
  const hold = source.hold();
  const loading = get();
  await hold.reached;
  await expire();
  source.value = 3;
  hold.release();
  expect(await loading).toEqual({ n: 2 });
  expect(await get()).toEqual({ n: 3 });
});

it('makes a miss of an expired entry that has no grace', async () => {
  await driver.restamp([TAG]);
  await get({ refill: undefined });
  await expire();
  source.value = 3;
  expect(await get({ refill: undefined })).toEqual({ n: 3 });
});

it('serves another process within its own grace only', async () => {
  const strict = new Process(driver, clock);
  clock.advance(TTL + 10_000);
  expect(await strict.get(source.load, { refill: { ...REFILL, grace: 5_000 } })).toEqual({ n: 2 });
});
