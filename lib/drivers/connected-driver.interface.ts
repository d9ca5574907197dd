import type { CacheDriver } from './cache-driver.interface.js';

export type ConnectionEvent = 'lost' | 'back';

/** A driver with a connection that can break. */
export interface ConnectedDriver extends CacheDriver {
  /** @returns a function that ends the watch */
  watch(listener: (event: ConnectionEvent) => void): () => void;

  /**
   * To be called on each connection before anything is served from it: restamps everything when the server is not
   * the one that was verified last, because then it may have lost invalidations (restart from a snapshot, failover
   * to a replica that lags).
   */
  verify(): Promise<void>;

  /** The backend does not answer: to be called when an attempt to come back has failed. */
  reconnect(): void;
}
