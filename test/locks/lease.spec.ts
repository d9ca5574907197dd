import { LockLostError } from '../../lib/locks/lock.errors.js';
import type { LockHandle } from '../../lib/locks/lock-handle.js';
import type { LockEvent } from '../../lib/locks/lock.instrumentation.js';
import { LockFixture, settled } from './lock-fixture.js';

const TTL = 9_000;
const THIRD = TTL / 3;

let fixture: LockFixture;
const uncaught: unknown[] = [];
const note = (error: unknown): void => void uncaught.push(error);
beforeEach(() => {
  fixture = new LockFixture();
  process.on('unhandledRejection', note);
});
afterEach(async () => {
  await fixture.close();
  await settled();
  process.off('unhandledRejection', note);
  expect(uncaught.splice(0)).toEqual([]);
});

const lossOf = ({ signal }: LockHandle): unknown => (signal.aborted ? signal.reason : undefined);

describe('a lease', () => {
  it('is renewed every third of its ttl, for as long as it is held', async () => {
    const lock = await fixture.locks.acquire('a');
    await fixture.pass(10 * TTL);
    expect(lock.isHeld()).toBe(true);
    expect(lock.signal.aborted).toBe(false);
    const { renew } = fixture.chaos.calls;
    expect(renew).toBeGreaterThanOrEqual(30);
    expect(renew).toBeLessThanOrEqual(42);
    await lock.release();
    await fixture.pass(TTL);
    expect(fixture.chaos.calls.renew).toBe(renew);
  });

  it('is renewed in one call with the others that are due', async () => {
    for (const name of ['a', 'b', 'c', 'd']) {
      await fixture.locks.acquire(name);
      fixture.clock.advance(100);
    }
    await fixture.pass(THIRD);
    expect(fixture.chaos.calls.renew).toBe(1);
    await fixture.pass(TTL);
    expect(fixture.locks.stats().held).toBe(4);
  });

  it('is lost after its ttl when it is not to be renewed', async () => {
    const lock = await fixture.locks.acquire('a', { extend: false });
    const { signal } = lock;
    await fixture.pass(TTL - 200);
    expect(signal.aborted).toBe(false);
    await fixture.pass(200);
    expect(lossOf(lock)).toBeInstanceOf(LockLostError);
    expect(signal.reason).toMatchObject({ names: ['a'], reason: 'expired', fencingToken: lock.fencingToken });
    expect(fixture.chaos.calls.renew).toBe(0);
    expect(await lock.release()).toBe('expired');
  });

  it('ends in the belief of its holder before it ends in the backend', async () => {
    const lock = await fixture.locks.acquire('a', { extend: false });
    const remaining = async () => (await fixture.locks.whoHolds('a')).holders[0]?.remaining ?? 0;
    while (lock.isHeld()) {
      expect(await remaining()).toBeGreaterThan(0);
      fixture.clock.advance(1);
    }
    expect(await remaining()).toBeGreaterThan(0);
  });

  it('is lost when the backend has it no more', async () => {
    const lock = await fixture.locks.acquire('a');
    const { owner } = (await fixture.chaos.inspect('a')).holders[0] as { owner: string };
    await fixture.chaos.release({ names: ['a'], owner });
    const thief = await fixture.locks.acquire('a');
    await fixture.pass(THIRD);
    expect(lossOf(lock)).toMatchObject({ reason: 'stolen' });
    expect(await lock.release()).toBe('stolen');
    expect(thief.isHeld()).toBe(true);
  });

  it('counts as one loss, and tells it', async () => {
    const events: LockEvent[] = [];
    fixture.locks.events$.subscribe((event) => events.push(event));
    const lock = await fixture.locks.acquire('a', { extend: false });
    await fixture.pass(TTL);
    await lock.release();
    expect(events.map(({ type }) => type)).toEqual(['acquire', 'lost']);
    expect(fixture.locks.stats()).toMatchObject({ held: 0, lost: 1 });
  });

  it('can be extended, and goes on with the new ttl', async () => {
    const lock = await fixture.locks.acquire('a', { extend: false });
    await fixture.pass(5_000);
    await lock.extend();
    expect(lock.remaining).toBeGreaterThan(8_500);
    await lock.extend('1m');
    await fixture.pass(50_000);
    expect(lock.isHeld()).toBe(true);
    await fixture.pass(10_000);
    await expect(lock.extend()).rejects.toBeInstanceOf(LockLostError);
    await expect(lock.extend(0)).rejects.toMatchObject({ option: 'lock.ttl' });
  });

  it('cannot be extended after its release', async () => {
    const lock = await fixture.locks.acquire('a');
    await lock.release();
    expect(() => lock.assertHeld()).toThrow(LockLostError);
    await expect(lock.extend()).rejects.toMatchObject({ reason: 'released' });
    expect(lock.signal.aborted).toBe(false);
  });
});

describe('a renewal that fails', () => {
  it('is no loss as long as the lease lasts', async () => {
    const lock = await fixture.locks.acquire('a');
    fixture.chaos.fail('renew', 3);
    await fixture.pass(3 * TTL);
    expect(lock.isHeld()).toBe(true);
    expect(fixture.locks.stats().errors).toBe(3);
  });

  it('is a loss when the lease is over', async () => {
    const lock = await fixture.locks.acquire('a');
    fixture.chaos.fail('renew', 100);
    await fixture.pass(TTL - 200);
    expect(lock.isHeld()).toBe(true);
    await fixture.pass(200);
    expect(lossOf(lock)).toMatchObject({ reason: 'expired' });
    const { renew } = fixture.chaos.calls;
    await fixture.pass(TTL);
    expect(fixture.chaos.calls.renew).toBe(renew);
  });

  it('is tried again when the backend hangs, and is a loss in time', async () => {
    const lock = await fixture.locks.acquire('a');
    fixture.chaos.hang('renew', 2);
    await fixture.pass(2 * TTL);
    expect(lock.isHeld()).toBe(true);
    fixture.chaos.hang('renew', 100);
    await fixture.pass(TTL);
    expect(lossOf(lock)).toMatchObject({ reason: 'expired' });
  });

  it('is given back when its reply comes after the loss', async () => {
    const lock = await fixture.locks.acquire('a');
    const barrier = fixture.chaos.hold('renew');
    await fixture.pass(THIRD);
    await barrier.reached;
    fixture.clock.block(TTL - THIRD - 50);
    expect(lock.isHeld()).toBe(false);
    barrier.release();
    await settled();
    expect((await fixture.locks.whoHolds('a')).holders).toEqual([]);
  });

  it('does not disturb a release that was faster', async () => {
    const lock = await fixture.locks.acquire('a');
    const barrier = fixture.chaos.hold('renew');
    await fixture.pass(THIRD);
    await barrier.reached;
    expect(await lock.release()).toBe('released');
    barrier.release();
    await settled();
    expect(lossOf(lock)).toBeUndefined();
    expect(fixture.locks.stats().lost).toBe(0);
  });

  it('does not make a shorter lease of one that was extended meanwhile', async () => {
    const lock = await fixture.locks.acquire('a');
    const barrier = fixture.chaos.hold('renew');
    await fixture.pass(THIRD);
    await barrier.reached;
    const extended = lock.extend('1m');
    barrier.release();
    await extended;
    await fixture.pass(2 * TTL);
    expect(lock.isHeld()).toBe(true);
  });
});

describe('a holder that stood still', () => {
  it('does not believe in its lock, even before any timer has run', async () => {
    const lock = await fixture.locks.acquire('a');
    const { signal } = lock;
    const heard: unknown[] = [];
    signal.addEventListener('abort', () => heard.push(signal.reason));
    fixture.clock.block(TTL);
    expect(signal.aborted).toBe(false);
    expect(lock.isHeld()).toBe(false);
    expect(signal.aborted).toBe(true);
    expect(() => lock.assertHeld()).toThrow(LockLostError);
    expect(heard).toEqual([signal.reason]);
  });

  it('is told by the first timer that runs', async () => {
    const { signal } = await fixture.locks.acquire('a');
    fixture.clock.block(TTL);
    fixture.clock.advance(0);
    expect(signal.reason).toBeInstanceOf(LockLostError);
  });

  it('gets the error at the end of a section that seemed to succeed', async () => {
    const section = async () => {
      fixture.clock.block(TTL);
      return 'done';
    };
    await expect(fixture.locks.using('a', section)).rejects.toBeInstanceOf(LockLostError);
  });

  it('gets the error of the section when that has one', async () => {
    const error = new Error('section');
    const section = async () => {
      fixture.clock.block(TTL);
      throw error;
    };
    await expect(fixture.locks.using('a', section)).rejects.toBe(error);
  });

  it('gets the error at the end of an await using block, unless it has released itself', async () => {
    const lost = await fixture.locks.acquire('a');
    fixture.clock.block(TTL);
    await expect(lost[Symbol.asyncDispose]()).rejects.toBeInstanceOf(LockLostError);
    const told = await fixture.locks.acquire('a');
    fixture.clock.block(TTL);
    expect(await told.release()).toBe('expired');
    await told[Symbol.asyncDispose]();
  });
});
