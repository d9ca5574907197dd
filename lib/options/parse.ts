import bytes from 'bytes';
import ms, { type StringValue } from 'ms';
import { CacheOpsConfigError } from '../cacheops.errors.js';
import { LONGEST_TIMER } from '../core/clock.js';

/** Milliseconds, or a text that the package `ms` reads: `'15m'`, `'1 day'`. */
export type Duration = number | string;

/**
 * @returns whole milliseconds
 * @throws CacheOpsConfigError when the value is no duration of more than 0 ms
 */
export function parseDuration(option: string, value: unknown): number {
  const parsed = typeof value === 'string' && value !== '' ? ms(value as StringValue) : value;
  if (typeof parsed !== 'number' || !Number.isFinite(parsed) || parsed <= 0) {
    throw new CacheOpsConfigError(
      option,
      'a duration of more than 0 ms: a number or a text such as "15m"',
      value,
    );
  }
  return Math.ceil(parsed);
}

/** A duration that a timer can wait. */
export function parseTimeout(option: string, value: unknown): number {
  const timeout = parseDuration(option, value);
  if (timeout > LONGEST_TIMER) throw new CacheOpsConfigError(option, 'a duration of at most 24 days', value);
  return timeout;
}

/**
 * @returns whole bytes
 * @throws CacheOpsConfigError when the value is no size of at least 1 byte
 */
export function parseBytes(option: string, value: unknown): number {
  const parsed = typeof value === 'string' ? bytes.parse(value) : value;
  // `bytes` reads '12 monkeys' as 12: a text has to be a number and a unit, and nothing else.
  const isText = typeof value !== 'string' || /^\s*[\d.]+\s*(?:[kmgtp]?b)?\s*$/i.test(value);
  if (!isText || typeof parsed !== 'number' || !Number.isFinite(parsed) || parsed < 1) {
    throw new CacheOpsConfigError(option, 'a size: a number of bytes or a text such as "64mb"', value);
  }
  return Math.floor(parsed);
}

/** @throws CacheOpsConfigError when the value is none of `allowed` */
export function parseChoice<T extends string>(option: string, value: unknown, allowed: readonly T[]): T {
  if (allowed.includes(value as T)) return value as T;
  throw new CacheOpsConfigError(option, allowed.map((text) => JSON.stringify(text)).join(' or '), value);
}

export function parseBoolean(option: string, value: unknown): boolean {
  if (typeof value === 'boolean') return value;
  throw new CacheOpsConfigError(option, 'true or false', value);
}

/**
 * The plain object's entries whose value is not `undefined`.
 * @throws CacheOpsConfigError when it is not a plain object, or has a key that is not in `allowed`
 */
export function parseRecord<K extends string>(
  option: string,
  value: unknown,
  allowed: readonly K[],
): Partial<Record<K, unknown>> {
  if (!isPlainObject(value)) throw new CacheOpsConfigError(option, 'an object', value);
  const given: Partial<Record<K, unknown>> = {};
  // At every call of `getOrSet`: no list is made of what is there.
  for (const key of Object.keys(value)) {
    if (value[key] === undefined) continue;
    if (!allowed.includes(key as K)) throw unknownKey(option, key, allowed);
    given[key as K] = value[key];
  }
  return given;
}

function unknownKey(option: string, key: string, allowed: readonly string[]): CacheOpsConfigError {
  const near = nearest(key, allowed);
  const expected = `one of ${allowed.join(', ')}`;
  const path = option === ROOT ? key : `${option}.${key}`;
  return new CacheOpsConfigError(path, expected, key, near ? `Did you mean ${near}?` : undefined);
}

/** Path of the options object itself. */
export const ROOT = 'options';

export function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  // Objects of another realm have another Object.prototype, whose own prototype is null as well.
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** The allowed name that a typo may have meant. */
function nearest(key: string, allowed: readonly string[]): string | undefined {
  const ranked = allowed.map((name) => ({
    name,
    distance: editDistance(key.toLowerCase(), name.toLowerCase()),
  }));
  const best = ranked.sort((a, b) => a.distance - b.distance)[0];
  return best && best.distance <= Math.max(2, key.length / 3) ? best.name : undefined;
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const swap = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next[j] = Math.min((row[j] as number) + 1, (next[j - 1] as number) + 1, swap);
    }
    row = next;
  }
  return row[b.length] as number;
}
