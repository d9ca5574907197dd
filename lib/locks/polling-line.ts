import type { Clock, Scheduler } from '../core/clock.js';
import { MemoryLockDriver } from './drivers/memory.lock-driver.js';
import type {
  LockBusy,
  LockDriver,
  LockPatience,
  LockRequest,
  LockTurn,
  LockWatch,
} from './lock-driver.interface.js';
import { Timeouts } from './timeouts.js';
import { pause, within } from './within.js';

/** Milliseconds between two attempts of the one who stands first in line: they become rarer. */
const FIRST_PAUSE = 5;
const LONGEST_PAUSE = 100;
const GROWTH = 1.5;

/** A lease is over when its last millisecond is. */
const AFTER_THE_END = 2;

/** An attempt is not given up sooner than this, even when the time to wait is over: it may just have succeeded. */
const SHORTEST_ATTEMPT = 250;

export interface PollingLineSettings {
  readonly clock: Clock;
  readonly scheduler: Scheduler;
  /** Milliseconds for one attempt. */
  readonly timeout: number;
}

/**
 * A line within this process, in front of a driver that has none. Only the first in line for a name asks the backend,
 * again and again, or when it is told that it may be free; so a process is one contender, however many of its tasks wait.
 */
export class PollingLine {
  readonly #line: MemoryLockDriver;
  readonly #timeouts: Timeouts;
  /** Those who are asking, by name. */
  readonly #asking = new Map<string, Asker>();

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
    const asker = new Asker(this.settings.scheduler);
    for (const name of request.names) this.#asking.set(name, asker);
    try {
      return await this.#ask(request, asker, deadline, signal);
    } finally {
      asker.close();
      for (const name of request.names) this.#asking.delete(name);
      await this.#line.release(place);
    }
  }

  /** This process has let go of the names: whoever asks for them need not wait for the next time. */
  nudge(names: readonly string[]): void {
    for (const name of names) this.#asking.get(name)?.nudge();
  }

  close(): Promise<void> {
    return this.#line.close();
  }

  async #ask(
    request: LockRequest,
    asker: Asker,
    deadline: number,
    signal: AbortSignal | undefined,
  ): Promise<LockTurn | LockBusy> {
    const { clock, timeout } = this.settings;
    for (let rest = FIRST_PAUSE; ; rest = Math.min(rest * GROWTH, LONGEST_PAUSE)) {
      signal?.throwIfAborted();
      asker.begin();
      const since = clock.monotonic();
      const patience = Math.min(Math.max(deadline - since, SHORTEST_ATTEMPT), timeout);
      const reply = await within(this.#timeouts, patience, this.driver.acquire(request));
      if (reply.granted) return { ...reply, validUntil: since + request.ttl };
      const left = deadline - clock.monotonic();
      if (left <= 0) return reply;
      asker.watch(() => this.driver.watch?.(request.names, () => asker.nudge()));
      const end = (reply.retryAfter ?? Infinity) + AFTER_THE_END;
      // Not all processes at the same moment.
      const jittered = Math.ceil(rest * (0.5 + Math.random()));
      await asker.rest(Math.min(asker.isTold ? Infinity : jittered, end, left), signal);
    }
  }
}

/** The one who asks: rests between two attempts, unless something has changed since the last one began. */
class Asker {
  #isNudged = false;
  #end: AbortController | undefined;
  #watch: LockWatch | undefined;

  constructor(private readonly scheduler: Scheduler) {}

  /** Whether it will be nudged when it should ask again. */
  get isTold(): boolean {
    return this.#watch?.isUp ?? false;
  }

  /** What it is told from now on, its next attempt does not know. */
  begin(): void {
    this.#isNudged = false;
  }

  nudge(): void {
    this.#isNudged = true;
    this.#end?.abort();
  }

  /** From the first refusal on: who finds it free need not watch. */
  watch(open: () => LockWatch | undefined): void {
    this.#watch ??= open();
  }

  async rest(ms: number, signal: AbortSignal | undefined): Promise<void> {
    if (this.#isNudged) return;
    this.#end = new AbortController();
    await pause(this.scheduler, ms, signal ? AbortSignal.any([signal, this.#end.signal]) : this.#end.signal);
    this.#end = undefined;
  }

  close(): void {
    this.#watch?.close();
  }
}
