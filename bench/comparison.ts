/** What operations did, counted where it happens. */
export interface Counts {
  readonly hits: number;
  readonly misses: number;
  /** Statements that reached the database, transaction control included. */
  readonly statements: number;
  /** Commands that were sent to Redis, one a round trip or a part of one. */
  readonly commands: number;
}

/** One way to do the work that is compared. */
export type Case = OperationCase | SampledCase;

export interface OperationCase extends CaseParts {
  /** One operation; `turn` counts up from 0, for keys that rotate. */
  run(turn: number): unknown;
  readonly sample?: undefined;
}

export interface SampledCase extends CaseParts {
  /**
   * Many operations at once, whose times it takes itself, in milliseconds; measured are their median, and their 99th
   * percentile under the name `<name>, p99`. Counts are of all of them together.
   */
  sample(turn: number): Promise<readonly number[]>;
  readonly run?: undefined;
}

interface CaseParts {
  readonly name: string;
  /** Before each operation, outside the time that is taken; only with one operation at a time. */
  prepare?(turn: number): Promise<unknown>;
  /** What has happened so far. */
  readonly counts?: () => Counts;
  /** What each single operation must do; counts that are left out are not looked at. */
  readonly expects?: Partial<Counts>;
}

/** A claim of DESIGN.md section 9. `speed`: at least so many times as fast; `cost`: at most so many times the time. */
export type Target = {
  readonly name: string;
  /** Case that it is compared with; the first case unless named. */
  readonly than?: string;
  readonly concurrency: number;
} & ({ readonly speed: number } | { readonly cost: number });

/** Ways to do the same work, measured in turns of one run. */
export interface Comparison {
  readonly title: string;
  /** The first one is what the others are compared with. */
  readonly cases: readonly Case[];
  /** How many operations are under way at a time; each number is measured. */
  readonly concurrency: readonly number[];
  readonly targets: readonly Target[];
  /** Proves what counts cannot: that the cases do the same work, that something is gone afterwards. */
  readonly check?: () => Promise<void>;
  readonly close: () => Promise<void>;
}

/** Makes its servers, data and connections when it is called. */
export interface ComparisonFactory {
  readonly title: string;
  create(smoke: boolean): Promise<Comparison>;
}

export const NOTHING: Counts = { hits: 0, misses: 0, statements: 0, commands: 0 };
