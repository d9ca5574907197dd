import { judge } from './judge.js';
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
