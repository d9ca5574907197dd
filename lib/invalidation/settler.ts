import { systemClock } from '../core/clock.js';
import type { Instrumentation } from '../core/instrumentation.js';
import { tableToken, type Token } from '../core/token.js';
import { within } from '../core/within.js';
import type { CacheDriver } from '../drivers/cache-driver.interface.js';

export interface SettlerSettings {
  /** Milliseconds a writer's marks live if it never settles: longer than a COMMIT can take. */
  readonly pendTtl: number;
  /** Milliseconds by which a replica that loads read from may be behind: for so long after a change nothing is stored. */
  readonly replicaLag?: number;
  /** Milliseconds that a writer waits at most when its marks may be lost; 2,000 by default. */
  readonly settleTimeout?: number;
}

/** Marks that are set; `settle` must follow, whatever became of the commit. */
export interface Pending {
  /** `undefined`: the marks could not be set; the tokens are restamped after the commit instead. */
  readonly writer: string | undefined;
  readonly tokens: readonly Token[];
  readonly tables: readonly string[];
  readonly moment: Moment;
}

/** Before the marks were sent. */
export interface Moment {
  /** Monotonic milliseconds. */
  readonly at: number;
  /** How often the backend had gone away. */
  readonly outages: number;
}

const SETTLE_TIMEOUT = 2_000;
/** Milliseconds in which no server can die, be replaced and be filled again. */
const QUICK = 10;

/** The second phase: what becomes of marks once the commit is through. */
export class Settler {
  private readonly settling = new Set<Promise<void>>();

  constructor(
    private readonly driver: CacheDriver,
    private readonly instrumentation: Instrumentation,
    private readonly settings: SettlerSettings,
  ) {}

  /** To be taken before marks are sent. */
  moment(): Moment {
    return { at: systemClock.monotonic(), outages: this.driver.outages?.count ?? 0 };
  }

  /**
   * Takes the marks away. Nobody waits for that: while they are there, they keep readers away. But if the backend was
   * away since they were set, they may be lost, and others may have filled again with what was there before the commit:
   *
   *     W pends | Redis restarts empty | R fills with the old row | W commits | W settles, and only now says so
   *
   * A process that stood still meanwhile hears of its commit and of the connection that has broken in the same turn, in
   * any order. So after a commit that was not quick it listens for as many turns as the end of a connection takes.
   *
   * @param delivered told when the backend has it; not at all when it could not be told
   * @returns what a writer has to wait for before it says that it has committed; `undefined`: nothing
   */
  settle(pending: Pending, delivered?: () => void): Promise<void> | undefined {
    if (systemClock.monotonic() - pending.moment.at < QUICK) return this.conclude(pending, delivered);
    const concluded = turn()
      .then(turn)
      .then(turn)
      .then(() => this.conclude(pending, delivered));
    this.keep(concluded);
    return concluded;
  }

  /** Tells the backend that it is over. */
  finish({ writer, tokens, tables }: Pending): Promise<void> {
    return writer === undefined
      ? this.driver.restamp(tokens)
      : this.driver.settle({ writer, tokens, tables });
  }

  /** Waits for the settles under way; for shutdown. */
  async drain(): Promise<void> {
    while (this.settling.size > 0) await Promise.all(this.settling);
  }

  private conclude(pending: Pending, delivered?: () => void): Promise<void> | undefined {
    const isLost = pending.writer !== undefined && pending.moment.outages !== this.moment().outages;
    const { replicaLag } = this.settings;
    const marks = isLost && replicaLag ? withTables(pending) : pending;
    const again = (): Promise<void> => (replicaLag ? this.markAgain(marks) : this.finish(marks));
    const marked = isLost && replicaLag ? again() : undefined;
    const finished = replicaLag ? this.caughtUp(marks).then(() => this.finish(marks)) : this.finish(marks);
    const told = delivered ? finished.then(delivered) : finished;
    this.keep(told);
    return isLost ? this.patiently(marked ?? finished, again) : undefined;
  }

  /**
   * Waits until the replicas have what was committed: until then the marks keep their readers from storing. What could
   * not be marked is made stale now, and once more after the wait.
   */
  private async caughtUp({ writer, tokens }: Pending): Promise<void> {
    if (writer === undefined) await this.driver.restamp(tokens).catch(() => undefined);
    await new Promise<void>((resolve) => {
      setTimeout(resolve, this.settings.replicaLag).unref();
    });
  }

  private async markAgain({ writer = '', tokens }: Pending): Promise<void> {
    const { pendTtl, replicaLag = 0 } = this.settings;
    await this.driver.pend({ writer, tokens, registries: new Map(), ttl: pendTtl + replicaLag });
  }

  /** What cannot be told is told again when the backend is back; but nobody waits for ever. */
  private async patiently(told: Promise<void>, again: () => Promise<void>): Promise<void> {
    const { settleTimeout = SETTLE_TIMEOUT } = this.settings;
    const delivered = told.catch(() => this.driver.outages?.over().then(again)).catch(() => undefined);
    await within(delivered, settleTimeout, () => undefined);
  }

  private keep(work: Promise<void>): void {
    const kept = work.then(
      () => void this.settling.delete(kept),
      (error: unknown) => {
        this.settling.delete(kept);
        this.instrumentation.error('settle', error);
      },
    );
    this.settling.add(kept);
  }
}

/** Marks that stand for readers of any shape: a server that has lost the registries may know others by now. */
function withTables(pending: Pending): Pending {
  return { ...pending, tokens: [...new Set([...pending.tokens, ...pending.tables.map(tableToken)])] };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
