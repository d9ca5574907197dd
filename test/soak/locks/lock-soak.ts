import { setTimeout as sleep } from 'node:timers/promises';
import { DataSource } from 'typeorm';
import { Random } from '../../differential/random.js';
import { createDatabase } from '../../support/databases.js';
import type { SoakOptions, SoakReport, SoakSuite } from '../soak-suite.js';
import { BACKENDS, type Backend, type BackendKind } from './backends.js';
import { openDriver } from './drivers.js';
import { countOverlaps, judge } from './judge.js';
import type { Attempt, Commit, WorkerConfig } from './protocol.js';
import { Workers } from './workers.js';

const NAMES = ['a', 'b'] as const;
const WAIT_MS = 3_000;
/** Between two troubles. */
const CALM_MS = [100, 600] as const;
const LONGEST_SHIFT_MS = 86_400_000;
/** A server that crashes all the time serves nobody. */
const BETWEEN_CRASHES_MS = 4_000;

type Trouble = 'killed' | 'stopped' | 'crashed' | 'shifted';

export interface LockSoakSettings {
  readonly processes?: number;
  /** `false`: without `fence()`, to show that the soak notices what it prevents. */
  readonly fenced?: boolean;
  readonly blocks?: number;
}

/**
 * Processes that take turns at two locks and count in a database under them, while they are killed, stopped for longer
 * than their leases last, and lied to about the time, and while the server of the locks crashes.
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
    const backend = await this.kind.start();
    try {
      await makeTables(work);
      const workers = new Workers(this.settings.processes ?? 8, (worker): WorkerConfig => {
        const { ttl } = this.kind;
        const { fenced = true, blocks = 0.03 } = this.settings;
        return {
          driver: backend.driver,
          work: database.options,
          worker,
          seed: random.below(2 ** 31),
          ttl,
          wait: WAIT_MS,
          fenced,
          blocks,
        };
      });
      await workers.start();
      const troubles = await this.trouble(workers, backend, random, seconds);
      const failures = [...(await workers.finish()), ...(await this.stuckLocks(backend))];
      return await this.report(work, workers.attempts, troubles, failures);
    } finally {
      await work.destroy();
      await backend.stop();
      await database.drop();
    }
  }

  private async trouble(
    workers: Workers,
    backend: Backend,
    random: Random,
    seconds: number,
  ): Promise<ReadonlyMap<Trouble, number>> {
    const counts = new Map<Trouble, number>();
    const end = performance.now() + seconds * 1_000;
    let crashAt = performance.now() + BETWEEN_CRASHES_MS / 2;
    while (performance.now() < end) {
      await sleep(CALM_MS[0] + random.below(CALM_MS[1] - CALM_MS[0]));
      const victim = random.below(workers.count);
      const trouble = random.weighted<Trouble>([
        [3, 'stopped'],
        [2, 'killed'],
        [1, 'shifted'],
        [backend.restart && performance.now() > crashAt ? 4 : 0, 'crashed'],
      ]);
      counts.set(trouble, (counts.get(trouble) ?? 0) + 1);
      if (trouble === 'stopped') workers.stop(victim, this.kind.ttl * (1.1 + random.next() * 2));
      if (trouble === 'killed') workers.kill(victim);
      if (trouble === 'shifted') {
        workers.tell(victim, { do: 'shift', by: random.below(2 * LONGEST_SHIFT_MS) - LONGEST_SHIFT_MS });
      }
      if (trouble === 'crashed') {
        await backend.restart?.();
        crashAt = performance.now() + BETWEEN_CRASHES_MS;
      }
    }
    return counts;
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
    troubles: ReadonlyMap<Trouble, number>,
    failures: readonly string[],
  ): Promise<SoakReport> {
    const commits = await commitsOf(work);
    const counters = await countersOf(work);
    const { forgets } = this.kind;
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
        'processes killed': troubles.get('killed') ?? 0,
        'processes stopped beyond the ttl': troubles.get('stopped') ?? 0,
        'clocks shifted': troubles.get('shifted') ?? 0,
        'servers crashed': troubles.get('crashed') ?? 0,
      },
      violations: [...failures, ...judge({ attempts, commits, counters, forgets })],
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
