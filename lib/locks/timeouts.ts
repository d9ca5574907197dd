import type { Clock, Scheduler } from '../core/clock.js';

/** Something that is done at a certain time, unless it is called off before. */
export class Timeout {
  /** Neighbours in the ring of those that are pending; itself when it is not. */
  previous: Timeout = this;
  next: Timeout = this;

  /** @param at monotonic time */
  constructor(
    readonly at: number,
    readonly task: () => void,
  ) {}

  cancel(): void {
    this.previous.next = this.next;
    this.next.previous = this.previous;
    this.previous = this;
    this.next = this;
  }
}

/**
 * Timeouts that are nearly always called off: one timer for all of them, which stays when they are. To set a timer of
 * its own for each call of a backend costs more than the call's other work in this process.
 */
export class Timeouts {
  /** Where the ring begins and ends. */
  readonly #end = new Timeout(Infinity, () => undefined);
  #wakeAt = Infinity;
  #cancel: (() => void) | undefined;

  constructor(
    private readonly clock: Clock,
    private readonly scheduler: Scheduler,
  ) {}

  set(ms: number, task: () => void): Timeout {
    const timeout = new Timeout(this.clock.monotonic() + ms, task);
    timeout.next = this.#end;
    timeout.previous = this.#end.previous;
    timeout.previous.next = timeout;
    this.#end.previous = timeout;
    if (timeout.at < this.#wakeAt) this.#wakeUpAt(timeout.at);
    return timeout;
  }

  #look(): void {
    this.#wakeAt = Infinity;
    const now = this.clock.monotonic();
    const due: Timeout[] = [];
    let next = Infinity;
    for (let timeout = this.#end.next; timeout !== this.#end; timeout = timeout.next) {
      if (timeout.at <= now) due.push(timeout);
      else next = Math.min(next, timeout.at);
    }
    if (next < this.#wakeAt) this.#wakeUpAt(next);
    for (const timeout of due) {
      // A task may have called off another one.
      if (timeout.next === timeout) continue;
      timeout.cancel();
      timeout.task();
    }
  }

  #wakeUpAt(time: number): void {
    this.#cancel?.();
    this.#wakeAt = time;
    // In the background: whatever is waited for keeps the process alive, or nobody can be waiting.
    this.#cancel = this.scheduler.schedule(time - this.clock.monotonic(), () => this.#look(), true);
  }
}
