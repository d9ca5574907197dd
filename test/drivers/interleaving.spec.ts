import { explore } from './interleaving/explore.js';
import { MemoryBackend } from './interleaving/memory-backend.js';
import { RedisBackend } from './interleaving/redis-backend.js';
import { type RealBackend, RememberingBackend } from './interleaving/remembering-backend.js';
import type { Broken, Evictable, Scenario } from './interleaving/world.js';
import { RedisFixture } from './redis-fixture.js';

/*
 * Every order of the steps of two writers and two readers, with a crash of a writer at each step, marks that run out,
 * the eviction of one key, expiry and leases, against the real drivers. INTERLEAVING=full does so with more reads, and
 * with marks that run out at every step of every scenario (minutes instead of seconds).
 */

const FULL = process.env.INTERLEAVING === 'full';
const TIMEOUT = FULL ? 3_600_000 : 300_000;
const EVICTABLE: readonly Evictable[] = ['everything', 'table', 'rows', 'registry', 'entry'];

/** One reader reads at least twice: it takes one to store what is stale, and one to be served. */
const SAME: Scenario = { shapes: ['a', 'a'], runs: FULL ? [2, 2] : [1, 2], evict: [], slow: FULL };
const DIFFERENT: Scenario = { ...SAME, shapes: ['a', 'b'] };
const EXPIRING: Scenario = { ...SAME, expiries: 1 };
const LEASES: Scenario = { ...SAME, runs: FULL ? [2, 2] : [1, 1], leases: true, evict: ['lease'] };
/** Two reads of both would be millions of states. */
const LARGE: Scenario = { ...DIFFERENT, runs: [1, 2], evict: ['registry'] };

const SCENARIOS: readonly (readonly [string, Scenario])[] = [
  ['readers of one entry', SAME],
  ['readers of two shapes', DIFFERENT],
  ['writers that know an older registry', { ...DIFFERENT, learn: true, runs: [1, 2] }],
  // In the full form all of them do.
  ...(FULL ? [] : [['marks that run out before any step', { ...SAME, slow: true }] as const]),
  ['readers in grace, and expire()', EXPIRING],
  ['readers with leases, of which any may die or be evicted', LEASES],
  ...EVICTABLE.map((kind) => [`eviction: ${kind}`, { ...SAME, evict: [kind] }] as const),
  ['readers of two shapes, eviction: registry', LARGE],
];

const BROKEN: readonly [Broken, Scenario][] = [
  ['settleNoMarks', SAME],
  ['noPend', SAME],
  ['missingFresh', SAME],
  ['pinLate', SAME],
  ['softSettle', EXPIRING],
  ['pinLate', LEASES],
  ['settleForgetsTables', LARGE],
  ['noTableToken', { ...SAME, evict: ['registry'] }],
  ['refusalIgnored', DIFFERENT],
];

const redis = new RedisFixture();
afterAll(() => redis.dispose());

const DRIVERS: readonly [string, () => Promise<RealBackend>][] = [
  ['memory', async () => new MemoryBackend()],
  ['redis', () => RedisBackend.create(redis.client, redis.prefix)],
];

describe.each(DRIVERS)('%s', (name, connect) => {
  let backend: RememberingBackend;
  beforeAll(async () => {
    backend = new RememberingBackend(await connect());
  });

  it.each(SCENARIOS)(
    'no order of steps serves a stale value: %s',
    async (title, scenario) => {
      const { stale, complete, states } = await explore(backend, scenario);
      if (FULL) process.stdout.write(`${name}, ${title}: ${states} states, ${backend.made} calls so far\n`);
      expect(stale?.join(' | ')).toBeUndefined();
      expect(complete).toBe(true);
    },
    TIMEOUT,
  );

  it.each(BROKEN)(
    'a broken law is found: %s',
    async (broken, scenario) => {
      expect((await explore(backend, { ...scenario, broken })).stale).toBeDefined();
    },
    TIMEOUT,
  );
});
