import { CacheOpsConfigError, CacheOpsError } from '../../cacheops.errors.js';
import { type Clock, type Scheduler, systemClock, systemScheduler } from '../../core/clock.js';
import type { RedisOption } from '../../drivers/redis.connection.js';
import { type Duration, parseTimeout } from '../../options/parse.js';
import type {
  LockBusy,
  LockDriver,
  LockGrant,
  LockHolder,
  LockLease,
  LockRenewal,
  LockRequest,
  LockState,
  ReleaseOutcome,
  RenewOutcome,
} from '../lock-driver.interface.js';
import { Timeouts } from '../timeouts.js';
import { within } from '../within.js';
import { RedisLockDriver } from './redis.lock-driver.js';

export interface RedisQuorumLockDriverOptions {
  /** An odd number of masters, at least three, that fail independently of each other: no replicas of each other. */
  readonly masters: readonly RedisOption[];
  /** Put before every key. Default `'cacheops:'`. */
  readonly prefix?: string | undefined;
  /** For one call of one master; small against every `ttl`, and `locks.timeout` has to hold several. Default `'100ms'`. */
  readonly nodeTimeout?: Duration | undefined;
  readonly clock?: Clock | undefined;
  readonly scheduler?: Scheduler | undefined;
}

type Answer<T> = { readonly node: RedisLockDriver; readonly value: T };

/**
 * Locks that a majority of independent Redis masters has to grant (after Redlock, https://redis.io/docs/latest/develop/use/patterns/distributed-locks/).
 * A minority of them may be away.
 *
 * Two changes to the original. The masters are asked one after the other, always in the same order, and the first that
 * refuses ends the attempt: so of several who ask at the same time one wins, where asking all at once may leave each
 * with a minority. And the greatest token that any of them gave is made known to all of them before the lock counts as
 * granted: two majorities share a master, so that tokens rise, which those of Redlock (random values) do not.
 *
 * What it does not give, see docs/locks.md: a master that comes back without its memory has forgotten its leases.
 */
export class RedisQuorumLockDriver implements LockDriver {
  readonly capabilities = {
    scope: 'shared',
    fencing: true,
    ordering: 'none',
    wakeUp: 'poll',
    // Two majorities of a semaphore need not know of each other's holders.
    modes: ['exclusive'],
    resolution: 1,
    serverTime: true,
  } as const;
  readonly #timeouts: Timeouts;

  private constructor(
    private readonly nodes: readonly RedisLockDriver[],
    private readonly nodeTimeout: number,
    clock: Clock,
    scheduler: Scheduler,
  ) {
    this.#timeouts = new Timeouts(clock, scheduler);
  }

  /**
   * Waits for the first connection attempts, at most two seconds; a master that is away is no error.
   * @throws CacheOpsConfigError when `masters` is not an odd number of at least three, or one of them is not usable
   */
  static async create(options: RedisQuorumLockDriverOptions): Promise<RedisQuorumLockDriver> {
    const {
      masters,
      prefix,
      nodeTimeout = '100ms',
      clock = systemClock,
      scheduler = systemScheduler,
    } = options;
    if (!Array.isArray(masters) || masters.length < 3 || masters.length % 2 === 0) {
      throw new CacheOpsConfigError('masters', 'a list of 3, 5 or 7 Redis servers', masters);
    }
    const timeout = parseTimeout('nodeTimeout', nodeTimeout);
    const opening = (masters as readonly RedisOption[]).map((redis) =>
      RedisLockDriver.create({ redis, prefix, clock, scheduler }),
    );
    return new RedisQuorumLockDriver(await Promise.all(opening), timeout, clock, scheduler);
  }

  async acquire(request: LockRequest): Promise<LockGrant | LockBusy> {
    const granted: Answer<LockGrant>[] = [];
    const failures: unknown[] = [];
    /** They have granted it, or may have. */
    const asked: RedisLockDriver[] = [];
    for (const node of this.nodes) {
      try {
        const value = await this.#call(node.acquire(request));
        if (!value.granted) {
          await this.#giveBack(request, asked);
          return value;
        }
        asked.push(node);
        granted.push({ node, value });
      } catch (error) {
        asked.push(node);
        failures.push(error);
        if (failures.length > this.nodes.length - this.#majority) break;
      }
    }
    const floor = Math.max(...granted.map(({ value }) => value.fencingToken ?? 0), 0);
    const agreed = await this.#agree(request, granted, floor, failures);
    if (agreed >= this.#majority) return { granted: true, fencingToken: floor };
    await this.#giveBack(request, asked);
    throw this.#tooFew(failures);
  }

  async renew(leases: readonly LockRenewal[]): Promise<readonly RenewOutcome[]> {
    if (leases.length === 0) return [];
    const answers = await this.#ask((node) => node.renew(leases));
    return leases.map((_, i) =>
      this.#decide(
        'renewed',
        answers.map(({ value }) => value[i] ?? 'expired'),
      ),
    );
  }

  async release(lease: LockLease): Promise<ReleaseOutcome> {
    const answers = await this.#ask((node) => node.release(lease));
    return this.#decide(
      'released',
      answers.map(({ value }) => value),
    );
  }

  async inspect(name: string): Promise<LockState> {
    const answers = await this.#ask((node) => node.inspect(name));
    const seen = new Map<string, LockHolder[]>();
    for (const holder of answers.flatMap(({ value }) => value.holders)) {
      seen.set(holder.owner, [...(seen.get(holder.owner) ?? []), holder]);
    }
    const holders = [...seen.values()].filter(({ length }) => length >= this.#majority);
    return { holders: holders.map((each) => this.#asMajority(each)), waiting: 0 };
  }

  async close(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.close()));
  }

  get #majority(): number {
    return Math.floor(this.nodes.length / 2) + 1;
  }

  /** @returns how many masters hold the lease under this token, or a greater one of their own */
  async #agree(
    request: LockRequest,
    granted: readonly Answer<LockGrant>[],
    floor: number,
    failures: unknown[],
  ): Promise<number> {
    const replies = await Promise.allSettled(
      granted.map(({ node }) => this.#call(node.acquireFrom(request, floor))),
    );
    for (const reply of replies) if (reply.status === 'rejected') failures.push(reply.reason);
    return replies.filter((reply) => reply.status === 'fulfilled' && reply.value.granted).length;
  }

  /** @throws CacheOpsError `DRIVER` when no majority answers */
  async #ask<T>(call: (node: RedisLockDriver) => Promise<T>): Promise<Answer<T>[]> {
    const replies = await Promise.allSettled(
      this.nodes.map(async (node) => ({ node, value: await this.#call(call(node)) })),
    );
    const answers = replies.flatMap((reply) => (reply.status === 'fulfilled' ? [reply.value] : []));
    if (answers.length >= this.#majority) return answers;
    const failed = replies.filter((reply) => reply.status === 'rejected');
    throw this.#tooFew(failed.map(({ reason }): unknown => reason));
  }

  #decide<T extends string>(
    good: T,
    outcomes: readonly (T | 'expired' | 'stolen')[],
  ): T | 'expired' | 'stolen' {
    if (outcomes.filter((outcome) => outcome === good).length >= this.#majority) return good;
    return outcomes.includes('stolen') ? 'stolen' : 'expired';
  }

  /** A lease is over when no majority has it any more. */
  #asMajority(seen: readonly LockHolder[]): LockHolder {
    const byEnd = [...seen].sort((a, b) => b.remaining - a.remaining);
    const fencingToken = Math.max(...seen.map((holder) => holder.fencingToken ?? 0));
    return { ...(byEnd[this.#majority - 1] as LockHolder), fencingToken };
  }

  /** Waited for: the same owner may ask again at once, and a release that comes after that would end its new lease. */
  async #giveBack(lease: LockLease, nodes: readonly RedisLockDriver[]): Promise<void> {
    await Promise.allSettled(nodes.map((node) => this.#call(node.release(lease))));
  }

  #call<T>(work: Promise<T>): Promise<T> {
    return within(this.#timeouts, this.nodeTimeout, work);
  }

  #tooFew(causes: readonly unknown[]): CacheOpsError {
    const text = `fewer than ${this.#majority} of ${this.nodes.length} Redis masters answered`;
    return new CacheOpsError('DRIVER', text, { cause: new AggregateError(causes) });
  }
}
