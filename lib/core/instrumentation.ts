/** Where a value came from. */
export type CacheSource = 'near' | 'memory' | 'shared';

/** Why a computed value was not stored. */
export type RefuseReason = 'pending' | 'changed' | 'transaction' | 'unserialisable' | 'unavailable';

export type CacheEvent =
  | { readonly type: 'hit'; readonly key: string; readonly label: string; readonly source: CacheSource }
  | { readonly type: 'miss'; readonly key: string; readonly label: string }
  | { readonly type: 'store'; readonly key: string; readonly label: string; readonly bytes: number }
  | { readonly type: 'refuse'; readonly key: string; readonly label: string; readonly reason: RefuseReason }
  | { readonly type: 'invalidate'; readonly tokens: readonly string[] }
  | { readonly type: 'error'; readonly operation: string; readonly error: unknown };

export type CacheListener = (event: CacheEvent) => void;

export interface CacheStats {
  readonly hits: number;
  readonly misses: number;
  readonly stores: number;
  readonly refused: number;
  /** Invalidations sent, not tokens. */
  readonly invalidations: number;
  readonly errors: number;
}

/**
 * The one seam through which the cache tells what it does. Counting is always on (an increment); events are built
 * only while somebody listens.
 */
export class Instrumentation {
  private readonly counts = { hits: 0, misses: 0, stores: 0, refused: 0, invalidations: 0, errors: 0 };
  private listeners: readonly CacheListener[] = [];

  /** @returns a function that removes the listener */
  subscribe(listener: CacheListener): () => void {
    this.listeners = [...this.listeners, listener];
    return () => {
      this.listeners = this.listeners.filter((l) => l !== listener);
    };
  }

  stats(): CacheStats {
    return { ...this.counts };
  }

  hit(key: string, label: string, source: CacheSource): void {
    this.counts.hits++;
    if (this.listeners.length > 0) this.emit({ type: 'hit', key, label, source });
  }

  miss(key: string, label: string): void {
    this.counts.misses++;
    if (this.listeners.length > 0) this.emit({ type: 'miss', key, label });
  }

  store(key: string, label: string, bytes: number): void {
    this.counts.stores++;
    if (this.listeners.length > 0) this.emit({ type: 'store', key, label, bytes });
  }

  refuse(key: string, label: string, reason: RefuseReason): void {
    this.counts.refused++;
    if (this.listeners.length > 0) this.emit({ type: 'refuse', key, label, reason });
  }

  invalidate(tokens: readonly string[]): void {
    this.counts.invalidations++;
    if (this.listeners.length > 0) this.emit({ type: 'invalidate', tokens });
  }

  error(operation: string, error: unknown): void {
    this.counts.errors++;
    if (this.listeners.length > 0) this.emit({ type: 'error', operation, error });
  }

  private emit(event: CacheEvent): void {
    for (const listener of this.listeners) {
      try {
        listener(event);
      } catch {
        // A listener's failure must not become a failure of the read or write it watches.
        this.counts.errors++;
      }
    }
  }
}
