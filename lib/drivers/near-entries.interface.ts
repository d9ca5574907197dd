import type { Stamp } from '../core/stamp.js';
import type { Token } from '../core/token.js';
import type { BusLoss } from './bus.interface.js';

/** Why everything was forgotten: the bus lost messages, or the backend went away. */
export type NearLoss = BusLoss | 'interrupted';

export interface NearStats {
  readonly entries: number;
  /** Counted against `maxBytes`. */
  readonly bytes: number;
  readonly maxBytes: number;
  /** Entries that had to leave for others. */
  readonly evictions: number;
  /** How often everything was forgotten. */
  readonly clears: number;
}

/** What a codec made of a payload to keep it: values are made from it faster than from the payload. */
export interface NearForm {
  /** Memory that it takes, in bytes, about. */
  readonly bytes: number;
}

/** An entry that is kept in this process. */
export interface NearEntry {
  /** What it depends on, in the order of the entry. */
  readonly tokens: readonly Token[];
  /** Under what it was stored, in the same order. */
  stamps(): readonly Stamp[];
  /** What `open` was given; `undefined`: nothing yet. All readers of a key use the same codec. */
  readonly form: NearForm | 'none' | undefined;
  /** What was stored; empty once there is a form. */
  payload(): Buffer;
  /** Keeps the form in the place of the payload; `'none'`: the payload stays, because it has no better form. */
  open(form: NearForm | 'none'): void;
}

/** Entries that are kept in this process. */
export interface NearEntries {
  /** An entry that is known to be fresh at this moment. */
  get(key: string): NearEntry | undefined;
  /**
   * Asks the backend whether an entry that is kept is still fresh, by one small command.
   * @returns `undefined`, without a command, when none is kept that could be; a promise of `undefined` when it is not
   * fresh. Rejects when the backend fails.
   */
  verified(key: string): Promise<NearEntry | undefined> | undefined;
  stats(): NearStats;
}
