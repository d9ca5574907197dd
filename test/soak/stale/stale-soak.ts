import { setTimeout as sleep } from 'node:timers/promises';
import { DataSource } from 'typeorm';
import { hostTime } from '../../../lib/locks/drivers/file.host-process.js';
import { outboxEntity } from '../../../lib/typeorm/index.js';
import { Random } from '../../differential/random.js';
import { createDatabase } from '../../support/databases.js';
import type { SoakOptions, SoakReport, SoakSuite } from '../soak-suite.js';
import { Crew, type CrewConfig, type Testimony } from './crew.js';
import { History, Item } from './entities.js';
import { type Acknowledged, type Committed, judge } from './judge.js';
import { Outages } from './outages.js';
import { type Ack, DEATHS, type Death, DEGRADED, ITEMS, SHELVES, type WorkerConfig } from './protocol.js';
import { FaultyProxy } from '../../drivers/faulty-proxy.js';
import { RedisPair } from '../../support/redis-pair.js';

const TIMEOUTS = { read: 150, write: 300, invalidation: 300 };
/** An invalidation is tried twice. */
const LONGER_THAN_ALL_TIMEOUTS_MS = 2 * TIMEOUTS.invalidation + 200;
const PEND_TTL_MS = 5_000;
const MAX_LAG_MS = 1_000;
/** Rows of a writer that died are relayed when they are five seconds old. */
const OUTBOX_MS = 15_000;
/**
 * Milliseconds of a reachable Redis after which the writer of a commit that could not be announced is back, and has told
 * it: its longest pause between two connections (2 s), a cool-down (1 s) and its timeouts.
 */
const BACK_MS = 4_000;
/** If it was killed: the next look at the outbox (1 s) when the row is five seconds old, by whoever is back then. */
const RELAYED_MS = 5_000 + 1_000 + BACK_MS;

const TROUBLES = [
  'Redis restarted empty',
  'Redis stopped',
  'replica promoted',
  'subscribers killed',
  'bus delayed',
  'bus delayed beyond maxLag',
  'reader stopped',
  'writers cut off',
] as const;
type Trouble = (typeof TROUBLES)[number];

interface Scene {
  readonly crew: Crew;
  readonly pair: RedisPair;
  /** The way of the writers. */
  readonly way: FaultyProxy;
  readonly outages: Outages;
  readonly random: Random;
}

export interface StaleSoakSettings {
  readonly mode: WorkerConfig['mode'];
  /** Default: 'fail'. */
  readonly onRedisFailure?: 'degrade';
  /** Processes; default: 4 and 2. */
  readonly readers?: number;
  readonly writers?: number;
  /** Milliseconds between two troubles. */
  readonly calm?: readonly [number, number];
  /** Writers that announce nothing, to show that the soak notices. */
  readonly silent?: boolean;
}

/**
 * Applications on PostgreSQL and Redis that read and write the same rows, while writers are killed between all steps of
 * a commit, and Redis and what leads to it fail in every way. No read may show less than was acknowledged before it
 * began; with a tracked near cache: than was acknowledged `maxLag` before; of commits that went ahead though Redis could
 * not be told: than was acknowledged before their writer was back.
 */
export class StaleSoak implements SoakSuite {
  readonly name: string;

  constructor(private readonly settings: StaleSoakSettings) {
    this.name = `stale:${settings.onRedisFailure ?? settings.mode}`;
  }

  async run({ seconds, seed }: SoakOptions): Promise<SoakReport> {
    const entities = [Item, History, outboxEntity()];
    const database = await createDatabase('postgres', { poolSize: 6 });
    const work = await new DataSource({ ...database.options, entities, synchronize: true }).initialize();
    const pair = new RedisPair();
    const outages = new Outages();
    try {
      await fill(work);
      await pair.start();
      const way = await wayTo(pair);
      const crew = new Crew(this.configOf(database.options, pair, way, seed));
      await crew.start(this.settings.readers ?? 4, this.settings.writers ?? 2);
      await this.trouble({ crew, pair, way, outages, random: new Random(seed) }, seconds);
      await crew.finish(() => this.quiet(work, seconds));
      await way.refuse();
      const survived = this.survivedDeaths(crew, seconds).map((death) => `nobody was killed: ${death}`);
      return await this.report(crew, work, outages, survived);
    } finally {
      await work.destroy();
      await pair.close();
      await database.drop();
    }
  }

  private configOf(database: object, pair: RedisPair, way: FaultyProxy, seed: number): CrewConfig {
    const { mode, onRedisFailure = 'fail', silent = false } = this.settings;
    return {
      seed,
      database: database as WorkerConfig['database'],
      redis: { reader: pair.url, writer: `redis://127.0.0.1:${way.port}` },
      prefix: 'soak:',
      mode,
      onRedisFailure,
      maxLag: MAX_LAG_MS,
      pendTtl: PEND_TTL_MS,
      timeouts: TIMEOUTS,
      silent,
    };
  }

  /** All kinds in turn, each time in another order, and a writer killed beside each. */
  private async trouble(scene: Scene, seconds: number): Promise<void> {
    const { crew, random } = scene;
    const end = hostTime() + seconds * 1_000;
    const { calm = [200, 800] } = this.settings;
    const next = <T>(all: readonly T[]): (() => T) => {
      let left: T[] = [];
      return () => {
        if (left.length === 0) left = [...all];
        return left.splice(random.below(left.length), 1)[0] as T;
      };
    };
    const [trouble, death] = [next<Trouble>(TROUBLES), next(this.deaths)];
    let at = death();
    const isOver = (): boolean =>
      hostTime() > end + (this.survivedDeaths(crew, seconds).length > 0 ? seconds * 2_000 : 0);
    while (!isOver()) {
      await sleep(calm[0] + random.below(calm[1] - calm[0]));
      if (crew.kill(random.below(crew.writers.length), at)) at = death();
      const kind = trouble();
      crew.testimony.count(kind);
      await this.make(kind, scene);
    }
  }

  /** Where nobody was killed though there was time for it: a long run lasts until there is none, or three times as long. */
  private survivedDeaths({ testimony }: Crew, seconds: number): readonly Death[] {
    return seconds < 60 ? [] : this.deaths.filter((death) => !testimony.counts.has(`killed: ${death}`));
  }

  private get deaths(): readonly Death[] {
    return this.degrades ? [...DEATHS, DEGRADED] : DEATHS;
  }

  private get degrades(): boolean {
    return this.settings.onRedisFailure === 'degrade';
  }

  private async make(kind: Trouble, { crew, pair, way, outages, random }: Scene): Promise<void> {
    const away: Partial<Record<Trouble, () => Promise<unknown>>> = {
      'Redis restarted empty': () => pair.restart(),
      'Redis stopped': () => pair.stop(LONGER_THAN_ALL_TIMEOUTS_MS + random.below(500)),
      'replica promoted': () => pair.promote(() => sleep(50 + random.below(200))),
      'writers cut off': async () => {
        await way.refuse();
        await sleep(300 + random.below(1_000));
        await way.listen();
      },
    };
    const outage = away[kind];
    if (outage) await outages.during(outage);
    else if (kind === 'subscribers killed') await pair.killSubscribers();
    else if (kind === 'reader stopped') crew.stop(random.below(crew.readers.length), MAX_LAG_MS * 1.5);
    else {
      const beyond = kind === 'bus delayed beyond maxLag';
      pair.proxy.delay = MAX_LAG_MS * (beyond ? 1.2 : 0.2 + 0.6 * random.next());
      await sleep(pair.proxy.delay + 300);
      pair.proxy.delay = 0;
    }
  }

  /** Until nothing that was said late may still be under way. */
  private async quiet(work: DataSource, seconds: number): Promise<void> {
    if (this.settings.mode === 'tracked') await sleep(MAX_LAG_MS + 500);
    // A short run has no time to see the relay at work.
    const until = hostTime() + (seconds < 30 ? 0 : OUTBOX_MS);
    while (hostTime() < until && (await waiting(work)) > 0) await sleep(200);
    if (seconds >= 30 && (await waiting(work)) > 0) throw new Error('rows were left in the outbox');
  }

  private async report(
    { testimony }: Crew,
    work: DataSource,
    outages: Outages,
    survived: readonly string[],
  ): Promise<SoakReport> {
    const { acks, reads, counts, failures } = testimony;
    const committed = await work.query<Committed[]>('SELECT item, version, shelf, begun FROM history');
    const bound = this.settings.mode === 'tracked' ? MAX_LAG_MS : 0;
    const told = this.degrades ? acks.map((ack) => withDue(ack, testimony, outages)) : acks;
    const { violations } = judge({ items: ITEMS, committed, acks: told, reads, bound });
    const { behind, worst } = judge({ items: ITEMS, committed, acks, reads, bound: Infinity });
    const count = (name: string): number => counts.get(name) ?? 0;
    const deaths = this.deaths.map(
      (death) => [`writers killed, ${death}`, count(`killed: ${death}`)] as const,
    );
    return {
      figures: {
        reads: reads.length,
        'of them near hits': count('nearHits'),
        'of them other hits': count('hits') - count('nearHits'),
        'commits acknowledged': acks.length,
        'commits of writers that died before they said so': committed.length - ITEMS - acks.length,
        'writes refused while Redis was away': count('refused'),
        ...(this.degrades && {
          'commits that could not be announced': acks.filter(({ degraded }) => degraded).length,
          'bound of those, ms': `until the writer is back: ${BACK_MS}, or a relay: ${RELAYED_MS}`,
        }),
        'reads behind, within the bound': behind,
        'worst of them, ms': worst.toFixed(0),
        'bound, ms': bound,
        'reads that failed': failures.filter((failure) => failure.startsWith('a read')).length,
        'stale reads': violations.length,
        ...Object.fromEntries(TROUBLES.map((trouble) => [trouble, count(trouble)])),
        ...Object.fromEntries(deaths),
      },
      violations: [...failures, ...survived, ...violations],
    };
  }
}

export const staleSoaks: readonly SoakSuite[] = [
  new StaleSoak({ mode: 'tracked' }),
  new StaleSoak({ mode: 'checked' }),
  new StaleSoak({ mode: 'off' }),
  new StaleSoak({ mode: 'checked', onRedisFailure: 'degrade' }),
];

function withDue(ack: Ack, { killed, returns }: Testimony, outages: Outages): Acknowledged {
  if (!ack.degraded) return ack;
  const latest = outages.after(ack.at, killed.has(ack.by) ? RELAYED_MS : BACK_MS);
  const backs = returns.filter(({ by, at }) => by === ack.by && at > ack.at);
  return { ...ack, due: Math.min(latest, ...backs.map(({ at }) => at)) };
}

/** A way of its own, on which Redis cannot be reached while it can on others. */
async function wayTo({ proxy }: RedisPair): Promise<FaultyProxy> {
  const way = new FaultyProxy({ host: '127.0.0.1', port: proxy.port });
  await way.listen();
  return way;
}

async function fill(work: DataSource): Promise<void> {
  const items = Array.from({ length: ITEMS }, (_, id) => ({ id, shelf: id % SHELVES, version: 0 }));
  await work.getRepository(Item).insert(items);
  const first = items.map(({ id: item, shelf, version }) => ({ item, shelf, version, begun: 0 }));
  await work.getRepository(History).insert(first);
}

async function waiting(work: DataSource): Promise<number> {
  const [{ count }] = await work.query<[{ count: string }]>('SELECT count(*) AS count FROM cacheops_outbox');
  return Number(count);
}
