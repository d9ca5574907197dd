// The cases of django-cache-lock's suite (CL-01 ...) and those in which it fails (CL-X01 ...), on every driver.
import { MemoryLockDriver } from '../../lib/locks/drivers/memory.lock-driver.js';
import { LockBusyError, LockLostError } from '../../lib/locks/lock.errors.js';
import type { LockService } from '../../lib/locks/lock.service.js';
import type { LockDriverContract, LockDriverSubject } from '../../lib/testing/lock-driver.contract.js';
import { DATABASES } from '../support/databases.js';
import { file } from './subjects/file.js';
import { memcached } from './subjects/memcached.js';
import { redis } from './subjects/redis.js';
import { serviceOver } from './services.js';
import { sql } from './subjects/sql.js';

const memory: LockDriverContract = {
  create: async () => {
    const driver = new MemoryLockDriver();
    return { driver, other: driver, elapse: () => Promise.resolve(), dispose: () => driver.close() };
  },
};
const databases = DATABASES.map((kind) => [`SQL on ${kind}`, sql(kind)] as const);
afterAll(() => Promise.all(databases.map(([, contract]) => contract.drop())));

describe.each([
  ['memory', memory],
  ['redis', redis],
  ['file', file],
  ['memcached', memcached],
  ...databases,
] as const)('CL cases on %s', (_, contract) => {
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
    // Long enough for a process that stands still for a moment.
    const lock = await locks.acquire('a', { ttl: 1_200 });
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    expect(lock.isHeld()).toBe(true);
    await lock.extend(60_000);
    expect(lock.remaining).toBeGreaterThan(10_000);
    expect(await others.tryAcquire('a')).toBeNull();
    expect(await lock.release()).toBe('released');
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

  it('CL-X07 and CL-11: a nested call is refused, unless it may enter again', async () => {
    await locks.using('a', async () => {
      await expect(locks.acquire('a', { wait: 0 })).rejects.toThrow(LockBusyError);
      expect(await locks.using('a', { reentrant: true }, () => Promise.resolve('inside'))).toBe('inside');
      expect(await isFree('a')).toBe(false);
    });
    expect(await isFree('a')).toBe(true);
  });
});
