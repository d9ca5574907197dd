import type { Clock, Scheduler } from '../core/clock.js';

interface Task {
  readonly due: number;
  readonly run: () => void;
}

/**
 * A clock that stands still until it is told to move. Wall clock, monotonic time and timers move together: `advance`
 * runs the tasks that become due, each at its own time, before it returns.
 */
export class ManualClock implements Clock, Scheduler {
  #elapsed = 0;
  readonly #tasks = new Set<Task>();

  /** @param start wall clock at the beginning, in milliseconds since the epoch */
  constructor(private readonly start = Date.UTC(2030, 0, 1)) {}

  now(): number {
    return this.start + this.#elapsed;
  }

  monotonic(): number {
    return this.#elapsed;
  }

  schedule(ms: number, task: () => void): () => void {
    const entry = { due: this.#elapsed + Math.max(ms, 0), run: task };
    this.#tasks.add(entry);
    return () => void this.#tasks.delete(entry);
  }

  advance(ms: number): void {
    const end = this.#elapsed + ms;
    for (let task = this.#next(end); task; task = this.#next(end)) {
      this.#tasks.delete(task);
      this.#elapsed = Math.max(this.#elapsed, task.due);
      task.run();
    }
    this.#elapsed = end;
  }

  /** Lets time pass without running a timer, as a process does whose event loop is blocked; `advance(0)` runs them. */
  block(ms: number): void {
    this.#elapsed += ms;
  }

  /** The first task that is due until `end`; of two at the same time, the one that was scheduled first. */
  #next(end: number): Task | undefined {
    let next: Task | undefined;
    for (const task of this.#tasks) if (task.due <= end && (!next || task.due < next.due)) next = task;
    return next;
  }
}
