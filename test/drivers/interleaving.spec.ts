import { MemoryBackend, RedisBackend } from './interleaving/backends.js';
import { type ExplorableBackend, explore } from './interleaving/explore.js';
import type { Broken, Evictable, Scenario } from './interleaving/world.js';
import { RedisFixture } from './redis-fixture.js';

/*
 * Every order of the steps of two writers and two readers, with a crash of a writer at each step, marks that run out,
 * the eviction of one key, expiry and leases, against the real drivers. INTERLEAVING=full runs the large scenarios against Redis too
 * (minutes instead of seconds).
 */

const FULL = process.env.INTERLEAVING === 'full';
const EVICTABLE: readonly Evictable[] = ['everything', 'table', 'rows', 'registry', 'entry'];

const SAME: Scenario = { shapes: ['a', 'a'], runs: FULL ? [2, 2] : [1, 2], evict: [] };
const DIFFERENT: Scenario = { shapes: ['a', 'b'], runs: FULL ? [2, 2] : [1, 2], evict: [] };
/** States that are tried against Redis in a quick run, chosen at random but always the same. */
const SAMPLE = FULL ? Infinity : 3_000;

async function expectNone(backend: ExplorableBackend, scenario: Scenario, most = Infinity): Promise<void> {
  const { stale, complete, states } = await explore(backend, scenario, most);
  if (FULL) console.log(JSON.stringify(scenario), states);
  expect(stale?.join(' | ')).toBeUndefined();
  expect(complete || states === most).toBe(true);
}

const redis = new RedisFixture();
let redisBackend: RedisBackend;
beforeAll(async () => {
  redisBackend = await RedisBackend.create(redis.client, redis.prefix);
});
afterAll(() => redis.dispose());

const TIMEOUT = FULL ? 3_600_000 : 60_000;

const EXPIRING: Scenario = { ...SAME, runs: FULL ? [2, 2] : [1, 1], expiries: 1 };
const LEASES: Scenario = { ...SAME, runs: FULL ? [1, 2] : [1, 1], leases: true };

const SCENARIOS: readonly [string, Scenario][] = [
  ['readers of one entry', SAME],
  ['readers of two shapes', DIFFERENT],
  ['readers in grace, and expire()', EXPIRING],
  ['readers with leases, of which any may die', LEASES],
  ...EVICTABLE.map((kind): [string, Scenario] => [
    `eviction: ${kind}`,
    { ...SAME, runs: FULL ? [2, 2] : [1, 1], evict: [kind] },
  ]),
];
/** Tried in part only, also in memory. */
const LARGE: readonly [string, Scenario][] = [
  ['readers of two shapes, eviction: registry', { ...DIFFERENT, evict: ['registry'] }],
];

describe('no order of steps serves a stale value', () => {
  it.each(SCENARIOS)('memory, %s', (_, scenario) => expectNone(new MemoryBackend(), scenario), TIMEOUT);
  it.each(LARGE)('memory, %s', (_, scenario) => expectNone(new MemoryBackend(), scenario, SAMPLE), TIMEOUT);
  it.each([...SCENARIOS, ...LARGE])(
    'redis, %s',
    (_, scenario) => expectNone(redisBackend, scenario, SAMPLE),
    TIMEOUT,
  );
});

const BROKEN: readonly [Broken, Scenario][] = [
  ['settleNoMarks', SAME],
  ['noPend', SAME],
  ['missingFresh', SAME],
  ['pinLate', SAME],
  ['softSettle', EXPIRING],
  ['pinLate', LEASES],
  ['settleForgetsTables', { ...DIFFERENT, evict: ['registry'] }],
  ['noTableToken', { ...SAME, evict: ['registry'] }],
  ['refusalIgnored', DIFFERENT],
];

describe('a broken law is found', () => {
  const find = async (backend: ExplorableBackend, scenario: Scenario): Promise<void> => {
    expect((await explore(backend, scenario)).stale).toBeDefined();
  };
  it.each(BROKEN)(
    'memory, %s',
    (broken, scenario) => find(new MemoryBackend(), { ...scenario, broken }),
    TIMEOUT,
  );
  // The last three take half a minute each here.
  it.each(FULL ? BROKEN : BROKEN.slice(0, 5))(
    'redis, %s',
    (broken, scenario) => find(redisBackend, { ...scenario, broken }),
    TIMEOUT,
  );
});
