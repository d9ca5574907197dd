import { NearStore } from '../../lib/near-cache/near-store.js';
import { ManualClock } from '../../lib/testing/manual-clock.js';

const LIFE = 60_000;

function setUp(maxBytes = 1_000_000) {
  const clock = new ManualClock();
  const store = new NearStore(maxBytes, clock);
  const keep = (key: string, tokens = ['*', `k:${key}`], text = key, life = LIFE) =>
    store.keep({ key, payload: Buffer.from(text), stamps: [], life }, store.reserve(tokens));
  const has = (key: string) => store.get(key, clock.monotonic()) !== undefined;
  return { clock, store, keep, has };
}

describe('what is kept', () => {
  it('gives back every byte', () => {
    const { store, keep, clock } = setUp();
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
    store.keep({ key: 'k', payload: bytes, stamps: [], life: LIFE }, store.reserve(['*']));
    expect(store.get('k', clock.monotonic())?.payload()).toEqual(bytes);
    keep('k');
    expect(store.get('k', clock.monotonic())?.payload().toString()).toBe('k');
    expect(store.size).toBe(1);
  });

  it('runs out', () => {
    const { keep, has, clock, store } = setUp();
    keep('k', ['*'], 'v', 100);
    clock.advance(99);
    expect(has('k')).toBe(true);
    clock.advance(1);
    expect(has('k')).toBe(false);
    expect(store.size).toBe(0);
  });

  it('does not keep what has no life left', () => {
    const { keep, has } = setUp();
    keep('k', ['*'], 'v', 0);
    expect(has('k')).toBe(false);
  });
});

describe('what is invalidated', () => {
  it('kills what depends on the token, and nothing else', () => {
    const { store, keep, has } = setUp();
    keep('a', ['*', 'g:x']);
    keep('b', ['*', 'g:y']);
    store.invalidate(['g:x']);
    expect([has('a'), has('b')]).toEqual([false, true]);
  });

  it('kills it after others were found to be alive', () => {
    const { store, keep, has } = setUp();
    keep('a', ['*', 'g:x']);
    keep('b', ['*', 'g:y']);
    store.invalidate(['g:none']);
    expect([has('a'), has('b')]).toEqual([true, true]);
    store.invalidate(['g:x']);
    expect([has('b'), has('b'), has('a')]).toEqual([true, true, false]);
    store.invalidate(['g:y']);
    expect(has('b')).toBe(false);
  });

  it('does not keep under a reservation during which it happened', () => {
    const { store, has } = setUp();
    const reservation = store.reserve(['*', 'g:x']);
    store.invalidate(['g:x']);
    store.keep({ key: 'k', payload: Buffer.from('v'), stamps: [], life: LIFE }, reservation);
    expect(has('k')).toBe(false);
  });

  it('does not keep under a reservation during which everything was forgotten', () => {
    const { store, has } = setUp();
    const reservation = store.reserve(['*']);
    store.clear();
    store.keep({ key: 'k', payload: Buffer.from('v'), stamps: [], life: LIFE }, reservation);
    expect(has('k')).toBe(false);
  });

  it('kills by a text that UTF-8 cannot hold', () => {
    const { store, keep, has } = setUp();
    keep('k', ['*', 'g:\ud800']);
    store.invalidate([Buffer.from('g:\ud800').toString()]);
    expect(has('k')).toBe(false);
  });

  it('keeps what is filled afterwards', () => {
    const { store, keep, has } = setUp();
    keep('k', ['*', 'g:x']);
    store.invalidate(['g:x']);
    keep('k', ['*', 'g:x']);
    expect(has('k')).toBe(true);
  });

  it('costs no more with many entries: they are found dead when asked for', () => {
    const { store, keep, has } = setUp();
    for (let i = 0; i < 500; i++) keep(`k${i}`, ['*', 'g:x']);
    store.invalidate(['g:x']);
    expect(store.size).toBe(500);
    expect(has('k499')).toBe(false);
    expect(store.size).toBe(499);
  });
});

describe('bounds', () => {
  it('never takes more than its budget, through keys and tokens that never repeat', () => {
    const { store, keep } = setUp(100_000);
    for (let i = 0; i < 5_000; i++) {
      keep(`k${i}`, ['*', `g:${i}`, `g:${i + 1}`], 'v'.repeat(i % 300));
      expect(store.bytes).toBeLessThanOrEqual(100_000);
    }
    expect(store.evictions).toBeGreaterThan(4_000);
    expect(store.tokens).toBeLessThan(2 * store.size + 3);
  });

  it('forgets tokens that nothing looks at any more', () => {
    const { store, keep } = setUp();
    store.release(store.reserve(['*', 'g:x']));
    expect(store.tokens).toBe(0);
    keep('k', ['*', 'g:x']);
    store.delete('k');
    expect(store.tokens).toBe(0);
    keep('k', ['*', 'g:x']);
    store.invalidate(['g:x']);
    expect(store.get('k', 0)).toBeUndefined();
    expect(store.tokens).toBe(0);
  });

  it('makes room for the form that an entry is opened to', () => {
    const { store, keep, clock } = setUp(10_000);
    for (let i = 0; i < 5; i++) keep(`k${i}`);
    store.get('k4', clock.monotonic())?.open({ bytes: 9_000 });
    expect(store.bytes).toBeLessThanOrEqual(10_000);
    expect(store.size).toBe(1);
  });

  it('does not keep what is larger than the budget', () => {
    const { store, keep, has } = setUp(10_000);
    keep('k');
    keep('k', ['*'], 'v'.repeat(10_000));
    expect(has('k')).toBe(false);
    expect(store.bytes).toBe(0);
  });

  it('keeps what is read through a scan of many keys', () => {
    const { keep, has } = setUp(100_000);
    const hot = Array.from({ length: 20 }, (_, i) => `hot${i}`);
    for (const key of hot) keep(key);
    for (const key of hot) has(key);
    for (let i = 0; i < 5_000; i++) keep(`scan${i}`);
    expect(hot.filter(has)).toEqual(hot);
  });
});
