/** A small generator of random numbers (mulberry32): the same seed gives the same run on every machine. */
export class Random {
  private state: number;

  constructor(seed: number) {
    this.state = seed >>> 0;
  }

  /** In [0, 1). */
  next(): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let t = this.state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  }

  /** An integer in [0, limit). */
  below(limit: number): number {
    return Math.floor(this.next() * limit);
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)] as T;
  }

  /** Between 1 and `most` of the values, each at most once, in their order. */
  some<T>(from: readonly T[], most = from.length): T[] {
    const wanted = 1 + this.below(Math.min(most, from.length));
    const chosen = new Set<number>();
    while (chosen.size < wanted) chosen.add(this.below(from.length));
    return from.filter((_, i) => chosen.has(i));
  }

  /** One of the entries, as often as its weight says. */
  weighted<T>(entries: readonly (readonly [number, T])[]): T {
    let at = this.next() * entries.reduce((sum, [weight]) => sum + weight, 0);
    for (const [weight, value] of entries) if ((at -= weight) < 0) return value;
    return (entries[entries.length - 1] as readonly [number, T])[1];
  }
}
