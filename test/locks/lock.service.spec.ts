import { CacheOpsConfigError } from '../../lib/cacheops.errors.js';
import { LockBusyError } from '../../lib/locks/lock.errors.js';
import type { LockHandle } from '../../lib/locks/lock-handle.js';
import type { LockEvent } from '../../lib/locks/lock.instrumentation.js';
import type { LockOptions } from '../../lib/locks/lock.options.js';
import { LockFixture, settled, withoutTurns, withTurns } from './lock-fixture.js';

let fixture: LockFixture;
beforeEach(() => {
  fixture = new LockFixture();
});
afterEach(() => fixture.close());

describe('acquire', () => {
  it('gives a handle that knows its names and its token', async () => {
    const first = await fixture.locks.acquire('a');
    expect(first).toMatchObject({ name: 'a', names: ['a'] });
    expect(first.isHeld()).toBe(true);
    expect(first.remaining).toBeGreaterThan(8_000);
    expect(await first.release()).toBe('released');
    expect(first.isHeld()).toBe(false);
    expect(first.remaining).toBe(0);
    const second = await fixture.locks.acquire('a');
    expect(second.fencingToken).toBeGreaterThan(first.fencingToken as number);
  });

  it('takes several names or none, in any order and each once', async () => {
    const both = await fixture.locks.acquire(['b', 'a', 'b']);
    expect(both).toMatchObject({ name: 'a, b', names: ['a', 'b'] });
    expect(await fixture.locks.tryAcquire('a')).toBeNull();
    expect(await fixture.locks.tryAcquire(['b', 'c'])).toBeNull();
    expect(await fixture.locks.tryAcquire('c')).not.toBeNull();
  });

  it('waits for as long as it is told, and says how long it was and may be', async () => {
    await fixture.locks.acquire('a', { ttl: '1m' });
    const outcome = fixture.locks.acquire('a', { wait: '2s' }).catch((error: unknown) => error);
    await settled();
    fixture.clock.advance(1_999);
    await settled();
    expect(fixture.locks.stats().waiting).toBe(1);
    fixture.clock.advance(1);
    const error = (await outcome) as LockBusyError;
    expect(error).toBeInstanceOf(LockBusyError);
    expect(error).toMatchObject({ code: 'LOCK_BUSY', names: ['a'], waited: 2_000 });
    expect(error.retryAfter).toBeGreaterThan(30_000);
    expect(fixture.locks.stats()).toMatchObject({ waiting: 0, busy: 1 });
  });

  it('makes one attempt without wait', async () => {
    await fixture.locks.acquire('a');
    await expect(fixture.locks.acquire('a', { wait: 0 })).rejects.toMatchObject({
      code: 'LOCK_BUSY',
      waited: 0,
    });
  });

  it('serves in the order of the calls', async () => {
    const first = await fixture.locks.acquire('a');
    const served: number[] = [];
    const waiting = [1, 2, 3].map(async (i) => {
      const lock = await fixture.locks.acquire('a');
      served.push(i);
      await lock.release();
    });
    await settled();
    await first.release();
    await Promise.all(waiting);
    expect(served).toEqual([1, 2, 3]);
  });

  it('gives up when its signal aborts, and leaves the line', async () => {
    const held = await fixture.locks.acquire('a');
    const control = new AbortController();
    const outcome = fixture.locks.acquire('a', { signal: control.signal }).catch((error: unknown) => error);
    await settled();
    const reason = new Error('enough');
    control.abort(reason);
    expect(await outcome).toBe(reason);
    expect((await fixture.locks.whoHolds('a')).waiting).toBe(0);
    await held.release();
    expect(await fixture.locks.tryAcquire('a')).not.toBeNull();
  });

  it('does not keep a lock that comes after its signal has aborted', async () => {
    const barrier = fixture.chaos.hold('acquireInTurn');
    const control = new AbortController();
    const outcome = fixture.locks.acquire('a', { signal: control.signal }).catch((error: unknown) => error);
    await barrier.reached;
    control.abort(new Error('enough'));
    barrier.release();
    expect(await outcome).toBe(control.signal.reason);
    expect((await fixture.locks.whoHolds('a')).holders).toEqual([]);
  });

  it('does not give a lock that was over before it was seen', async () => {
    let standStill = (): void => fixture.clock.block(2_000);
    const slow = withTurns(fixture.chaos, async (turn) => {
      const granted = await turn;
      standStill();
      standStill = () => undefined;
      return granted;
    });
    const { locks, clock } = fixture;
    const other = new LockFixture({ open: async () => slow, clock, scheduler: clock });
    const outcome = other.locks.acquire('a', { ttl: 1_000 });
    await fixture.pass(100);
    const lock = await outcome;
    expect(lock.isHeld()).toBe(true);
    expect(await locks.tryAcquire('a')).toBeNull();
    expect(await lock.release()).toBe('released');
    await other.close();
  });
});

describe('shared locks and semaphores', () => {
  it('lets readers in beside readers', async () => {
    const reader = await fixture.locks.acquire('a', { mode: 'shared' });
    expect(await fixture.locks.tryAcquire('a')).toBeNull();
    const other = await fixture.locks.tryAcquire('a', { mode: 'shared' });
    expect(other).not.toBeNull();
    await reader.release();
    await other?.release();
    expect(await fixture.locks.tryAcquire('a')).not.toBeNull();
  });

  it('lets as many in as the limit says', async () => {
    const permits = await Promise.all([1, 2, 3].map(() => fixture.locks.tryAcquire('a', { limit: 2 })));
    expect(permits.map((permit) => permit !== null)).toEqual([true, true, false]);
  });
});

describe('using', () => {
  it('returns what the section returns, and releases', async () => {
    const result = await fixture.locks.using('a', async (lock) => {
      expect(lock.isHeld()).toBe(true);
      expect(await fixture.locks.tryAcquire('a')).toBeNull();
      return 42;
    });
    expect(result).toBe(42);
    expect(await fixture.locks.tryAcquire('a')).not.toBeNull();
  });

  it('releases when the section fails, with its error', async () => {
    const error = new Error('section');
    const section = (): never => {
      throw error;
    };
    await expect(fixture.locks.using('a', { ttl: '1s' }, section)).rejects.toBe(error);
    expect(await fixture.locks.tryAcquire('a')).not.toBeNull();
  });

  it('reports the error of the section, not that of the release', async () => {
    const error = new Error('section');
    fixture.chaos.fail('release');
    await expect(fixture.locks.using('a', () => Promise.reject(error))).rejects.toBe(error);
  });

  it('does not fail because the backend does not answer the release', async () => {
    fixture.chaos.fail('release');
    await expect(fixture.locks.using('a', () => 42)).resolves.toBe(42);
  });

  it('releases at the end of an await using block', async () => {
    const lock = await fixture.locks.acquire('a');
    await lock[Symbol.asyncDispose]();
    expect(await fixture.locks.tryAcquire('a')).not.toBeNull();
  });
});

describe('release', () => {
  it('tells the same again', async () => {
    const lock = await fixture.locks.acquire('a');
    expect(await Promise.all([lock.release(), lock.release()])).toEqual(['released', 'released']);
    expect(fixture.chaos.calls.release).toBe(1);
  });

  it('can be repeated when it failed, and does not take its own first attempt for a loss', async () => {
    const lock = await fixture.locks.acquire('a');
    fixture.chaos.loseReply('release');
    await expect(lock.release()).rejects.toMatchObject({ code: 'DRIVER' });
    expect(lock.isHeld()).toBe(false);
    const thief = await fixture.locks.acquire('a');
    expect(await lock.release()).toBe('released');
    expect(thief.isHeld()).toBe(true);
    expect(fixture.locks.stats().lost).toBe(0);
  });

  it('keeps the lock taken for as long as atLeastFor says', async () => {
    const lock = await fixture.locks.acquire('a', { atLeastFor: '1m' });
    await fixture.pass(10_000);
    expect(await lock.release()).toBe('released');
    await fixture.pass(49_000);
    expect(await fixture.locks.tryAcquire('a')).toBeNull();
    await fixture.pass(1_001);
    expect(await fixture.locks.tryAcquire('a')).not.toBeNull();
  });

  it('waits for the end of the transaction', async () => {
    const ends: (() => void)[] = [];
    const given: unknown[] = [];
    const inTransaction = new LockFixture({
      transactions: { afterEnd: (transaction, task) => (given.push(transaction), ends.push(task), true) },
    });
    const manager = {};
    for (const releaseAfterCommit of [true, manager]) {
      const lock = await inTransaction.locks.acquire('a', { releaseAfterCommit });
      expect(await lock.release()).toBe('deferred');
      expect(lock.isHeld()).toBe(true);
      ends.pop()?.();
      expect(lock.isHeld()).toBe(false);
      await settled();
    }
    expect(given).toEqual([true, manager]);
    const free = await inTransaction.locks.acquire('a');
    expect(await free.release()).toBe('released');
    await inTransaction.close();
  });

  it('does not wait where there is no transaction', async () => {
    const lock = await fixture.locks.acquire('a', { releaseAfterCommit: true });
    expect(await lock.release()).toBe('released');
  });
});

describe('reentrant', () => {
  it('shares the lock that the call is inside of', async () => {
    await fixture.locks.using(['a', 'b'], async (outer) => {
      const inner = await fixture.locks.acquire('a', { reentrant: true, wait: 0 });
      expect(inner.fencingToken).toBe(outer.fencingToken);
      expect(await inner.release()).toBe('released');
      expect([inner.isHeld(), outer.isHeld()]).toEqual([false, true]);
      await fixture.locks.using('b', { reentrant: true, wait: 0 }, (again) => again.assertHeld());
      expect(outer.isHeld()).toBe(true);
    });
    expect(await fixture.locks.tryAcquire('a')).not.toBeNull();
  });

  it('has to be asked for, which the error says', async () => {
    await fixture.locks.using('a', async () => {
      await expect(fixture.locks.acquire('a', { wait: 0 })).rejects.toThrow('reentrant');
    });
  });

  it('is for the calls inside, not for those beside or after', async () => {
    let late: Promise<LockHandle | null> | undefined;
    let release = (): void => undefined;
    const released = new Promise<void>((resolve) => (release = resolve));
    await fixture.locks.using('a', async () => {
      late = released.then(() => fixture.locks.tryAcquire('a', { reentrant: true }));
    });
    const other = await fixture.locks.acquire('a');
    expect(await fixture.locks.tryAcquire('a', { reentrant: true })).toBeNull();
    release();
    expect(await late).toBeNull();
    expect(other.isHeld()).toBe(true);
  });

  it('refuses names of which some are held', async () => {
    await fixture.locks.using('a', async () => {
      const both = fixture.locks.acquire(['a', 'b'], { reentrant: true });
      await expect(both).rejects.toBeInstanceOf(CacheOpsConfigError);
    });
  });
});

describe('what is seen', () => {
  it('tells events', async () => {
    const events: LockEvent[] = [];
    const subscription = fixture.locks.events$.subscribe((event) => events.push(event));
    const lock = await fixture.locks.acquire('a');
    await fixture.locks.tryAcquire('a');
    fixture.clock.advance(100);
    await lock.release();
    subscription.unsubscribe();
    await fixture.locks.acquire('a');
    expect(events).toEqual([
      { type: 'acquire', names: ['a'], waited: 0, fencingToken: lock.fencingToken },
      { type: 'busy', names: ['a'], waited: 0 },
      { type: 'release', names: ['a'], held: 100 },
    ]);
  });

  it('counts', async () => {
    const lock = await fixture.locks.acquire('a');
    const waiting = fixture.locks.acquire('a');
    await settled();
    fixture.clock.advance(70);
    await lock.release();
    await waiting;
    await fixture.locks.tryAcquire('a');
    expect(fixture.locks.stats()).toEqual({
      held: 1,
      waiting: 0,
      acquired: 2,
      busy: 1,
      lost: 0,
      errors: 0,
      waited: { total: 70, longest: 70 },
    });
  });

  it('says who holds a lock, and not by which owner', async () => {
    const { fencingToken } = await fixture.locks.acquire('a', { label: 'nightly report', ttl: '1s' });
    const waiting = fixture.locks.acquire('a', { wait: 100 }).catch(() => undefined);
    await settled();
    const { holders, waiting: count } = await fixture.locks.whoHolds('a');
    expect(count).toBe(1);
    expect(holders).toEqual([
      {
        label: 'nightly report',
        host: expect.any(String),
        pid: process.pid,
        since: new Date(fixture.clock.now()),
        mode: 'exclusive',
        fencingToken,
        remaining: 1_000,
      },
    ]);
    expect(await fixture.locks.whoHolds('b')).toEqual({ holders: [], waiting: 0 });
    fixture.clock.advance(100);
    await waiting;
  });
});

describe('bad input', () => {
  const bad: [string, LockOptions][] = [
    ['lock.ttl', { ttl: 0 }],
    ['lock.ttl', { ttl: -1 }],
    ['lock.ttl', { ttl: 'soon' }],
    ['lock.ttl', { ttl: Infinity }],
    ['lock.wait', { wait: -1 }],
    ['lock.wait', { wait: Number.NaN }],
    ['lock.limit', { limit: 0 }],
    ['lock.limit', { limit: 1.5 }],
    ['lock.mode', { mode: 'exclusive', limit: 2 }],
    ['lock.mode', { mode: 'semaphore' as never }],
    ['lock.signal', { signal: {} as never }],
    ['lock.extend', { extend: 'yes' as never }],
    ['lock.reentrant', { reentrant: 1 as never }],
    ['lock.atLeastFor', { atLeastFor: 0 }],
    ['lock.releaseAfterCommit', { releaseAfterCommit: 'yes' as never }],
    ['lock.label', { label: 'x'.repeat(101) }],
    ['lock.timeout', { timeout: 5 } as never],
  ];
  it.each(bad)('refuses %s of %j', async (option, options) => {
    const error: unknown = await fixture.locks.acquire('a', options).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(CacheOpsConfigError);
    expect(error).toMatchObject({ option });
    await expect(fixture.locks.tryAcquire('a', options)).rejects.toMatchObject({ option });
  });

  it.each([[''], [[]], [['a', '']], [undefined], [null], [7], ['x'.repeat(1_025)]])(
    'refuses %p as a name',
    async (name) => {
      await expect(fixture.locks.acquire(name as string)).rejects.toMatchObject({ option: 'lock.name' });
      await expect(fixture.locks.whoHolds(name as string)).rejects.toMatchObject({ option: 'lock.name' });
    },
  );

  it('refuses what the driver cannot do, at once', async () => {
    const poor = new LockFixture({}, (driver) => ({
      ...withoutTurns(driver),
      capabilities: { ...driver.capabilities, wakeUp: 'poll', modes: ['exclusive'], resolution: 1_000 },
    }));
    await expect(poor.locks.acquire('a', { mode: 'shared' })).rejects.toMatchObject({ option: 'lock.mode' });
    await expect(poor.locks.tryAcquire('a', { ttl: 999 })).rejects.toMatchObject({ option: 'lock.ttl' });
    await poor.close();
  });

  it('refuses entities where there are none', () => {
    expect(() => fixture.locks.forEntity({ id: 1 })).toThrow('No DataSource is observed');
  });
});
