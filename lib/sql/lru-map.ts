interface Entry<V> {
  readonly value: V;
  used: number;
}

/**
 * A map that forgets the least recently used entry beyond its size. A use is a number in the entry: to move the entry to
 * the end costs more than to find it. So the oldest has to be looked for, which is little beside what made the new one.
 */
export class LruMap<V> {
  private readonly entries = new Map<string, Entry<V>>();
  private uses = 0;

  constructor(private readonly size: number) {}

  get(key: string): V | undefined {
    const entry = this.entries.get(key);
    if (entry === undefined) return undefined;
    entry.used = ++this.uses;
    return entry.value;
  }

  set(key: string, value: V): void {
    this.entries.set(key, { value, used: ++this.uses });
    if (this.entries.size > this.size) this.entries.delete(this.oldest());
  }

  private oldest(): string {
    let oldest = '';
    let least = Infinity;
    for (const [key, { used }] of this.entries) {
      if (used < least) [oldest, least] = [key, used];
    }
    return oldest;
  }
}
