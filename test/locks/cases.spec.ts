// The cases of django-cache-lock's suite (CL-01 ...) and those in which it fails (CL-X01 ...), on every driver. Those of
// decorators, entities and transactions are in cases.nest.spec.ts.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { MemoryLockDriver } from '../../lib/locks/drivers/memory.lock-driver.js';
import { LockBusyError, LockLostError } from '../../lib/locks/lock.errors.js';
import type { LockDriver, RenewOutcome } from '../../lib/locks/lock-driver.interface.js';
import type { LockService } from '../../lib/locks/lock.service.js';
import type { LockDriverSubject } from '../../lib/testing/lock-driver.contract.js';
import { ManualClock } from '../../lib/testing/manual-clock.js';
import { settled, withoutTurns } from './lock-fixture.js';
import { serviceOver } from './services.js';
import { dropSubjects, SUBJECTS } from './subjects/all.js';

afterAll(dropSubjects);

/** A driver that counts how often it is asked for a lock. */
function counting(driver: LockDriver): { readonly driver: LockDriver; readonly asked: () => number } {
  let count = 0;
  const counted = Object.assign(Object.create(driver) as LockDriver, {
    acquire: (...args: Parameters<LockDriver['acquire']>) => (count++, driver.acquire(...args)),
    ...(driver.acquireInTurn && {
      acquireInTurn: (...args: Parameters<Required<LockDriver>['acquireInTurn']>) => (
        count++,
        (driver as Required<LockDriver>).acquireInTurn(...args)
      ),
    }),
    renew: driver.renew.bind(driver),
    release: driver.release.bind(driver),
    inspect: driver.inspect.bind(driver),
    close: driver.close.bind(driver),
  });
  return { driver: counted, asked: () => count };
}

/** A driver that tells what becomes of its next renewal. */
function renewing(driver: LockDriver) {
  let tell: (outcomes: ReturnType<LockDriver['renew']>) => void = () => undefined;
  const renew: LockDriver['renew'] = (leases) => {
    const outcomes = driver.renew(leases);
    tell(outcomes);
    return outcomes;
  };
  const told = Object.assign(withoutTurns(driver), { renew, close: async () => undefined });
  return { driver: told, renewal: () => new Promise<readonly RenewOutcome[]>((resolve) => (tell = resolve)) };
}

function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
}

describe.each(SUBJECTS)('CL cases on %s', (_, contract) => {
  let subject: LockDriverSubject;
  /** Ours, and that of another process. */
  let locks: LockService;
  let others: LockService;
  /** The shortest that this driver knows, but long enough to get something done. */
  let short: number;

  beforeEach(async () => {
    subject = await contract.create();
    locks = serviceOver(subject.driver);
    others = subject.other === subject.driver ? locks : serviceOver(subject.other);
    short = Math.max(300, subject.driver.capabilities.resolution);
  });
  afterEach(async () => {
    await Promise.all([locks.close(), others.close()]);
    await subject.dispose();
  });

  const isFree = async (name: string) => (await others.whoHolds(name)).holders.length === 0;
  const overdue = (lock: { signal: AbortSignal }) =>
    new Promise<void>((resolve) => {
      if (lock.signal.aborted) resolve();
      else lock.signal.addEventListener('abort', () => resolve());
    });

  it('CL-01: a name is what it is, whatever it looks like', async () => {
    const names = ['lock:a', 'lock', ':a', 'a'];
    const held = await Promise.all(names.map((name) => locks.acquire(name)));
    expect(held.map(({ name }) => name)).toEqual(names);
    await Promise.all(held.map((lock) => lock.release()));
  });

  it('CL-02: the second is refused, other names are free, and so is this one afterwards', async () => {
    const lock = await locks.acquire('a');
    expect(await others.tryAcquire('a')).toBeNull();
    await expect(others.acquire('a', { wait: 0 })).rejects.toThrow(LockBusyError);
    const other = await others.acquire('b', { wait: 0 });
    expect(await lock.release()).toBe('released');
    const again = await others.acquire('a', { wait: 0 });
    await Promise.all([other.release(), again.release()]);
  });

  it('CL-05 and CL-06: who waits gets it when the ttl is over; the release of the old holder changes nothing', async () => {
    const lock = await locks.acquire('a', { ttl: short, extend: false });
    const next = await others.acquire('a');
    expect(lock.isHeld()).toBe(false);
    expect(await lock.release()).toBe('stolen');
    expect(next.isHeld()).toBe(true);
    expect(await isFree('a')).toBe(false);
    expect(await next.release()).toBe('released');
  });

  it('CL-07: gives up when the time to wait is over, not before', async () => {
    const lock = await locks.acquire('a');
    for (const wait of [200, 100]) {
      const error = await others.acquire('a', { wait }).catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(LockBusyError);
      expect((error as LockBusyError).waited).toBeGreaterThanOrEqual(wait - 1);
    }
    await lock.release();
  });

  it('CL-08: asks a bounded number of times while it waits: once where it is told, ever more rarely elsewhere', async () => {
    const lock = await locks.acquire('a');
    const { driver, asked } = counting(subject.other);
    const patient = serviceOver(driver);
    await patient.acquire('a', { wait: 350 }).catch(() => undefined);
    // Where it is told once it listens (test/locks/postgres.notices.spec.ts), and elsewhere: pauses of 5, 7.5, 11.25 ... 100 ms, each at least half of that: not more than 14 in 350 ms, and the last look.
    if (driver.capabilities.wakeUp === 'push') expect(asked()).toBe(1);
    else expect(asked()).toBeLessThanOrEqual(15);
    await lock.release();
  });

  it('CL-09: what is stored is what the holder has', async () => {
    const lock = await locks.acquire('a', { label: 'report' });
    const { holders } = await others.whoHolds('a');
    expect(holders).toMatchObject([{ fencingToken: lock.fencingToken, label: 'report' }]);
    await lock.release();
  });

  it('CL-10: is held inside a section and free behind it, also when it throws', async () => {
    const seen = await locks.using('a', async () => isFree('a'));
    expect(seen).toBe(false);
    expect(await isFree('a')).toBe(true);
    const failed = locks.using('a', () => Promise.reject(new Error('no')));
    await expect(failed).rejects.toThrow('no');
    expect(await isFree('a')).toBe(true);
  });

  it('CL-13: is held by its handle only, and until it is released', async () => {
    const lock = await locks.acquire('a');
    expect(lock.isHeld()).toBe(true);
    await lock.release();
    expect(lock.isHeld()).toBe(false);
    const next = await others.acquire('a');
    expect([lock.isHeld(), next.isHeld()]).toEqual([false, true]);
    await next.release();
  });

  it('CL-14: the right to release is the handle, wherever it is passed; not the name, nor the place in the program', async () => {
    const lock = await locks.acquire('a');
    const elsewhere = await locks.using('b', async (other) => [await other.release(), await lock.release()]);
    expect(elsewhere).toEqual(['released', 'released']);
    const next = await locks.acquire('a');
    expect(await lock.release()).toBe('released');
    expect([next.isHeld(), await isFree('a')]).toEqual([true, false]);
    await next.release();
  });

  it('CL-15: another process sees it, and can use other names', async () => {
    const lock = await locks.acquire('a');
    expect(await isFree('a')).toBe(false);
    expect(await others.using('b', () => Promise.resolve('done'))).toBe('done');
    await lock.release();
  });

  it('CL-X01 and CL-03: nobody else releases or prolongs it, also with a guessed name', async () => {
    const lock = await locks.acquire('a');
    const guess = { names: ['a'], owner: 'guessed', ttl: 60_000 };
    expect(await subject.other.release(guess)).toBe('stolen');
    expect(await subject.other.renew([guess])).toEqual(['stolen']);
    expect(await lock.release()).toBe('released');
  });

  it('CL-X02: is renewed for as long as it is held, and can be extended', async () => {
    const clock = new ManualClock();
    const { driver, renewal } = renewing(subject.driver);
    const timed = serviceOver(driver, { clock, scheduler: clock });
    const lock = await timed.acquire('a', { ttl: 60_000 });
    for (let i = 0; i < 4; i++) {
      const renewed = renewal();
      clock.advance(20_000);
      expect(await renewed).toEqual(['renewed']);
      await settled();
    }
    expect(lock.isHeld()).toBe(true);
    await lock.extend(120_000);
    expect(lock.remaining).toBeGreaterThan(60_000);
    expect(await others.tryAcquire('a')).toBeNull();
    expect(await lock.release()).toBe('released');
    await timed.close();
  });

  it('CL-X03: each grant has a greater token', async () => {
    const tokens: (number | undefined)[] = [];
    for (const service of [locks, others, locks]) {
      await service.using('a', async ({ fencingToken }) => void tokens.push(fencingToken));
    }
    expect(tokens.every((token) => Number.isSafeInteger(token))).toBe(true);
    expect(tokens).toEqual([...new Set(tokens)].sort((x, y) => (x ?? 0) - (y ?? 0)));
  });

  it('CL-X05: a section whose lock was lost fails at its end', async () => {
    const lost = locks.using('a', { ttl: short, extend: false }, (lock) => overdue(lock));
    await expect(lost).rejects.toThrow(LockLostError);
  });

  it('CL-X06: a handle that nobody keeps does not let go of its lock', async () => {
    const { fencingToken } = await locks.acquire('a');
    collectGarbage();
    await new Promise((resolve) => setImmediate(resolve));
    expect((await others.whoHolds('a')).holders).toMatchObject([{ fencingToken }]);
    expect(locks.stats().held).toBe(1);
  });

  it('CL-X08: two backends know nothing of each other', async () => {
    const elsewhere = serviceOver(new MemoryLockDriver());
    const held = [await locks.acquire('a'), await elsewhere.acquire('a')];
    expect(held.map((lock) => lock.isHeld())).toEqual([true, true]);
    expect(await held[1]?.release()).toBe('released');
    expect(await isFree('a')).toBe(false);
    await elsewhere.close();
  });

  it('CL-X07 and CL-11: a nested call is refused, unless it may enter again', async () => {
    await locks.using('a', async () => {
      await expect(locks.acquire('a', { wait: 0 })).rejects.toThrow(LockBusyError);
      expect(await locks.using('a', { reentrant: true }, () => Promise.resolve('inside'))).toBe('inside');
      expect(await isFree('a')).toBe(false);
    });
    expect(await isFree('a')).toBe(true);
  });
});
