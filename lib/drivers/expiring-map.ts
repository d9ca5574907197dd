/** Looked at on each insertion; two a time keep up with any rate of insertion. */
const SWEPT_PER_INSERT = 2;

/**
 * A map whose values run out. No timers: what is expired is invisible at once, and is dropped when it is looked up
 * or when the sweep passes, which moves on with every insertion. So what is dead stays below what is alive.
 */
export class ExpiringMap<V extends { expires: number }> {
  readonly #map = new Map<string, V>();
  // A live iterator: survives deletions and sees insertions, so one pass after another covers the whole map.
  #sweep: Iterator<[string, V]> = this.#map.entries();

  get size(): number {
    return this.#map.size;
  }

  get(key: string, now: number): V | undefined {
    const value = this.#map.get(key);
    if (value === undefined || value.expires > now) return value;
    this.#map.delete(key);
    return undefined;
  }

  set(key: string, value: V, now: number): void {
    this.#map.set(key, value);
    for (let i = 0; i < SWEPT_PER_INSERT; i++) {
      const next = this.#sweep.next();
      if (next.done) this.#sweep = this.#map.entries();
      else if (next.value[1].expires <= now) this.#map.delete(next.value[0]);
    }
  }

  delete(key: string): boolean {
    return this.#map.delete(key);
  }

  /** Oldest insertion first. */
  entries(): IterableIterator<[string, V]> {
    return this.#map.entries();
  }

  clear(): void {
    this.#map.clear();
    this.#sweep = this.#map.entries();
  }
}
