import { hostTime } from '../../../lib/locks/drivers/file.host-process.js';
import { type Acknowledged, judge } from './judge.js';
import { Outages } from './outages.js';
import type { Read } from './protocol.js';

/* Item 0 is on shelf 0, and with version 2 on shelf 1. It was acknowledged at 100 and 200. */
const EVIDENCE = {
  items: 1,
  committed: [
    { item: 0, version: 0, shelf: 0, begun: 0 },
    { item: 0, version: 1, shelf: 0, begun: 90 },
    { item: 0, version: 2, shelf: 1, begun: 190 },
  ],
  acks: [
    { item: 0, version: 1, at: 100 },
    { item: 0, version: 2, at: 200 },
  ],
  bound: 50,
};

const read = (kind: Read['kind'], of: number, from: number, versions: readonly number[], sum = 0): Read => ({
  kind,
  of,
  from,
  to: from + 5,
  seen: versions.map((version) => [0, version]),
  sum,
});

const verdict = (...reads: readonly Read[]) => judge({ ...EVIDENCE, reads });

it.each([
  ['the latest version', read('item', 0, 210, [2])],
  ['a version that is not acknowledged yet', read('item', 0, 195, [2])],
  ['an older one while the newer is not acknowledged', read('item', 0, 199, [1])],
  ['the shelf that it has left', read('shelf', 0, 210, [])],
  ['the shelf that it has left, just before', read('shelf', 0, 199, [1])],
  ['the shelf that it is on', read('shelf', 1, 210, [2])],
  ['a sum', read('sum', 0, 210, [], 2)],
])('accepts %s', (_, good) => {
  expect(verdict(good)).toEqual({ violations: [], behind: 0, worst: 0 });
});

it.each([
  ['an item', read('item', 0, 230, [1])],
  ['a shelf that it has left', read('shelf', 0, 230, [1])],
  ['a shelf that it is on', read('shelf', 1, 230, [])],
  ['a sum', read('sum', 0, 230, [], 1)],
])('counts %s that is behind by less than the bound', (_, late) => {
  const { violations, behind, worst } = verdict(late);
  expect([violations, behind, Math.round(worst)]).toEqual([[], 1, 30]);
});

it.each([
  ['an item', read('item', 0, 260, [1])],
  ['an item that is not there', read('item', 0, 120, [])],
  ['a shelf that it has left', read('shelf', 0, 260, [1])],
  ['a shelf that it is on', read('shelf', 1, 260, [])],
  ['a shelf that it leaves only later', read('shelf', 0, 170, [])],
  ['a version on a shelf where it never was', read('shelf', 1, 120, [1])],
  ['a sum', read('sum', 0, 260, [], 1)],
])('refuses %s that is behind by more', (_, stale) => {
  expect(verdict(stale).violations).toHaveLength(1);
});

describe('a commit that could not be announced', () => {
  const [first, second] = EVIDENCE.acks as [Acknowledged, Acknowledged];
  const due =
    (...acks: readonly Acknowledged[]) =>
    (read: Read) =>
      judge({ ...EVIDENCE, acks, bound: 0, reads: [read] }).violations.length;

  it('may be missed until it is due', () => {
    const verdict = due(first, { ...second, due: 300 });
    expect([verdict(read('item', 0, 299, [1])), verdict(read('item', 0, 301, [1]))]).toEqual([0, 1]);
    expect(verdict(read('item', 0, 199, [0]))).toBe(1);
  });

  it('is seen by whoever has to see a later one, but on the shelf that it has left', () => {
    const verdict = due(first, { ...second, due: 300 }, { item: 0, version: 3, at: 250 });
    expect([verdict(read('item', 0, 251, [2])), verdict(read('sum', 0, 251, [], 2))]).toEqual([1, 1]);
    expect([verdict(read('shelf', 0, 251, [1])), verdict(read('shelf', 0, 301, [1]))]).toEqual([0, 1]);
  });

  it('is due when Redis could be reached for long enough', async () => {
    const outages = new Outages();
    const from = hostTime();
    await outages.during(async () => {
      const began = hostTime();
      while (hostTime() < began + 5);
    });
    const to = hostTime();
    const lost = outages.after(from - 10, 100) - (from - 10) - 100;
    expect(lost).toBeGreaterThanOrEqual(5);
    expect(lost).toBeLessThanOrEqual(to - from);
    expect([outages.after(from - 10, 5), outages.after(to, 100)]).toEqual([from - 5, to + 100]);
  });
});
