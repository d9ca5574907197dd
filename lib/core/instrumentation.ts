import type { NearLoss } from '../drivers/near-entries.interface.js';

/** Where a value came from. */
export type CacheSource = 'near' | 'memory' | 'shared';

/** Why a computed value was not stored. */
export type RefuseReason =
  | 'pending'
  | 'changed'
  | 'transaction'
  | 'unserialisable'
  | 'unavailable'
  /** It depends on reads that cannot be attributed to tables. */
  | 'untracked';

/** What became of a load behind the back of those who were served. */
export type RefreshOutcome = 'done' | 'failed';

export type CacheEvent =
  | {
      readonly type: 'hit';
      readonly key: string;
      readonly label: string;
      readonly source: CacheSource;
      /** Served in grace. */
      readonly stale?: true;
    }
  | { readonly type: 'miss'; readonly key: string; readonly label: string }
  | { readonly type: 'store'; readonly key: string; readonly label: string; readonly bytes: number }
  | { readonly type: 'refuse'; readonly key: string; readonly label: string; readonly reason: RefuseReason }
  | {
      readonly type: 'refresh';
      readonly key: string;
      readonly label: string;
      readonly outcome: RefreshOutcome;
    }
  | { readonly type: 'invalidate'; readonly tokens: readonly string[] }
  | { readonly type: 'expire'; readonly tokens: readonly string[] }
  | {
      readonly type: 'clear';
      /** Why the near cache of this process forgot everything. */
      readonly reason: NearLoss;
    }
  | { readonly type: 'error'; readonly operation: string; readonly error: unknown };

export type CacheListener = (event: CacheEvent) => void;

export interface CacheStats {
  /** Those in grace included. */
  readonly hits: number;
  /** Hits in grace. */
  readonly staleHits: number;
  /** Hits in the near cache of this process. */
  readonly nearHits: number;
  readonly misses: number;
  readonly stores: number;
  readonly refused: number;
  /** Loads behind the back of those who were served; failed ones included. */
  readonly refreshes: number;
  readonly failedRefreshes: number;
  /** Invalidations sent, not tokens. */
  readonly invalidations: number;
  /** Likewise. */
  readonly expiries: number;
  readonly errors: number;
}

/**
 * The one seam through which the cache tells what it does. Counting is always on (an increment); events are built
 * only while somebody listens.
 */
export class Instrumentation {
  private readonly counts = {
    hits: 0,
    staleHits: 0,
    nearHits: 0,
    misses: 0,
    stores: 0,
    refused: 0,
    refreshes: 0,
    failedRefreshes: 0,
    invalidations: 0,
    expiries: 0,
    errors: 0,
  };
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

  hit(key: string, label: string, source: CacheSource, stale = false): void {
    this.counts.hits++;
    if (stale) this.counts.staleHits++;
    if (source === 'near') this.counts.nearHits++;
    if (this.listeners.length > 0) this.emit({ type: 'hit', key, label, source, ...(stale && { stale }) });
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

  refresh(key: string, label: string, outcome: RefreshOutcome): void {
    this.counts.refreshes++;
    if (outcome === 'failed') this.counts.failedRefreshes++;
    if (this.listeners.length > 0) this.emit({ type: 'refresh', key, label, outcome });
  }

  expire(tokens: readonly string[]): void {
    this.counts.expiries++;
    if (this.listeners.length > 0) this.emit({ type: 'expire', tokens });
  }

  invalidate(tokens: readonly string[]): void {
    this.counts.invalidations++;
    if (this.listeners.length > 0) this.emit({ type: 'invalidate', tokens });
  }

  clear(reason: NearLoss): void {
    if (this.listeners.length > 0) this.emit({ type: 'clear', reason });
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
