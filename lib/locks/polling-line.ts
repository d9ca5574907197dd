import type { Clock, Scheduler } from '../core/clock.js';
import { MemoryLockDriver } from './drivers/memory.lock-driver.js';
import type { LockBusy, LockDriver, LockPatience, LockRequest, LockTurn } from './lock-driver.interface.js';
import { Timeouts } from './timeouts.js';
import { pause, within } from './within.js';

/** Milliseconds between two attempts of the one who stands first in line: they become rarer. */
const FIRST_PAUSE = 5;
const LONGEST_PAUSE = 100;
const GROWTH = 1.5;

/** An attempt is not given up sooner than this, even when the time to wait is over: it may just have succeeded. */
const SHORTEST_ATTEMPT = 250;

export interface PollingLineSettings {
  readonly clock: Clock;
  readonly scheduler: Scheduler;
  /** Milliseconds for one attempt. */
  readonly timeout: number;
}

/**
 * A line within this process, in front of a driver that cannot wake up its waiters. Only the first in line for a name
 * asks the backend, again and again; so a process is one contender, however many of its tasks wait.
 */
export class PollingLine {
  readonly #line: MemoryLockDriver;
  readonly #timeouts: Timeouts;
  /** Those who are asking, by name. */
  readonly #asking = new Map<string, AbortController>();

  constructor(
    private readonly driver: LockDriver,
    private readonly settings: PollingLineSettings,
  ) {
    this.#line = new MemoryLockDriver(settings);
    this.#timeouts = new Timeouts(settings.clock, settings.scheduler);
  }

  async acquireInTurn(request: LockRequest, { wait, signal }: LockPatience): Promise<LockTurn | LockBusy> {
    const deadline = this.settings.clock.monotonic() + wait;
    const place: LockRequest = { ...request, mode: 'exclusive', ttl: Infinity };
    const turn = await this.#line.acquireInTurn(place, { wait, signal });
    if (!turn.granted) return { granted: false, retryAfter: undefined };
    try {
      return await this.#ask(request, deadline, signal);
    } finally {
      await this.#line.release(place);
    }
  }

  /** This process has let go of the names: whoever asks for them need not wait for the next time. */
  nudge(names: readonly string[]): void {
    for (const name of names) this.#asking.get(name)?.abort();
  }

  close(): Promise<void> {
    return this.#line.close();
  }

  async #ask(
    request: LockRequest,
    deadline: number,
    signal: AbortSignal | undefined,
  ): Promise<LockTurn | LockBusy> {
    const { clock, timeout } = this.settings;
    for (let rest = FIRST_PAUSE; ; rest = Math.min(rest * GROWTH, LONGEST_PAUSE)) {
      signal?.throwIfAborted();
      const since = clock.monotonic();
      const patience = Math.min(Math.max(deadline - since, SHORTEST_ATTEMPT), timeout);
      const reply = await within(this.#timeouts, patience, this.driver.acquire(request));
      if (reply.granted) return { ...reply, validUntil: since + request.ttl };
      const left = deadline - clock.monotonic();
      if (left <= 0) return reply;
      // Not all processes at the same moment.
      const jittered = rest * (0.5 + Math.random());
      await this.#rest(request.names, Math.min(jittered, reply.retryAfter ?? Infinity, left), signal);
    }
  }

  async #rest(names: readonly string[], ms: number, signal: AbortSignal | undefined): Promise<void> {
    const nudged = new AbortController();
    for (const name of names) this.#asking.set(name, nudged);
    const end = signal ? AbortSignal.any([signal, nudged.signal]) : nudged.signal;
    await pause(this.settings.scheduler, ms, end);
    for (const name of names) this.#asking.delete(name);
  }
}
