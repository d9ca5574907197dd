import { jest } from '@jest/globals';
import { encodeEntry } from '../../../lib/core/entry.js';
import { conditionOf, lifeOf } from '../../../lib/core/refill.js';
import { expiredStamp, newStamp } from '../../../lib/core/stamp.js';
import { MemoryDriver } from '../../../lib/drivers/memory.driver.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';
import { disposeProcesses, Process, REFILL, Source, TTL } from './process.js';

let clock: ManualClock;
let app: Process;
let source: Source;

beforeEach(() => {
  clock = new ManualClock();
  app = new Process(new MemoryDriver({ clock }), clock);
  source = new Source();
});
afterEach(() => {
  jest.restoreAllMocks();
  disposeProcesses();
});

const COST = 2_000;
const refill = { ...REFILL, beta: 1 };
/** A load that takes `COST` by the clock. */
const slow = async () => {
  clock.advance(COST);
  return source.load();
};

describe('early refresh', () => {
  beforeEach(async () => {
    await app.get(slow, { refill });
    source.value = 2;
  });

  it.each([
    [COST, 1],
    [COST / 2, 1],
    [COST, 2],
  ])('happens as often as XFetch says, with %d ms left and beta %d', (left, beta) => {
    const draws = 1_000;
    const stamps = [newStamp()];
    const facts = { createdAt: clock.now(), life: left, hasGrace: false, cost: COST };
    const entry = encodeEntry(Buffer.from('x'), stamps, facts);
    let due = 0;
    for (let i = 0; i < draws; i++) {
      jest.spyOn(Math, 'random').mockReturnValueOnce((i + 0.5) / draws);
      if (conditionOf(entry, stamps, { ...REFILL, beta }, clock) === 'early') due++;
    }
    expect(due / draws).toBeCloseTo(Math.exp(-left / (COST * beta)), 2);
  });

  it('serves the entry, which is fresh, and replaces it', async () => {
    clock.advance(TTL - 1);
    jest.spyOn(Math, 'random').mockReturnValueOnce(1e-9);
    const done = app.next('refresh');
    expect(await app.get(slow, { refill })).toEqual({ n: 1 });
    await done;
    expect(await app.get(slow, { refill: { ...refill, beta: 0 } })).toEqual({ n: 2 });
    expect(app.instrumentation.stats()).toMatchObject({ misses: 1, hits: 2, staleHits: 0, refreshes: 1 });
  });

  it('does not happen without beta', async () => {
    clock.advance(TTL - 1);
    jest.spyOn(Math, 'random').mockReturnValue(1e-9);
    await app.get(slow, { refill: REFILL });
    await app.get(slow);
    expect(app.instrumentation.stats().refreshes).toBe(0);
  });
});

describe('jitter', () => {
  it('shortens the life of entries by up to its share, evenly', () => {
    const draws = [0, 0.25, 0.5, 1];
    const lives = draws.map((draw) => {
      jest.spyOn(Math, 'random').mockReturnValueOnce(draw);
      return lifeOf(TTL, { ...REFILL, jitter: 0.2 });
    });
    expect(lives).toEqual([60_000, 57_000, 54_000, 48_000]);
    expect(lifeOf(TTL, REFILL)).toBe(TTL);
    expect(lifeOf(TTL, undefined)).toBe(TTL);
  });

  it('ends an entry at the end of its shortened life', async () => {
    jest.spyOn(Math, 'random').mockReturnValueOnce(1);
    await app.get(source.load, { refill: { ...REFILL, jitter: 0.5 } });
    clock.advance(TTL / 2 - 1);
    await app.get(source.load);
    expect(source.reads).toBe(1);
    clock.advance(1);
    await app.get(source.load);
    expect(source.reads).toBe(2);
  });
});

it('a stamp can be expired 65,535 times, each time to one that it never was', () => {
  let stamp: string | undefined = newStamp();
  const hard = stamp.slice(0, 12);
  const seen = new Set<string>();
  while (stamp !== undefined) {
    seen.add(stamp);
    stamp = expiredStamp(stamp);
  }
  expect(seen.size).toBe(65_536);
  expect([...seen].every((each) => each.length === 16 && each.startsWith(hard))).toBe(true);
});
