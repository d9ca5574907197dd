import type { CacheOpsError } from '../../../lib/cacheops.errors.js';
import type { CacheSettings } from '../../../lib/core/cache.js';
import type { BusListener, InvalidationBus } from '../../../lib/drivers/bus.interface.js';
import { MemoryDriver } from '../../../lib/drivers/memory.driver.js';
import { ChaosDriver } from '../../../lib/testing/chaos.driver.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';
import { disposeProcesses, GRACE, Process, REFILL, Source, TAG } from './process.js';

let clock: ManualClock;
let memory: MemoryDriver;
let driver: ChaosDriver;
let source: Source;

beforeEach(() => {
  clock = new ManualClock();
  memory = new MemoryDriver({ clock });
  driver = new ChaosDriver(memory);
  source = new Source();
});
afterEach(disposeProcesses);

const lock = { refill: { ...REFILL, lock: true } };
const processes = (count: number, settings: Partial<CacheSettings> = {}) =>
  Array.from({ length: count }, () => new Process(driver, clock, settings));
const get = (process: Process) => process.get(source.load, lock);
const turn = () => new Promise(setImmediate);

/** Resolves when as many reads of the backend have been made as it takes to be sure that all wait. */
async function allWait(count: number): Promise<void> {
  while (driver.calls.lease < count) await turn();
}

it('lets one of many processes load, and the others take its entry', async () => {
  const hold = source.hold();
  const callers = processes(4).flatMap((process) => Array.from({ length: 250 }, () => get(process)));
  await hold.reached;
  await allWait(4);
  hold.release();
  const values = await Promise.all(callers);
  expect(source.reads).toBe(1);
  expect(new Set(values).size).toBe(1_000);
  expect(new Set(values.map(({ n }) => n))).toEqual(new Set([1]));
});

it('looks once more before it loads: another may have done so between its look and its lease', async () => {
  const [one, two] = processes(2) as [Process, Process];
  const barrier = driver.hold('lease');
  const late = get(one);
  await barrier.reached;
  await get(two);
  barrier.release();
  expect(await late).toEqual({ n: 1 });
  expect(source.reads).toBe(1);
});

it('never gives a waiter what was read before a commit that came before the waiter', async () => {
  const [one, two] = processes(2) as [Process, Process];
  const hold = source.hold();
  const first = get(one);
  await hold.reached;
  await driver.pend({ writer: 'w', tokens: [TAG], registries: new Map(), ttl: 60_000 });
  source.value = 2;
  await driver.settle({ writer: 'w', tokens: [TAG], tables: [] });
  const second = get(two);
  await allWait(2);
  hold.release();
  expect(await first).toEqual({ n: 1 });
  expect(await second).toEqual({ n: 2 });
});

it('does not let a reader join a wait whose last look came before a commit', async () => {
  const [one, two] = processes(2) as [Process, Process];
  const hold = source.hold();
  const loading = get(one);
  await hold.reached;
  const barrier = driver.hold('lease');
  const waiter = get(two);
  await barrier.reached;
  // The entry is stored; the waiter's look finds it, and its reply is under way while a commit happens.
  hold.release();
  await loading;
  const reply = driver.holdReply('read');
  barrier.release();
  await reply.reached;
  await driver.restamp([TAG]);
  source.value = 2;
  const later = get(two);
  await allWait(3);
  reply.release();
  expect(await waiter).toEqual({ n: 1 });
  expect(await later).toEqual({ n: 2 });
});

it('lets the next one load when a load fails, whose error goes to those of its process', async () => {
  const [one, two] = processes(2) as [Process, Process];
  const hold = source.hold();
  source.fail(new Error('source'));
  const failing = [get(one), get(one)].map((each) => each.catch((error: Error) => error.message));
  await hold.reached;
  const next = get(two);
  await allWait(2);
  hold.release();
  expect(await Promise.all(failing)).toEqual(['source', 'source']);
  expect(await next).toEqual({ n: 1 });
  expect(source.reads).toBe(2);
});

it('gives the lease back when a load hangs beyond its timeout', async () => {
  const [one, two] = processes(2, { loadTimeout: 20 }) as [Process, Process];
  source.hold();
  const hung = get(one).catch((error: CacheOpsError) => error.code);
  await allWait(1);
  const next = get(two);
  expect(await hung).toBe('LOAD_TIMEOUT');
  expect(await next).toEqual({ n: 1 });
});

it('waits for a holder that died for no longer than its lease', async () => {
  const [one, two] = processes(2) as [Process, Process];
  await driver.lease({ key: 'k', owner: 'dead', ttl: 30_000 });
  const waiting = [get(one), get(two)];
  await allWait(4);
  expect(source.reads).toBe(0);
  clock.advance(30_000);
  await Promise.all(waiting);
  expect(source.reads).toBe(1);
});

it('keeps the lease of a load that takes longer than the lease', async () => {
  const [one, two] = processes(2, { lease: { ttl: 30, poll: 1 } }) as [Process, Process];
  const hold = source.hold();
  const loading = get(one);
  await hold.reached;
  const waiting = get(two);
  const began = performance.now();
  while (performance.now() - began < 100) {
    clock.advance(1);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  expect(source.reads).toBe(1);
  hold.release();
  await Promise.all([loading, waiting]);
  expect(source.reads).toBe(1);
});

it('loads without a lease when the backend gives none', async () => {
  const [one] = processes(1) as [Process];
  driver.fail('lease');
  expect(await get(one)).toEqual({ n: 1 });
  await one.get(source.load, lock);
  expect(source.reads).toBe(1);
});

it('does not wait for what cannot be stored while it is being written', async () => {
  const [one, two] = processes(2) as [Process, Process];
  await driver.pend({ writer: 'w', tokens: [TAG], registries: new Map(), ttl: 60_000 });
  const hold = source.hold();
  const first = get(one);
  await hold.reached;
  expect(await get(two)).toEqual({ n: 1 });
  hold.release();
  await first;
});

it('gives up waiting when its patience is over', async () => {
  const [one, two] = processes(2, { loadTimeout: 60_000 }) as [Process, Process];
  const hold = source.hold();
  const first = get(one);
  await hold.reached;
  const waiting = get(two);
  await allWait(2);
  // The holder renews its lease for ever.
  for (let i = 0; i < 7; i++) {
    clock.advance(10_000);
    await driver.lease({ key: 'k', owner: 'other', ttl: 30_000 });
  }
  expect(await waiting).toEqual({ n: 1 });
  hold.release();
  await first;
});

it('lets one of many processes refresh in grace, and the others serve', async () => {
  const refill = { ...REFILL, grace: GRACE, lock: true };
  const all = processes(3);
  await (all[0] as Process).get(source.load, { refill });
  await driver.expire({ tokens: [TAG], registries: new Map() });
  source.value = 2;
  const hold = source.hold();
  const done = Promise.race(all.map((process) => process.next('refresh')));
  const values = await Promise.all(all.map((process) => process.get(source.load, { refill })));
  expect(values.map(({ n }) => n)).toEqual([1, 1, 1]);
  await hold.reached;
  await allWait(3);
  hold.release();
  await done;
  expect(source.reads).toBe(2);
  expect(await (all[1] as Process).get(source.load, { refill })).toEqual({ n: 2 });
});

describe('with a bus', () => {
  /** Nobody is woken by a look. */
  const WAKEN = { ttl: 86_400_000, poll: 86_400_000 };

  it('wakes those who wait, without a look', async () => {
    const [one, two] = processes(2, { bus: memory, lease: WAKEN }) as [Process, Process];
    const hold = source.hold();
    const first = get(one);
    await hold.reached;
    const waiting = [get(two), get(two)];
    await allWait(2);
    hold.release();
    expect(await Promise.all([first, ...waiting])).toEqual([{ n: 1 }, { n: 1 }, { n: 1 }]);
    expect(source.reads).toBe(1);
  });

  it('lets them look for themselves when it is lost', async () => {
    const bus = new LossyBus();
    const [one, two] = processes(2, { bus, lease: WAKEN }) as [Process, Process];
    const hold = source.hold();
    const first = get(one);
    await hold.reached;
    const waiting = get(two);
    await allWait(2);
    hold.release();
    await first;
    while (!bus.listener) await turn();
    bus.listener.lost('disconnected');
    expect(await waiting).toEqual({ n: 1 });
    expect(source.reads).toBe(1);
  });

  it('asks for no connection while nobody has to wait', async () => {
    const bus = new LossyBus();
    const [one] = processes(1, { bus }) as [Process];
    await get(one);
    expect(bus.listener).toBeUndefined();
  });

  it('looks from time to time where no second connection can be made', async () => {
    const bus = {
      openBus: () => {
        throw new Error('no duplicate');
      },
    };
    const [one, two] = processes(2, { bus }) as [Process, Process];
    await Promise.all([get(one), get(two)]);
    expect(source.reads).toBe(1);
  });

  it('does not queue for values that leave no entry', async () => {
    const all = processes(6, { bus: memory, lease: WAKEN });
    let loads = 0;
    let waited: () => void = () => undefined;
    const three = new Promise<void>((resolve) => (waited = resolve));
    const nothing = async () => {
      // Two in turn, then all the others at once: none of them returns before all have begun.
      if (++loads === 6) waited();
      if (loads > 2) await three;
      return undefined;
    };
    const values = await Promise.all(all.map((process) => process.get(nothing, lock)));
    expect(values).toEqual(Array.from({ length: 6 }, () => undefined));
    expect(loads).toBe(6);
  });
});

/** Says that it hears, and never tells anything. */
class LossyBus {
  listener: BusListener | undefined;

  openBus(listener: BusListener): InvalidationBus {
    this.listener = listener;
    listener.joined();
    return { validUntil: Infinity, close: async () => undefined };
  }
}
