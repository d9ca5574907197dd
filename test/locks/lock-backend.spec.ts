import { jest } from '@jest/globals';
import type { LockDriver } from '../../lib/locks/lock-driver.interface.js';
import type { LockHandle } from '../../lib/locks/lock-handle.js';
import { LockFixture, settled, withoutTurns } from './lock-fixture.js';

let fixture: LockFixture;
const open = (...args: ConstructorParameters<typeof LockFixture>): LockFixture =>
  (fixture = new LockFixture(...args));
afterEach(() => fixture.close());

const failed = { code: 'DRIVER' };

describe('a backend that fails', () => {
  it('is an error of tryAcquire', async () => {
    const { locks, chaos } = open();
    chaos.fail('acquire');
    await expect(locks.tryAcquire('a')).rejects.toMatchObject(failed);
    expect(locks.stats()).toMatchObject({ errors: 1, waiting: 0 });
  });

  it('is an error of release, too, when it throws instead of rejecting', async () => {
    const { locks, chaos } = open();
    const lock = await locks.acquire('a');
    jest.spyOn(chaos, 'release').mockImplementationOnce(() => {
      throw new Error('at once');
    });
    await expect(lock.release()).rejects.toMatchObject(failed);
    expect(await lock.release()).toBe('released');
  });

  it('is asked again by acquire, until the time to wait is over', async () => {
    const { locks, chaos } = open();
    chaos.fail('acquireInTurn', 3);
    const lock = locks.acquire('a');
    await fixture.pass(500);
    expect((await lock).isHeld()).toBe(true);
    chaos.fail('acquireInTurn', 100);
    chaos.fail('acquire');
    const outcome = locks.acquire('b').catch((error: unknown) => error);
    await fixture.pass(5_000);
    expect(await outcome).toMatchObject(failed);
  });

  it('does not block a caller by what it had granted before its reply was lost', async () => {
    const { locks, chaos } = open();
    chaos.loseReply('acquireInTurn');
    const lock = locks.acquire('a');
    await fixture.pass(200);
    expect((await lock).isHeld()).toBe(true);
    chaos.loseReply('acquire');
    await expect(locks.tryAcquire('b')).rejects.toMatchObject(failed);
    await settled();
    expect(await locks.tryAcquire('b')).not.toBeNull();
  });

  it('is not waited for without end', async () => {
    const { locks, chaos } = open();
    chaos.hang('acquire');
    const attempt = locks.tryAcquire('a').catch((error: unknown) => error);
    await fixture.pass(1_000);
    expect(await attempt).toMatchObject(failed);
    const lock = await locks.acquire('a');
    chaos.hang('release');
    const release = lock.release().catch((error: unknown) => error);
    await fixture.pass(1_000);
    expect(await release).toMatchObject(failed);
    expect(await lock.release()).toBe('released');
  });

  it('is opened when it is needed, and again when that failed', async () => {
    let opened = 0;
    const { locks, chaos } = open({
      open: async () => {
        if (++opened === 1) throw new Error('not yet');
        return chaos;
      },
    });
    await settled();
    expect(opened).toBe(0);
    await expect(locks.tryAcquire('a')).rejects.toMatchObject(failed);
    expect(await locks.tryAcquire('a')).not.toBeNull();
    expect(await locks.tryAcquire('b')).not.toBeNull();
    expect(opened).toBe(2);
  });

  it('is not waited for without end while it opens, and is used when it has', async () => {
    let finish: (driver: LockDriver) => void = () => undefined;
    const opening = new Promise<LockDriver>((resolve) => (finish = resolve));
    const { locks, chaos } = open({ open: () => opening });
    const impatient = locks.acquire('a', { wait: 3_000 }).catch((error: unknown) => error);
    const none = locks.tryAcquire('a').catch((error: unknown) => error);
    await fixture.pass(1_000);
    expect(await none).toMatchObject(failed);
    await fixture.pass(3_000);
    expect(await impatient).toMatchObject(failed);
    const patient = locks.acquire('a');
    await fixture.pass(2_000);
    finish(chaos);
    await settled();
    expect((await patient).isHeld()).toBe(true);
  });

  it('does not keep the service from closing while it opens, and is closed when it has', async () => {
    let finish: (driver: LockDriver) => void = () => undefined;
    const opening = new Promise<LockDriver>((resolve) => (finish = resolve));
    const { locks, chaos } = open({ open: () => opening });
    const attempt = locks.tryAcquire('a').catch((error: unknown) => error);
    await settled();
    let closed = 0;
    const closing = locks.close();
    await fixture.pass(1_000);
    await closing;
    expect(await attempt).toMatchObject(failed);
    finish(Object.assign(withoutTurns(chaos), { close: async () => void closed++ }));
    await settled();
    expect(closed).toBe(1);
  });

  it('is not opened to be closed, nor after that', async () => {
    let opened = 0;
    const { locks } = open({
      open: async () => {
        opened++;
        throw new Error('never');
      },
    });
    await locks.close();
    await expect(locks.tryAcquire('a')).rejects.toThrow('closed');
    expect(opened).toBe(0);
  });

  it('ends all waiting when it is closed', async () => {
    const { locks } = open();
    await locks.acquire('a');
    const outcome = locks.acquire('a').catch((error: unknown) => error);
    await settled();
    await locks.close();
    expect(await outcome).toMatchObject(failed);
  });
});

describe('a driver that cannot wake up its waiters', () => {
  it('is asked by one waiter of the process only, in the order of the calls', async () => {
    const { locks, chaos } = open({}, withoutTurns);
    const first = await locks.acquire('a');
    const served: number[] = [];
    const waiting = [1, 2, 3, 4].map(async (i) => {
      const lock = await locks.acquire('a');
      served.push(i);
      await settled();
      await lock.release();
    });
    await fixture.pass(2_000);
    const before = chaos.calls.acquire;
    expect(before).toBeLessThan(60);
    await first.release();
    await fixture.pass(100);
    await Promise.all(waiting);
    expect(served).toEqual([1, 2, 3, 4]);
  });

  it('is asked at once when this process has released the lock', async () => {
    const { locks } = open({}, withoutTurns);
    const first = await locks.acquire('a');
    const waiting = locks.acquire('a');
    await fixture.pass(1_000);
    await first.release();
    await settled();
    expect((await waiting).isHeld()).toBe(true);
  });

  it('is asked again after the lock was released elsewhere', async () => {
    const { locks, chaos } = open({}, withoutTurns);
    const request = {
      names: ['a'],
      owner: 'o',
      mode: 'exclusive',
      limit: 1,
      ttl: 60_000,
      metadata: '',
    } as const;
    await chaos.acquire(request);
    const waiting = locks.acquire('a');
    await fixture.pass(1_000);
    await chaos.release(request);
    await fixture.pass(150);
    expect((await waiting).isHeld()).toBe(true);
  });

  it('is waited for as long as the call says, and no longer', async () => {
    const { locks } = open({}, withoutTurns);
    await locks.acquire('a', { ttl: '1m' });
    const [first, second] = [locks.tryAcquire('a', { wait: 300 }), locks.tryAcquire('a', { wait: 300 })];
    await fixture.pass(300);
    expect(await Promise.all([first, second])).toEqual([null, null]);
  });

  it('is left alone when the signal aborts', async () => {
    const { locks, chaos } = open({}, withoutTurns);
    await locks.acquire('a');
    const control = new AbortController();
    const outcomes = [1, 2].map(() =>
      locks.acquire('a', { signal: control.signal }).catch((error: unknown) => error),
    );
    await fixture.pass(100);
    control.abort(new Error('enough'));
    expect(await Promise.all(outcomes)).toEqual([control.signal.reason, control.signal.reason]);
    const { acquire } = chaos.calls;
    await fixture.pass(1_000);
    expect(chaos.calls.acquire).toBe(acquire);
  });

  it('is asked again when it fails or hangs', async () => {
    const { locks, chaos } = open({}, withoutTurns);
    chaos.fail('acquire', 2);
    chaos.hang('acquire');
    const waiting: Promise<LockHandle> = locks.acquire('a');
    await fixture.pass(2_000);
    expect((await waiting).isHeld()).toBe(true);
  });
});
