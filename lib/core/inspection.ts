import { isEntry, isFresh, openEntry, stampsOf } from './entry.js';
import type { CacheSource } from './instrumentation.js';
import type { RecordedReply } from './recorded-reads.js';
import type { Token } from './token.js';

/** What became of a token since the entry was stored. */
export type TokenFate = 'unchanged' | 'changed' | 'missing' | 'pending';

/** What lies under a key. */
export interface Inspection {
  readonly createdAt: Date;
  /** Length of the stored value. */
  readonly bytes: number;
  /** Whether a reader would be served. */
  readonly fresh: boolean;
  /** From where: this process, if it keeps the entry in its near cache as well. */
  readonly source: CacheSource;
  readonly tokens: readonly { readonly token: Token; readonly state: TokenFate }[];
}

/** @returns `undefined` when there is no entry */
export function inspectEntry(
  { entry, states, asked }: RecordedReply,
  source: CacheSource,
): Inspection | undefined {
  if (entry === undefined || !isEntry(entry)) return undefined;
  const stamps = stampsOf(entry);
  const fate = (i: number): TokenFate => {
    const state = states[i];
    if (state === undefined) return 'missing';
    if (state === 'pending') return 'pending';
    return state === stamps[i] ? 'unchanged' : 'changed';
  };
  const { createdAt, payload } = openEntry(entry);
  return {
    createdAt: new Date(createdAt),
    bytes: payload.length,
    fresh: isFresh(entry, states),
    source,
    tokens: asked.map((token, i) => ({ token, state: fate(i) })),
  };
}
