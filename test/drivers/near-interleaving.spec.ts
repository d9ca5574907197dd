import type { HeldBus } from '../near/held-bus.js';
import { BACKENDS, type TestBackend } from '../near/backends.js';
import { ManualClock } from '../../lib/testing/manual-clock.js';
import { SharedBus } from '../../lib/drivers/shared-bus.js';
import { exploreNear } from './interleaving/explore-near.js';
import {
  type BrokenNear,
  NEAR_MARK_TTL,
  NO_LAG,
  type NearBackend,
  type NearScenario,
} from './interleaving/near-world.js';

/*
 * Every order of the steps of writers and of readers with near caches, down to the arrival of single messages and
 * replies, with a crash of a writer at each step, marks that run out and a bus that is lost. INTERLEAVING=full runs the
 * large scenarios, and all of them against Redis.
 */

const FULL = process.env.INTERLEAVING === 'full';
const TIMEOUT = FULL ? 3_600_000 : 60_000;
const ONE_READER: NearScenario = { readers: 1, runs: 2, writers: 1, losses: 1, crashes: true };
const SCENARIOS: readonly [string, NearScenario][] = [
  ['one reader, and the bus is lost', ONE_READER],
  ['two readers', { readers: 2, runs: 2, writers: 1, losses: 0, crashes: FULL }],
  ['two writers', { readers: 1, runs: 2, writers: 2, losses: 0, crashes: FULL }],
];
const BARRIER = 'g:barrier';

describe.each(BACKENDS)('near caches on %s', (name, createBackend) => {
  let backend: TestBackend;
  let shared: SharedBus;
  let near: NearBackend;
  /** States that are tried in a quick run. */
  const SAMPLE = FULL ? Infinity : name === 'redis' ? 100 : 2_000;

  beforeAll(async () => {
    backend = await createBackend(new ManualClock());
    shared = new SharedBus(backend.driver);
    // Holds the one subscription while worlds come and go.
    const joined = new Promise<void>((resolve) => {
      const listener = { joined: resolve, invalidated: () => undefined, lost: () => undefined };
      shared.openBus(listener, { maxLag: NO_LAG });
    });
    await joined;
    near = {
      driver: backend.driver,
      buses: shared,
      told,
      expireMarks: () => backend.pass(NEAR_MARK_TTL + 1),
    };
  });
  afterAll(() => backend.dispose());

  const fresh = async (): Promise<NearBackend> => {
    await backend.reset();
    return near;
  };
  const find = (scenario: NearScenario, most = Infinity) => exploreNear(fresh, scenario, most);

  it.each(SCENARIOS)(
    'serve nothing that they were told is stale: %s',
    async (_, scenario) => {
      const { stale, complete, states } = await find(scenario, SAMPLE);
      if (FULL) console.log(name, JSON.stringify(scenario), states);
      expect(stale?.join(' | ')).toBeUndefined();
      expect(complete || states === SAMPLE).toBe(true);
    },
    TIMEOUT,
  );

  it.each<[BrokenNear, NearScenario]>([
    ['overtakenKept', ONE_READER],
    ['lossIgnored', ONE_READER],
    ['silentSettle', ONE_READER],
  ])(
    'a broken law is found: %s',
    async (broken, scenario) => {
      expect((await find({ ...scenario, broken })).stale).toBeDefined();
    },
    TIMEOUT,
  );
});

/** On Redis messages take their time: the one that is sent now comes after all others. */
async function told(this: NearBackend, buses: readonly HeldBus[]): Promise<void> {
  const arrived = buses.map((bus) => bus.tells(BARRIER));
  await this.driver.restamp([BARRIER]);
  await Promise.all(arrived);
  for (const bus of buses) bus.forget(BARRIER);
}
