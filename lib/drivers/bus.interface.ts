import type { Token } from '../core/token.js';

/** Why messages may have been missed. */
export type BusLoss = 'disconnected' | 'gap' | 'flushed' | 'late';

export interface BusListener {
  /** From now on every invalidation is told, or `lost` is. */
  joined(): void;
  /** Something that depends on these tokens may have changed: they were marked by a writer, or lost their stamps. */
  invalidated(tokens: readonly Token[]): void;
  /** Invalidations may have been missed: what is true only by them must be forgotten before it is used again. */
  lost(reason: BusLoss): void;
}

/** The invalidations of all processes, in the order in which the backend carried them out. */
export interface InvalidationBus {
  /**
   * Monotonic milliseconds. Until then, every invalidation that was carried out more than `maxLag` ago has been told;
   * after it nothing is known.
   */
  readonly validUntil: number;
  close(): Promise<void>;
}

export interface BusOptions {
  /** Milliseconds by which a listener may be behind before it must not be relied on. */
  readonly maxLag: number;
}

/** A driver whose backend tells every process what was invalidated. */
export interface BusSource {
  /** @returns at once; `joined` is told when the listener hears everything */
  openBus(listener: BusListener, options: BusOptions): InvalidationBus;
}
