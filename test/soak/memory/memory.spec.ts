import { jest } from '@jest/globals';
import { MemorySoak } from './memory-soak.js';

jest.setTimeout(90_000);

/** The short form; `npm run soak -- memory --seconds 900` is the long one. */
it.each(['allkeys-lru', 'volatile-ttl'] as const)(
  'bounded memory, nothing stale and no reaper, under %s',
  async (policy) => {
    const soak = new MemorySoak({ policy, megabytes: 3, nearBytes: 2 ** 20, most: 82_560 });
    const { figures, violations } = await soak.run({ seconds: 60, seed: 1 });
    expect(violations).toEqual([]);
    const { 'keys stored': keys, 'keys evicted by Redis': evicted, hits } = figures;
    expect(keys).toBe(8_256);
    expect(evicted).toBeGreaterThan(82_560 / 4);
    expect(hits).toBeGreaterThan(0);
  },
);
