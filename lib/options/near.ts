import { type Duration, parseBytes, parseChoice, parseRecord, parseTimeout } from './parse.js';

/** The near cache. */
export interface NearOption {
  /** Memory for results: number of bytes, or text. Default `'64mb'`. */
  readonly maxBytes?: number | string | undefined;
  /**
   * `'tracked'`: the backend tells this process what is invalidated. `'checked'`: each hit asks the backend.
   * Default `'tracked'`.
   */
  readonly mode?: 'tracked' | 'checked' | undefined;
  /**
   * Longest time by which a tracked hit may be behind a commit of another process, whatever happens. Usually it is
   * behind by the way of one message. Default `'1s'`.
   */
  readonly maxLag?: Duration | undefined;
}

/** The defaults of what `near` holds. */
export const NEAR_DEFAULTS = {
  maxBytes: '64mb',
  mode: 'tracked',
  maxLag: '1s',
} as const satisfies NearOption;

export interface NearSettings {
  readonly maxBytes: number;
  readonly mode: 'tracked' | 'checked';
  /** Milliseconds. */
  readonly maxLag: number;
}

/** @throws CacheOpsConfigError */
export function parseNear(value: unknown): NearSettings {
  const given = { ...NEAR_DEFAULTS, ...parseRecord('near', value, ['maxBytes', 'mode', 'maxLag']) };
  return Object.freeze({
    maxBytes: parseBytes('near.maxBytes', given.maxBytes),
    mode: parseChoice('near.mode', given.mode, ['tracked', 'checked']),
    maxLag: parseTimeout('near.maxLag', given.maxLag),
  });
}
