import { setTimeout as sleep } from 'node:timers/promises';
import { DataSource } from 'typeorm';
import { Random } from '../../differential/random.js';
import { createDatabase } from '../../support/databases.js';
import type { SoakOptions, SoakReport, SoakSuite } from '../soak-suite.js';
import { type Backend, BACKENDS, type BackendKind } from './backends.js';
import { openDriver } from './drivers.js';
import { countOverlaps, judge } from './judge.js';
import type { Attempt, Commit, WorkerConfig } from './protocol.js';
import { Troubles } from './troubles.js';
import { Workers } from './workers.js';

const NAMES = ['a', 'b'] as const;
const WAIT_MS = 3_000;

export interface LockSoakSettings {
  readonly processes?: number;
  /** `false`: without `fence()`, to show that the soak notices what it prevents. */
  readonly fenced?: boolean;
  readonly blocks?: number;
}

/**
 * Processes that take turns at two locks and count in a database under them, while they are killed, stopped for longer
 * than their leases last, and lied to about the time, and while the server of the locks crashes and its clock is set.
 */
export class LockSoak implements SoakSuite {
  readonly name: string;

  constructor(
    private readonly kind: BackendKind,
    private readonly settings: LockSoakSettings = {},
  ) {
    this.name = `locks:${kind.name}`;
  }

  async run({ seconds, seed }: SoakOptions): Promise<SoakReport> {
    const random = new Random(seed);
    const database = await createDatabase(this.kind.work);
    const work = await new DataSource(database.options).initialize();
    const backend = await this.kind.start((count) => random.below(count));
    try {
      await makeTables(work);
      const configOf = (worker: number): WorkerConfig => {
        const { ttl } = this.kind;
        const { fenced = true, blocks = 0.03 } = this.settings;
        const seed = random.below(2 ** 31);
        const common = { driver: backend.driver, work: database.options, worker, seed, wait: WAIT_MS };
        return { ...common, ttl, fenced, blocks };
      };
      const workers = new Workers(this.settings.processes ?? 8, configOf, backend.environment);
      await workers.start();
      const troubles = new Troubles(workers, backend, this.kind, random);
      await troubles.make(seconds);
      const failures = [...(await workers.finish()), ...(await this.stuckLocks(backend))];
      return await this.report(work, workers.attempts, troubles, failures);
    } finally {
      await work.destroy();
      await backend.stop();
      await database.drop();
    }
  }

  /** What was left behind has run out after some time. */
  private async stuckLocks(backend: Backend): Promise<string[]> {
    const driver = await openDriver(backend.driver);
    await sleep(this.kind.ttl + driver.capabilities.resolution + 1_000);
    const stuck: string[] = [];
    for (const name of NAMES) {
      const request = {
        names: [name],
        owner: 'end',
        mode: 'exclusive',
        limit: 1,
        ttl: 60_000,
        metadata: '',
      } as const;
      const reply = await driver.acquire(request).catch(() => driver.acquire(request));
      if (!reply.granted) stuck.push(`${name} was not free at the end`);
    }
    await driver.close();
    return stuck;
  }

  private async report(
    work: DataSource,
    attempts: readonly Attempt[],
    { counts, amnesias }: Troubles,
    failures: readonly string[],
  ): Promise<SoakReport> {
    const commits = await commitsOf(work);
    const counters = await countersOf(work);
    const grants = attempts.flatMap(({ grant }) => grant ?? []);
    const late = attempts.map(({ overshoot }) => overshoot);
    const count = (outcome: Attempt['outcome']): number =>
      attempts.filter((attempt) => attempt.outcome === outcome).length;
    return {
      figures: {
        'locks granted': grants.length,
        'sections committed': commits.length,
        'stale sections refused by fence()': grants.filter(({ section }) => section === 'refused').length,
        'locks lost before the end of a section': grants.filter(({ at, heldUntil }) => heldUntil === at)
          .length,
        'believed in by two at once': countOverlaps(attempts),
        'not free within the wait': count('busy'),
        'backend away for the whole wait': count('failed'),
        'longest overshoot of a wait, ms': Math.max(0, ...late).toFixed(0),
        'processes killed': counts.get('killed') ?? 0,
        'processes stopped beyond the ttl': counts.get('stopped') ?? 0,
        'clocks of processes shifted': counts.get('shifted') ?? 0,
        'servers crashed': counts.get('crashed') ?? 0,
        'clocks of servers set': counts.get('set') ?? 0,
      },
      violations: [...failures, ...judge({ attempts, commits, counters, amnesias })],
    };
  }
}

export const lockSoaks: readonly SoakSuite[] = BACKENDS.map((kind) => new LockSoak(kind));

async function makeTables(work: DataSource): Promise<void> {
  const isPostgres = work.options.type === 'postgres';
  const serial = isPostgres ? 'bigserial' : 'bigint AUTO_INCREMENT';
  await work.query(
    `CREATE TABLE soak_commit (seq ${serial} PRIMARY KEY, name varchar(9), token bigint, worker int)`,
  );
  await work.query('CREATE TABLE soak_counter (name varchar(9) PRIMARY KEY, value int)');
  for (const name of NAMES) await work.query(`INSERT INTO soak_counter (name, value) VALUES ('${name}', 0)`);
}

/** Numbers of rows are given under the lock of `fence()`, so they are in the order of the commits of a name. */
async function commitsOf(work: DataSource): Promise<Commit[]> {
  const rows = await work.query<Record<keyof Commit, string>[]>(
    'SELECT name, token, worker FROM soak_commit ORDER BY seq',
  );
  return rows.map(({ name, token, worker }) => ({ name, token: Number(token), worker: Number(worker) }));
}

async function countersOf(work: DataSource): Promise<ReadonlyMap<string, number>> {
  const rows = await work.query<{ name: string; value: number }[]>('SELECT name, value FROM soak_counter');
  return new Map(rows.map(({ name, value }) => [name, value]));
}
