import { jest } from '@jest/globals';
import { StaleSoak } from './stale-soak.js';

jest.setTimeout(90_000);

/** The short form; `npm run soak -- stale` is the long one. */
it('no read is behind, whatever happens to processes and Redis, for a moment', async () => {
  const soak = new StaleSoak({ mode: 'tracked', readers: 2, calm: [20, 60] });
  const { figures, violations } = await soak.run({ seconds: 5, seed: 1 });
  expect(violations).toEqual([]);
  expect(figures['of them near hits']).toBeGreaterThan(0);
  expect(figures['of them other hits']).toBeGreaterThan(0);
  expect(figures['commits acknowledged']).toBeGreaterThan(0);
});

it('what goes ahead while Redis is away is seen in time when it is back', async () => {
  const soak = new StaleSoak({ mode: 'checked', onRedisFailure: 'degrade', readers: 2, calm: [20, 60] });
  const { figures, violations } = await soak.run({ seconds: 5, seed: 1 });
  expect(violations).toEqual([]);
  expect(figures['writes refused while Redis was away']).toBe(0);
  expect(figures['commits that could not be announced']).toBeGreaterThan(0);
  expect(figures['of them other hits']).toBeGreaterThan(0);
});

it('notices writers that announce nothing', async () => {
  const silent = new StaleSoak({
    mode: 'checked',
    silent: true,
    readers: 1,
    writers: 1,
    calm: [1_500, 1_501],
  });
  expect((await silent.run({ seconds: 1, seed: 1 })).violations).not.toEqual([]);
});
