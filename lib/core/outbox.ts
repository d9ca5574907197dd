/** Name of the table unless the option `outbox.table` says otherwise. */
export const OUTBOX_TABLE = 'cacheops_outbox';

/** Settings of the outbox of every observed DataSource. */
export interface OutboxSettings {
  readonly table: string;
  /** Milliseconds between two looks of the relay at the table. */
  readonly interval: number;
}

/** The outbox of one DataSource, as the last look of this process's relay found it. */
export interface OutboxStats {
  /** Nest name of the DataSource. */
  readonly dataSource: string;
  /** Rows in the table: changes under way, and changes that the cache backend has not got yet. */
  readonly pending: number;
  /** Age of the oldest row in seconds; more than a few mean that the cache backend is out of reach. */
  readonly oldest: number;
  /** Rows that this process's relay has delivered since the start. */
  readonly relayed: number;
}
