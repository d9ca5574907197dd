import type { Outages } from './cache-driver.interface.js';

/** The times at which a backend was away, for those who rely on what they told it or heard from it. */
export class GuardOutages implements Outages {
  readonly #listeners = new Set<() => void>();
  #waiting: (() => void)[] = [];
  #count = 0;
  #isOver: boolean;

  constructor(isUp: boolean) {
    this.#isOver = isUp;
  }

  get count(): number {
    return this.#count;
  }

  watch(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  over(): Promise<void> {
    return this.#isOver ? Promise.resolve() : new Promise((resolve) => this.#waiting.push(resolve));
  }

  begin(): void {
    this.#count++;
    this.#isOver = false;
    for (const listener of this.#listeners) listener();
  }

  end(): void {
    this.#isOver = true;
    for (const resume of this.#waiting.splice(0)) resume();
  }
}
