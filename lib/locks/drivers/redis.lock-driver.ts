import { randomBytes } from 'node:crypto';
import { CacheOpsError } from '../../cacheops.errors.js';
import { type Clock, type Scheduler, systemClock, systemScheduler } from '../../core/clock.js';
import { connectRedis, type RedisConnection, type RedisOption } from '../../drivers/redis.connection.js';
import { type RedisScript, runScript } from '../../drivers/redis.script.js';
import type {
  LockBusy,
  LockDriver,
  LockGrant,
  LockLease,
  LockPatience,
  LockRenewal,
  LockRequest,
  LockState,
  LockTurn,
  ReleaseOutcome,
  RenewOutcome,
} from '../lock-driver.interface.js';
import {
  acquireScript,
  inspectScript,
  NO_CHANNEL,
  type Placing,
  releaseScript,
  renewScript,
} from './redis.lock-scripts.js';
import { RedisWaiter, RedisWaiters } from './redis.waiters.js';
import { WakeUps } from './redis.wake-ups.js';

export interface RedisLockDriverOptions {
  readonly redis: RedisOption;
  /**
   * Put before every key. Default `'cacheops:'`. On a Cluster without a hash tag in it, locks are spread over the
   * slots by their names, and names that are taken together need a hash tag in common (`'{order}:1'`).
   */
  readonly prefix?: string | undefined;
  readonly clock?: Clock | undefined;
  readonly scheduler?: Scheduler | undefined;
}

const DEFAULT_PREFIX = 'cacheops:';

/** Milliseconds between two looks of a waiter that cannot be told, and for how long it is taken for alive. */
const POLL = 50;
const POLLER_LIVES = 1_000;
/** A lease is over when its last millisecond is. */
const AFTER_THE_END = 2;

/**
 * Locks in Redis 6.2+ or Valkey, on one server, behind Sentinels, or on a Cluster. First come first served among all
 * processes. A lock that is released is reserved for the next in line, who alone is told, on the one connection that
 * its process listens on; so a waiter costs a few commands, however long it waits.
 */
export class RedisLockDriver implements LockDriver {
  readonly capabilities = {
    scope: 'shared',
    fencing: true,
    ordering: 'global',
    wakeUp: 'push',
    modes: ['exclusive', 'shared', 'semaphore'],
    resolution: 1,
    serverTime: true,
  } as const;
  readonly #waiters: RedisWaiters;
  readonly #wakeUps: WakeUps;
  readonly #isCluster: boolean;
  #closed = false;

  private constructor(
    private readonly connection: RedisConnection,
    private readonly prefix: string,
    private readonly clock: Clock,
    private readonly scheduler: Scheduler,
  ) {
    this.#isCluster = connection.client.isCluster ?? false;
    this.#waiters = new RedisWaiters(scheduler);
    this.#wakeUps = new WakeUps({
      connect: () => connection.subscriber(),
      channel: `${prefix}lock:${randomBytes(9).toString('base64url')}`,
      scheduler,
      onMessage: (text) => this.#hear(text),
      onChange: () => this.#waiters.wakeAll(),
    });
  }

  /**
   * Waits for the first connection attempt, at most two seconds; a server that is away is no error.
   * @throws CacheOpsConfigError when `redis` is not usable
   */
  static async create(options: RedisLockDriverOptions): Promise<RedisLockDriver> {
    const { redis, prefix = DEFAULT_PREFIX, clock = systemClock, scheduler = systemScheduler } = options;
    return new RedisLockDriver(await connectRedis(redis), prefix, clock, scheduler);
  }

  acquire(request: LockRequest): Promise<LockGrant | LockBusy> {
    return this.#attempt(request, { wait: 0, channel: NO_CHANNEL });
  }

  async acquireInTurn(request: LockRequest, { wait, signal }: LockPatience): Promise<LockTurn | LockBusy> {
    signal?.throwIfAborted();
    const waiter = new RedisWaiter(request.owner, request.names, this.scheduler);
    const wake = (): void => waiter.wake();
    signal?.addEventListener('abort', wake);
    this.#waiters.join(waiter);
    try {
      return await this.#waitInLine(waiter, request, this.clock.monotonic() + wait, signal);
    } finally {
      signal?.removeEventListener('abort', wake);
      this.#waiters.leave(waiter);
    }
  }

  async renew(leases: readonly LockRenewal[]): Promise<readonly RenewOutcome[]> {
    if (leases.length === 0) return [];
    if (!this.#isCluster) return this.#run(renewScript, leases);
    // Names of different leases may be in different slots.
    return (await Promise.all(leases.map((lease) => this.#run(renewScript, [lease])))).flat();
  }

  release(lease: LockLease): Promise<ReleaseOutcome> {
    return this.#run(releaseScript, { lease, countsListeners: !this.#isCluster });
  }

  inspect(name: string): Promise<LockState> {
    return this.#run(inspectScript, name);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#wakeUps.close();
    this.#waiters.wakeAll();
    await this.connection.close();
  }

  async #waitInLine(
    waiter: RedisWaiter,
    request: LockRequest,
    deadline: number,
    signal: AbortSignal | undefined,
  ): Promise<LockTurn | LockBusy> {
    let hasTriedToListen = false;
    for (;;) {
      const since = this.clock.monotonic();
      const attempt = this.#attempt(request, this.#place(deadline - since));
      const reply = await this.#whileWaiting(attempt, deadline, signal);
      if (reply?.granted) return { ...reply, validUntil: since + request.ttl };
      const left = deadline - this.clock.monotonic();
      if (!reply || signal?.aborted || left <= 0 || this.#closed) return this.#giveUp(request, reply, signal);
      if (!this.#wakeUps.isUp && !hasTriedToListen) {
        hasTriedToListen = true;
        await this.#whileWaiting(this.#wakeUps.open(), deadline, signal);
      } else {
        this.#waiters.lookAgain(request.names, (reply.retryAfter ?? 0) + AFTER_THE_END);
        await waiter.sleep(this.#wakeUps.isUp ? left : Math.min(left, POLL * (0.5 + Math.random())));
      }
    }
  }

  /** `<owner>`: it is its turn. `<owner> <ms>`: somebody else's, who has this long to come. */
  #hear(text: string): void {
    const [owner = '', after] = text.split(' ');
    this.#waiters.wake(owner, after === undefined ? undefined : Number(after) + AFTER_THE_END);
  }

  /** Who does not listen has to show again and again that it is still there. */
  #place(left: number): Placing {
    return this.#wakeUps.isUp
      ? { wait: left, channel: this.#wakeUps.channel }
      : { wait: Math.min(left, POLLER_LIVES), channel: NO_CHANNEL };
  }

  /** Leaves the line, and lets go of what may have been granted meanwhile; in the background, nobody waits for it. */
  #giveUp(request: LockRequest, reply: LockBusy | undefined, signal: AbortSignal | undefined): LockBusy {
    this.release(request).catch(() => undefined);
    signal?.throwIfAborted();
    if (this.#closed) throw new CacheOpsError('DRIVER', 'the lock driver was closed');
    return reply ?? { granted: false, retryAfter: undefined };
  }

  /** @returns `undefined` when the time is over or the signal aborts: the server may never answer */
  #whileWaiting<T>(
    work: Promise<T>,
    deadline: number,
    signal: AbortSignal | undefined,
  ): Promise<T | undefined> {
    return new Promise((resolve, reject) => {
      const over = (): void => resolve(undefined);
      const cancel = this.scheduler.schedule(deadline - this.clock.monotonic(), over);
      signal?.addEventListener('abort', over);
      work.then(resolve, reject).finally(() => {
        cancel();
        signal?.removeEventListener('abort', over);
      });
    });
  }

  #attempt(request: LockRequest, placing: Placing): Promise<LockGrant | LockBusy> {
    return this.#run(acquireScript, { request, ...placing, countsListeners: !this.#isCluster, floor: 0 });
  }

  #run<Request, Reply>(script: RedisScript<Request, Reply>, request: Request): Promise<Reply> {
    return runScript(this.connection.client, script, request, this.prefix);
  }
}
