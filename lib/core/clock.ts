import { performance } from 'node:perf_hooks';

/** Time as a port, so that tests move it by hand. */
export interface Clock {
  /** Wall clock in milliseconds since the epoch; for display and for TTLs handed to a backend. */
  now(): number;
  /** Monotonic milliseconds; for deadlines and durations. */
  monotonic(): number;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
};

/** Timers as a port, for the same reason. */
export interface Scheduler {
  /**
   * Runs `task` once, about `ms` milliseconds from now; longer than a timer of Node can wait is as long as it can.
   * @param background `true`: the timer alone does not keep the process alive
   * @returns a function that calls it off
   */
  schedule(ms: number, task: () => void, background?: boolean): () => void;
}

/** A timer of Node that is set to more fires at once. */
export const LONGEST_TIMER = 2 ** 31 - 1;

export const systemScheduler: Scheduler = {
  schedule: (ms, task, background = false) => {
    const timer = setTimeout(task, Math.min(Math.max(Math.ceil(ms), 0), LONGEST_TIMER));
    if (background) timer.unref();
    return () => clearTimeout(timer);
  },
};
