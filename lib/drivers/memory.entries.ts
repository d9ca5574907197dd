/** What the map, the key's text and the record cost beside the bytes of the entry, by measurement on Node 20. */
const OVERHEAD = 160;
/** Newcomers get a tenth of the room: an entry that is never read again leaves before it pushes out one that is. */
const NEWCOMER_SHARE = 0.1;
const GHOSTS_AT_LEAST = 128;

interface StoredEntry {
  readonly bytes: Buffer;
  readonly size: number;
  readonly expires: number;
  visited: boolean;
}

/**
 * Entries of the memory driver, bounded in bytes. Eviction is S3-FIFO (Yang et al., SOSP '23): a newcomer queue, a
 * main queue where entries that are read get another round, and the keys of newcomers that left lately. A scan over
 * many keys passes through the newcomer queue and leaves the main queue alone; a read only sets a flag.
 */
export class MemoryEntries {
  readonly #newcomers = new Map<string, StoredEntry>();
  readonly #main = new Map<string, StoredEntry>();
  readonly #ghosts = new Set<string>();
  #newcomerBytes = 0;
  #mainBytes = 0;

  get bytes(): number {
    return this.#newcomerBytes + this.#mainBytes;
  }

  get size(): number {
    return this.#newcomers.size + this.#main.size;
  }

  /** The stored buffer itself, not a copy: it must not be modified. */
  get(key: string, now: number): Buffer | undefined {
    const found = this.#main.get(key) ?? this.#newcomers.get(key);
    if (found === undefined) return undefined;
    if (found.expires <= now) {
      this.delete(key);
      return undefined;
    }
    found.visited = true;
    return found.bytes;
  }

  /** @returns false when the entry alone is larger than `room` bytes; then the key is empty */
  set(key: string, entry: Buffer, expires: number, room: number): boolean {
    this.delete(key);
    const size = entry.length + key.length + OVERHEAD;
    if (size > room) return false;
    this.shrink(room - size);
    // A copy of its own: encoders hand out slices of pooled buffers, which would keep the whole pool alive.
    const bytes = Buffer.allocUnsafeSlow(entry.length);
    entry.copy(bytes);
    const stored = { bytes, size, expires, visited: false };
    if (this.#ghosts.delete(key)) {
      this.#main.set(key, stored);
      this.#mainBytes += size;
    } else {
      this.#newcomers.set(key, stored);
      this.#newcomerBytes += size;
    }
    return true;
  }

  delete(key: string): boolean {
    let found = this.#newcomers.get(key);
    if (found !== undefined) {
      this.#newcomers.delete(key);
      this.#newcomerBytes -= found.size;
      return true;
    }
    found = this.#main.get(key);
    if (found === undefined) return false;
    this.#main.delete(key);
    this.#mainBytes -= found.size;
    return true;
  }

  /** Evicts until the entries take at most `room` bytes. */
  shrink(room: number): void {
    while (this.bytes > room && this.size > 0) {
      if (
        this.#newcomers.size > 0 &&
        (this.#newcomerBytes > room * NEWCOMER_SHARE || this.#main.size === 0)
      ) {
        this.#evictNewcomer();
      } else {
        this.#evictMain();
      }
    }
  }

  clear(): void {
    this.#newcomers.clear();
    this.#main.clear();
    this.#ghosts.clear();
    this.#newcomerBytes = this.#mainBytes = 0;
  }

  /** The oldest newcomer leaves, or moves to the main queue if it was read. */
  #evictNewcomer(): void {
    const [key, entry] = this.#newcomers.entries().next().value as [string, StoredEntry];
    this.#newcomers.delete(key);
    this.#newcomerBytes -= entry.size;
    if (entry.visited) {
      entry.visited = false;
      this.#main.set(key, entry);
      this.#mainBytes += entry.size;
      return;
    }
    this.#ghosts.add(key);
    const most = Math.max(GHOSTS_AT_LEAST, this.#main.size);
    for (const ghost of this.#ghosts) {
      if (this.#ghosts.size <= most) break;
      this.#ghosts.delete(ghost);
    }
  }

  /** The oldest of the main queue leaves, or goes round once more if it was read. */
  #evictMain(): void {
    const [key, entry] = this.#main.entries().next().value as [string, StoredEntry];
    this.#main.delete(key);
    if (entry.visited) {
      entry.visited = false;
      this.#main.set(key, entry);
    } else {
      this.#mainBytes -= entry.size;
    }
  }
}
