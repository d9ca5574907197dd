import type { Clock, Scheduler } from '../core/clock.js';

/** Monotonic time at which it is over, and what is done then. */
interface Timeout {
  readonly at: number;
  readonly task: () => void;
}

/**
 * Timeouts that are nearly always called off: one timer for all of them, which stays when they are. To set a timer of
 * its own for each call of a backend costs more than the call's other work in this process.
 */
export class Timeouts {
  readonly #pending = new Set<Timeout>();
  #wakeAt = Infinity;
  #cancel: (() => void) | undefined;

  constructor(
    private readonly clock: Clock,
    private readonly scheduler: Scheduler,
  ) {}

  /** @returns a function that calls it off */
  set(ms: number, task: () => void): () => void {
    const timeout = { at: this.clock.monotonic() + ms, task };
    this.#pending.add(timeout);
    if (timeout.at < this.#wakeAt) this.#wakeUpAt(timeout.at);
    return () => this.#pending.delete(timeout);
  }

  #look(): void {
    this.#wakeAt = Infinity;
    const now = this.clock.monotonic();
    let next = Infinity;
    for (const timeout of this.#pending) {
      if (timeout.at > now) next = Math.min(next, timeout.at);
      else if (this.#pending.delete(timeout)) timeout.task();
    }
    if (next < this.#wakeAt) this.#wakeUpAt(next);
  }

  #wakeUpAt(time: number): void {
    this.#cancel?.();
    this.#wakeAt = time;
    // In the background: whatever is waited for keeps the process alive, or nobody can be waiting.
    this.#cancel = this.scheduler.schedule(time - this.clock.monotonic(), () => this.#look(), true);
  }
}
