import { testGlobals } from '../globals.js';
import type { LockHarness } from './harness.js';

/** Names that a careless driver mixes up, shortens or cannot store. */
const ALIKE = [
  'a',
  'A',
  'a ',
  ' a',
  'a:b',
  'a/b',
  'a\\b',
  '{a}',
  '{}',
  '}{',
  'a}b',
  "a'b",
  'a"b',
  'a\nb',
  'a\u0000b',
  'ä',
  'a\u0308',
  '锁',
  '🔒',
  '.',
  '..',
  '%61',
  '-'.repeat(1024),
  `${'-'.repeat(1023)}+`,
];

export function acquireContract(harness: LockHarness): void {
  const { it, expect } = testGlobals();

  it('grants a free name, and refuses it to others as long as it is held', async () => {
    const lease = await harness.hold('a');
    expect((await harness.try('a')).granted).toBe(false);
    expect((await harness.try('b')).granted).toBe(true);
    expect(await harness.driver.release(lease)).toBe('released');
    expect((await harness.try('a')).granted).toBe(true);
  });

  it('says for how long the name is held at most, if it knows', async () => {
    await harness.hold('a', { ttl: 10_000 });
    const reply = await harness.try('a');
    const retryAfter = reply.granted ? NaN : (reply.retryAfter ?? 10_000);
    expect(retryAfter > 5_000 && retryAfter <= 10_000 + harness.driver.capabilities.resolution).toBe(true);
  });

  it('lets one of many attempts at the same time win', async () => {
    const replies = await Promise.all(
      Array.from({ length: 8 }, (_, i) =>
        (i % 2 ? harness.driver : harness.other).acquire(harness.request('a')),
      ),
    );
    expect(replies.filter(({ granted }) => granted).length).toBe(1);
  });

  it('keeps names apart that look alike', async () => {
    for (const name of ALIKE) await harness.hold(name);
    for (const name of ALIKE) expect((await harness.try(name)).granted).toBe(false);
  });

  it('lets a lease run out', async () => {
    const lease = await harness.hold('a', { ttl: harness.short });
    await harness.expire();
    expect(await harness.isFree('a')).toBe(true);
    expect((await harness.try('a')).granted).toBe(true);
    expect(await harness.driver.release(lease)).toBe('stolen');
  });

  it('starts the lease anew for an owner that has it already, and keeps the token', async () => {
    const request = harness.request('a');
    const first = await harness.driver.acquire(request);
    const again = await harness.driver.acquire({ ...request, ttl: harness.short });
    expect(again).toEqual(first);
    await harness.expire();
    expect((await harness.try('a')).granted).toBe(true);
  });
}

export function namesContract(harness: LockHarness): void {
  const { it, expect } = testGlobals();

  it('takes several names or none', async () => {
    const b = await harness.hold('b');
    expect((await harness.try(['a', 'b', 'c'])).granted).toBe(false);
    for (const name of ['a', 'c']) expect(await harness.isFree(name)).toBe(true);
    await harness.driver.release(b);
    const all = await harness.hold(['a', 'b', 'c']);
    for (const name of ['a', 'b', 'c']) expect((await harness.try(name)).granted).toBe(false);
    expect(await harness.driver.release(all)).toBe('released');
    for (const name of ['a', 'b', 'c']) expect(await harness.isFree(name)).toBe(true);
  });

  it('lets one of two overlapping attempts win, never neither', async () => {
    for (let round = 0; round < 10; round++) {
      const requests = [harness.request(['a', 'b']), harness.request(['b', 'c'])] as const;
      const [first, second] = await Promise.all([
        harness.driver.acquire(requests[0]),
        harness.other.acquire(requests[1]),
      ]);
      expect([first.granted, second.granted].filter(Boolean).length).toBe(1);
      await harness.driver.release(requests[first.granted ? 0 : 1]);
    }
  });
}

export function fencingContract(harness: LockHarness): void {
  const { it, expect } = testGlobals();

  it('gives tokens that rise with every grant of a name, if it gives any', async () => {
    const tokens: number[] = [];
    for (const names of ['a', ['a', 'b'], 'b', ['b', 'c'], 'a', 'c', ['a', 'b', 'c'], 'a']) {
      const lease = await harness.hold(names);
      tokens.push(lease.token);
      await harness.driver.release(lease);
    }
    if (!harness.driver.capabilities.fencing) return expect(tokens.every((token) => token === 0)).toBe(true);
    const byName = { a: [0, 1, 4, 6, 7], b: [1, 2, 3, 6], c: [3, 5, 6] };
    for (const positions of Object.values(byName)) {
      const seen = positions.map((at) => tokens[at] as number);
      expect(seen).toEqual([...new Set(seen)].sort((x, y) => x - y));
    }
    expect(tokens.every((token) => Number.isSafeInteger(token) && token > 0)).toBe(true);
  });

  it('gives a greater token after a lease that ran out', async () => {
    const { token } = await harness.hold('a', { ttl: harness.short });
    await harness.expire();
    const next = await harness.hold('a');
    expect(next.token > token).toBe(harness.driver.capabilities.fencing);
  });
}

export function modesContract(harness: LockHarness): void {
  const { it, expect } = testGlobals();

  it('lets readers in together, and keeps writers apart from them', async () => {
    if (!harness.supports('shared')) return;
    const readers = [
      await harness.hold('a', { mode: 'shared' }),
      await harness.hold('a', { mode: 'shared' }),
    ];
    expect((await harness.try('a')).granted).toBe(false);
    for (const reader of readers) await harness.driver.release(reader);
    const writer = await harness.hold('a');
    expect((await harness.try('a', { mode: 'shared' })).granted).toBe(false);
    await harness.driver.release(writer);
    expect((await harness.try('a', { mode: 'shared' })).granted).toBe(true);
  });

  it('lets as many into a semaphore as its limit says', async () => {
    if (!harness.supports('semaphore')) return;
    const permit = { mode: 'semaphore', limit: 3 } as const;
    const held = [];
    for (let i = 0; i < 3; i++) held.push(await harness.hold('a', permit));
    expect((await harness.try('a', permit)).granted).toBe(false);
    expect((await harness.try('a')).granted).toBe(false);
    expect((await harness.try('b', permit)).granted).toBe(true);
    await harness.driver.release(held[1] as (typeof held)[number]);
    expect((await harness.try('a', permit)).granted).toBe(true);
    expect((await harness.try('a', permit)).granted).toBe(false);
  });

  it('frees the place of a holder whose lease ran out, and of no other', async () => {
    if (!harness.supports('semaphore')) return;
    const permit = { mode: 'semaphore', limit: 2 } as const;
    await harness.hold('a', { ...permit, ttl: harness.short });
    await harness.hold('a', permit);
    await harness.expire();
    expect((await harness.try('a', permit)).granted).toBe(true);
    expect((await harness.try('a', permit)).granted).toBe(false);
  });

  it('names its modes, with exclusive among them', async () => {
    expect(harness.supports('exclusive')).toBe(true);
  });
}
