import { randomBytes } from 'node:crypto';
import { CacheOpsError } from '../../cacheops.errors.js';
import { type Clock, type Scheduler, systemClock, systemScheduler } from '../../core/clock.js';
import { RedisCalls } from '../../drivers/redis.calls.js';
import { connectRedis, type RedisConnection, type RedisOption } from '../../drivers/redis.connection.js';
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
import { IdleNames, type Taker } from './redis.idle-names.js';
import { type AcquireGrant, type AcquireRefusal, acquireScript, type Placing } from './redis.lock-acquire.js';
import { NO_CHANNEL } from './redis.lock-layout.js';
import {
  inspectScript,
  releaseScript,
  releaseUnwantedScript,
  renewScript,
} from './redis.lock-lease-scripts.js';
import { Timeouts } from '../timeouts.js';
import { unlessOver } from '../within.js';
import { RedisWaiter, RedisWaiters } from './redis.waiters.js';
import { WakeUps } from './wake-ups.js';

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
  readonly #idle = new IdleNames();
  readonly #calls: RedisCalls;
  readonly #timeouts: Timeouts;
  #closed = false;

  private constructor(
    private readonly connection: RedisConnection,
    prefix: string,
    private readonly clock: Clock,
    scheduler: Scheduler,
  ) {
    this.#calls = new RedisCalls(connection, prefix);
    this.#isCluster = connection.client.isCluster ?? false;
    this.#timeouts = new Timeouts(clock, scheduler);
    this.#waiters = new RedisWaiters(this.#timeouts);
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
    return this.acquireFrom(request, 0);
  }

  /** @internal As `acquire`, with a token that is not less than `floor`; also of an owner that has the names already. */
  async acquireFrom(request: LockRequest, floor: number): Promise<LockGrant | LockBusy> {
    const taker = floor === 0 ? this.#beginIdle(request) : undefined;
    if (taker) {
      let token: string | undefined;
      try {
        token = await taker.ask(this.#calls, request, this.clock.monotonic());
      } finally {
        this.#idle.answered(taker, request, token !== '');
      }
      if (token !== '') return { granted: true, fencingToken: Number(token) };
    }
    const reply = await this.#attempt(request, { wait: 0, channel: NO_CHANNEL }, floor);
    return reply.granted
      ? { granted: true, fencingToken: reply.fencingToken }
      : { granted: false, retryAfter: reply.retryAfter };
  }

  acquireInTurn(request: LockRequest, { wait, signal }: LockPatience): Promise<LockTurn | LockBusy> {
    const since = this.clock.monotonic();
    const deadline = since + wait;
    const taker = signal?.aborted ? undefined : this.#beginIdle(request);
    if (taker) return this.#askIdle(taker, request, since, deadline, signal);
    const come = (): Promise<LockTurn | LockBusy> => this.#comeInTurn(request, deadline, signal);
    const turn = this.#idle.turnOf(request.names);
    return turn ? this.#whileWaiting(turn, deadline, signal).then(come) : come();
  }

  #beginIdle(request: LockRequest): Taker | undefined {
    return this.#waiters.isWaitedFor(request.names) ? undefined : this.#idle.begin(request);
  }

  async #askIdle(
    taker: Taker,
    request: LockRequest,
    since: number,
    deadline: number,
    signal: AbortSignal | undefined,
  ): Promise<LockTurn | LockBusy> {
    let token: string | undefined;
    let inTurn: Promise<LockTurn | LockBusy> | undefined;
    try {
      token = await this.#whileWaiting(taker.ask(this.#calls, request, since), deadline, signal);
      if (token === '') inTurn = this.#comeInTurn(request, deadline, signal);
    } finally {
      this.#idle.answered(taker, request, token !== '');
    }
    if (inTurn) return inTurn;
    if (token === undefined) return this.#giveUp(request, undefined, signal);
    return { granted: true, fencingToken: Number(token), validUntil: since + request.ttl };
  }

  async #comeInTurn(
    request: LockRequest,
    deadline: number,
    signal: AbortSignal | undefined,
  ): Promise<LockTurn | LockBusy> {
    signal?.throwIfAborted();
    const waiter = new RedisWaiter(request, this.clock, this.#timeouts);
    const wake = signal && ((): void => waiter.wake());
    if (wake) signal.addEventListener('abort', wake);
    this.#waiters.join(waiter);
    try {
      return await this.#waitInLine(waiter, deadline, signal);
    } finally {
      if (wake) signal.removeEventListener('abort', wake);
      this.#waiters.leave(waiter);
    }
  }

  async renew(leases: readonly LockRenewal[]): Promise<readonly RenewOutcome[]> {
    if (leases.length === 0) return [];
    const since = this.clock.monotonic();
    for (const lease of leases) this.#idle.find(lease)?.lasts(lease.ttl, since);
    if (!this.#isCluster) return this.#calls.run(renewScript, leases);
    // Names of different leases may be in different slots.
    return (await Promise.all(leases.map((lease) => this.#calls.run(renewScript, [lease])))).flat();
  }

  release(lease: LockLease): Promise<ReleaseOutcome> {
    const stored = this.#idle.end(lease)?.storedAt(this.clock.monotonic());
    if (stored === undefined || this.#waiters.isWaitedFor(lease.names)) return this.#handOver(lease);
    return this.#calls.runFor(releaseUnwantedScript, { names: lease.names, stored }, (done) =>
      done ? 'released' : this.#handOver(lease),
    );
  }

  #handOver(lease: LockLease): Promise<ReleaseOutcome> {
    return this.#calls.run(releaseScript, { lease, countsListeners: !this.#isCluster });
  }

  inspect(name: string): Promise<LockState> {
    return this.#calls.run(inspectScript, name);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#wakeUps.close();
    this.#waiters.wakeAll();
    await this.connection.close();
  }

  async #waitInLine(
    waiter: RedisWaiter,
    deadline: number,
    signal: AbortSignal | undefined,
  ): Promise<LockTurn | LockBusy> {
    const { request } = waiter;
    let hasTriedToListen = false;
    for (;;) {
      const since = this.clock.monotonic();
      const attempt = this.#attempt(request, this.#place(deadline - since));
      const reply = await this.#whileWaiting(attempt, deadline, signal);
      if (reply?.granted) return this.#arrive(waiter, reply, since);
      const left = deadline - this.clock.monotonic();
      if (!reply || signal?.aborted || left <= 0 || this.#closed) return this.#giveUp(request, reply, signal);
      if (reply.isNew && waiter.isPlaced) this.#waiters.wakeLine(request.names);
      waiter.refused(reply, since);
      if (!this.#wakeUps.isUp && !hasTriedToListen) {
        hasTriedToListen = true;
        await this.#whileWaiting(this.#wakeUps.open(), deadline, signal);
        continue;
      }
      this.#waiters.stand(waiter, reply.retryAfter + AFTER_THE_END);
      await waiter.sleep(this.#wakeUps.isUp ? left : Math.min(left, POLL * (0.5 + Math.random())));
      if (signal?.aborted) return this.#giveUp(request, reply, signal);
      const taken = waiter.taken();
      if (taken) return this.#arrive(waiter, { granted: true, wasIdle: false, ...taken }, taken.since);
    }
  }

  /** @param since monotonic time from which the lease is counted */
  #arrive(waiter: RedisWaiter, { fencingToken, wasIdle }: AcquireGrant, since: number): LockTurn {
    const { ttl, names } = waiter.request;
    this.#waiters.passed(waiter, ttl + AFTER_THE_END);
    this.#idle.forget(names);
    // Nobody in line, where it stood itself: the server has lost the line.
    if (wasIdle && waiter.isPlaced) this.#waiters.wakeLine(names);
    return { granted: true, fencingToken, validUntil: since + ttl };
  }

  /**
   * - `<owner>`: let it ask.
   * - `<owner> <ms>`: it is somebody else's turn, who has this long to come.
   * - `<owner> <token> <time>`: it has the lease, since this time of the server.
   */
  #hear(text: string): void {
    const [owner = '', number, at] = text.split(' ');
    if (at !== undefined) this.#waiters.find(owner)?.handOver(Number(number), Number(at));
    else if (number !== undefined) this.#waiters.lookAgainFor(owner, Number(number) + AFTER_THE_END);
    else this.#waiters.find(owner)?.wake();
  }

  /** Who does not listen has to show again and again that it is still there. */
  #place(left: number): Placing {
    return this.#wakeUps.isUp
      ? { wait: left, channel: this.#wakeUps.channel }
      : { wait: Math.min(left, POLLER_LIVES), channel: NO_CHANNEL };
  }

  /** Leaves the line, and lets go of what may have been granted meanwhile; in the background, nobody waits for it. */
  #giveUp(
    request: LockRequest,
    reply: AcquireRefusal | undefined,
    signal: AbortSignal | undefined,
  ): LockBusy {
    this.release(request).catch(() => undefined);
    signal?.throwIfAborted();
    if (this.#closed) throw new CacheOpsError('DRIVER', 'the lock driver was closed');
    return { granted: false, retryAfter: reply?.retryAfter };
  }

  /** @returns `undefined` when the time is over or the signal aborts: the server may never answer */
  #whileWaiting<T>(
    work: Promise<T>,
    deadline: number,
    signal: AbortSignal | undefined,
  ): Promise<T | undefined> {
    return unlessOver(this.#timeouts, deadline - this.clock.monotonic(), signal, work);
  }

  #attempt(request: LockRequest, placing: Placing, floor = 0): Promise<AcquireGrant | AcquireRefusal> {
    return this.#calls.run(acquireScript, { request, ...placing, countsListeners: !this.#isCluster, floor });
  }
}
