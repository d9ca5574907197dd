import { AsyncLocalStorage } from 'node:async_hooks';

/** What one request cost. */
export class RequestCost {
  statements = 0;
  hits = 0;
  /** Where the last hit came from: `memory` of this process, or `shared` (Redis). */
  cache: string | undefined;

  /** Where the answer came from: the cache if it needed no statement at all. */
  get source(): string {
    return this.statements === 0 && this.cache !== undefined ? this.cache : 'database';
  }
}

/** Counts by request: the counter follows the asynchronous call, so that overlapping requests do not mix. */
export class RequestMeter {
  private readonly storage = new AsyncLocalStorage<RequestCost>();

  run<T>(cost: RequestCost, work: () => T): T {
    return this.storage.run(cost, work);
  }

  statement(): void {
    const cost = this.storage.getStore();
    if (cost) cost.statements++;
  }

  hit(source: string): void {
    const cost = this.storage.getStore();
    if (!cost) return;
    cost.hits++;
    cost.cache = source;
  }
}
