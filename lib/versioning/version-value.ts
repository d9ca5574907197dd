import { CacheOpsConfigError } from '../cacheops.errors.js';
import type { RecordVersion } from './record-version.js';

/** A version as text, with its type: `3`, `t1893456000000`, `s4711`. */
export function encodeVersion(version: RecordVersion): string {
  if (version instanceof Date) return `t${version.getTime()}`;
  return typeof version === 'string' ? `s${encodeURIComponent(version)}` : String(version);
}

/** @returns `undefined` when the text is not one of `encodeVersion` */
export function decodeVersion(text: string): RecordVersion | undefined {
  const version = parse(text);
  return version !== undefined && encodeVersion(version) === text ? version : undefined;
}

function parse(text: string): RecordVersion | undefined {
  if (/^-?\d+$/.test(text)) {
    return Number.isSafeInteger(Number(text)) ? Number(text) : undefined;
  }
  if (/^t-?\d+$/.test(text)) {
    const time = new Date(Number(text.slice(1)));
    return Number.isNaN(time.getTime()) ? undefined : time;
  }
  try {
    return text.startsWith('s') ? decodeURIComponent(text.slice(1)) : undefined;
  } catch {
    return undefined;
  }
}

/**
 * A primary key as text: the same for a number and its digits, because a route has only text.
 *
 * @param id a value, or an object of several; an object of one is the same as its value
 * @throws CacheOpsConfigError when a part of it is no value of a key
 */
export function idText(id: unknown): string {
  if (!isKeyObject(id)) return valueText(id);
  const parts = Object.entries(id).sort(([a], [b]) => (a < b ? -1 : 1));
  const [first] = parts;
  if (first && parts.length === 1) return valueText(first[1]);
  return parts.map(([name, value]) => `${encodeURIComponent(name)}=${valueText(value)}`).join('&');
}

function valueText(value: unknown): string {
  if (value instanceof Date) return encodeURIComponent(value.toISOString());
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  if (typeof value === 'string') return encodeURIComponent(value);
  if (typeof value === 'number' || typeof value === 'bigint') return String(value);
  throw new CacheOpsConfigError('id', 'a value of a primary key', value);
}

const isKeyObject = (id: unknown): id is Readonly<Record<string, unknown>> =>
  typeof id === 'object' && id !== null && !(id instanceof Date) && !(id instanceof Uint8Array);
