import { hostTime } from '../../../lib/locks/drivers/file.host-process.js';

/** When Redis could not be reached, by the clock of the host. */
export class Outages {
  private readonly spans: { readonly from: number; to: number }[] = [];

  async during<T>(work: () => Promise<T>): Promise<T> {
    const span = { from: hostTime(), to: Infinity };
    this.spans.push(span);
    try {
      return await work();
    } finally {
      span.to = hostTime();
    }
  }

  /** The moment at which Redis could be reached for so many milliseconds since `at`, all in all. */
  after(at: number, ms: number): number {
    let [now, left] = [at, ms];
    for (const { from, to } of this.spans) {
      if (to <= now) continue;
      const reachable = Math.max(0, from - now);
      if (reachable >= left) break;
      left -= reachable;
      now = to;
    }
    return now + left;
  }
}
