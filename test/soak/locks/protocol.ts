import type { DataSourceOptions } from 'typeorm';
import type { DriverConfig } from './drivers.js';

/** What a worker is told when it starts. */
export interface WorkerConfig {
  readonly driver: DriverConfig;
  /** Where the fenced section writes. */
  readonly work: DataSourceOptions;
  readonly worker: number;
  readonly seed: number;
  readonly ttl: number;
  readonly wait: number;
  /** `false`: the section does without `fence()`, to show that the soak notices. */
  readonly fenced: boolean;
  /** How likely it is that a section blocks the process for longer than the ttl, in the middle of its work. */
  readonly blocks: number;
}

export type ToWorker =
  | { readonly do: 'finish' }
  /** Moves the wall clock of the process; milliseconds. */
  | { readonly do: 'shift'; readonly by: number };

/** One attempt of a worker to get a lock and to do something under it. Times are host time. */
export interface Attempt {
  readonly worker: number;
  readonly names: readonly string[];
  readonly asked: number;
  /** Milliseconds by which it waited longer than it was to, but for those in which the process stood still. */
  readonly overshoot: number;
  readonly outcome: 'busy' | 'failed' | 'granted';
  readonly grant?: Grant;
}

export interface Failure {
  readonly failure: string;
}

export interface Grant {
  readonly token: number;
  readonly at: number;
  /** The last moment at which the worker looked and believed to hold the lock. */
  readonly heldUntil: number;
  readonly section: 'committed' | 'refused' | Failure;
}

/** A row that a fenced section has committed, in the order of the commits. */
export interface Commit {
  readonly name: string;
  readonly token: number;
  readonly worker: number;
}
