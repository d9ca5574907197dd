import { hostTime } from '../../../lib/locks/drivers/file.host-process.js';

const BEAT_MS = 10;

/** Adds up the time in which this process did nothing, because it was stopped, blocked, or had no processor. */
export class Standstill {
  private sum = 0;
  private last = hostTime();

  constructor() {
    setInterval(() => this.total(), BEAT_MS).unref();
  }

  /** Milliseconds since the beginning, up to now. */
  total(): number {
    const now = hostTime();
    this.sum += Math.max(0, now - this.last - 2 * BEAT_MS);
    this.last = now;
    return this.sum;
  }
}
