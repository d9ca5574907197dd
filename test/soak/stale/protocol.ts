import type { DataSourceOptions } from 'typeorm';

/** What a process is told when it starts. */
export interface WorkerConfig {
  readonly role: 'reader' | 'writer';
  readonly seed: number;
  readonly database: DataSourceOptions;
  /** Through the proxy. */
  readonly redis: string;
  readonly prefix: string;
  readonly mode: 'tracked' | 'checked' | 'off';
  readonly onRedisFailure: 'degrade' | 'fail';
  readonly maxLag: number;
  readonly pendTtl: number;
  readonly timeouts: Readonly<Record<'read' | 'write' | 'invalidation', number>>;
  /** Takes the marks away from every write, to show that the soak notices. */
  readonly silent: boolean;
}

/** Where a writer is when it is killed. */
export const DEATHS = [
  'before pend',
  'pend sent',
  'pended',
  'commit sent',
  'committed',
  'settle sent',
  'settled',
] as const;
/** When it has committed what it could not announce. */
export const DEGRADED = 'degraded';
export type Death = (typeof DEATHS)[number] | typeof DEGRADED;

export type ToWorker =
  /** A process waits for this before it reads or writes. */
  | { readonly do: 'begin' }
  | { readonly do: 'finish' }
  /** At the next transaction that gets there. */
  | { readonly do: 'die'; readonly at: Death }
  /** Reads everything in every way, once. */
  | { readonly do: 'read all' };

/** A version of an item and who has seen it; times are those of the host. */
export type Seen = readonly (readonly [item: number, version: number])[];

export interface Read {
  readonly kind: 'item' | 'shelf' | 'sum';
  /** Number of the item or of the shelf. */
  readonly of: number;
  /** Before the read began. */
  readonly from: number;
  /** After it had returned. */
  readonly to: number;
  readonly seen: Seen;
  readonly sum: number;
}

/** A transaction that has returned. */
export interface Ack {
  readonly item: number;
  readonly version: number;
  readonly at: number;
  /** Redis could not be told (`onRedisFailure: 'degrade'`). */
  readonly degraded: boolean;
  /** Seed of the process. */
  readonly by: number;
}

export type FromWorker =
  | { readonly is: 'ready' }
  | { readonly is: 'reads'; readonly reads: readonly Read[] }
  | { readonly is: 'ack'; readonly ack: Ack }
  /** It reaches Redis again, and has told what it could not announce. */
  | { readonly is: 'back'; readonly by: number; readonly at: number }
  | { readonly is: 'read failed'; readonly error: string }
  | { readonly is: 'refused' }
  | { readonly is: 'all read' }
  | { readonly is: 'counts'; readonly counts: Readonly<Record<string, number>> };

export const ITEMS = 24;
export const SHELVES = 4;
