import type { Token } from '../core/token.js';

/** What a codec made of a payload to keep it: values are made from it faster than from the payload. */
export interface NearForm {
  /** Memory that it takes, in bytes, about. */
  readonly bytes: number;
}

/** An entry that is kept in this process. */
export interface NearEntry {
  /** What it depends on, in the order of the entry. */
  readonly tokens: readonly Token[];
  /** Set by `open`; a key always has the same codec. */
  readonly form: NearForm | undefined;
  /** What was stored; empty once there is a form. */
  payload(): Buffer;
  /** Keeps the form in the place of the payload. */
  open(form: NearForm): void;
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
}
