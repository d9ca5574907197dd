import type { Clock } from '../core/clock.js';

/** A clock that stands still until it is told to move. Wall clock and monotonic time move together. */
export class ManualClock implements Clock {
  #elapsed = 0;

  /** @param start wall clock at the beginning, in milliseconds since the epoch */
  constructor(private readonly start = Date.UTC(2030, 0, 1)) {}

  now(): number {
    return this.start + this.#elapsed;
  }

  monotonic(): number {
    return this.#elapsed;
  }

  advance(ms: number): void {
    this.#elapsed += ms;
  }
}
