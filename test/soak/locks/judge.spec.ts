import { countOverlaps, type Evidence, judge, PATIENCE_MS } from './judge.js';
import type { Attempt, Commit, Grant } from './protocol.js';

const grant = (
  asked: number,
  at: number,
  heldUntil: number,
  token: number,
  more: Partial<Attempt> = {},
): Attempt => {
  const section: Grant['section'] = 'committed';
  const granted: Grant = { token, at, heldUntil, section };
  return { worker: 1, names: ['a'], asked, overshoot: 0, outcome: 'granted', grant: granted, ...more };
};
const commit = (token: number, name = 'a'): Commit => ({ name, token, worker: 1 });
const evidence = (more: Partial<Evidence>): Evidence => {
  const commits = more.commits ?? [];
  const counters = new Map([['a', commits.length]]);
  return { attempts: [], commits, counters, amnesias: [], ...more };
};

describe('the judge of the lock soak', () => {
  it('finds nothing wrong with sections one after the other', () => {
    const attempts = [grant(0, 10, 20, 1), grant(5, 21, 30, 2), grant(31, 32, 32, 3)];
    expect(judge(evidence({ attempts, commits: [commit(1), commit(2), commit(3)] }))).toEqual([]);
  });

  it.each([[[2, 1]], [[1, 3, 3]]])('refuses commits with the tokens %p', (tokens) => {
    expect(judge(evidence({ commits: tokens.map((token) => commit(token)) }))).toHaveLength(1);
  });

  it('misses an update that was lost', () => {
    const counters = new Map([['a', 1]]);
    expect(judge(evidence({ commits: [commit(1), commit(2)], counters }))).toEqual([
      'a: 2 sections have committed, but only 1 were counted',
    ]);
  });

  it('refuses a token that is not greater than one that was there before the lock was asked for', () => {
    const before = grant(0, 1, 2, 7);
    expect(judge(evidence({ attempts: [before, grant(3, 4, 5, 6)] }))).toHaveLength(1);
    expect(judge(evidence({ attempts: [before, grant(0, 4, 5, 6)] }))).toEqual([]);
    expect(judge(evidence({ attempts: [before, grant(0, 4, 5, 7)] }))).toEqual([
      'a: a token was given twice',
    ]);
  });

  it('sees two who believe to hold a lock, unless the backend forgot the first, and only of one name', () => {
    const attempts = [grant(0, 10, 50, 1), grant(0, 20, 21, 2), grant(0, 30, 31, 3)];
    expect(judge(evidence({ attempts }))).toHaveLength(2);
    expect(judge(evidence({ attempts, amnesias: [{ from: 15, to: 60 }] }))).toEqual([]);
    for (const [from, to] of [
      [0, 9],
      [51, 60],
      [15, 49],
    ] as const) {
      expect(judge(evidence({ attempts, amnesias: [{ from, to }] }))).toHaveLength(2);
    }
    expect(countOverlaps(attempts)).toBe(2);
    const apart = attempts.map((attempt, i) => ({ ...attempt, names: [`${i}`] }));
    expect(judge(evidence({ attempts: apart }))).toEqual([]);
  });

  it('sees a waiter that slept past its bound', () => {
    const late = { ...grant(0, 1, 2, 3), overshoot: PATIENCE_MS + 1 };
    expect(judge(evidence({ attempts: [late] }))).toHaveLength(1);
  });

  it('reports what failed in a section', () => {
    const failed = grant(0, 1, 2, 3);
    const attempts = [{ ...failed, grant: { ...(failed.grant as Grant), section: { failure: 'deadlock' } } }];
    expect(judge(evidence({ attempts }))).toEqual(['worker 1, section: deadlock']);
  });
});
