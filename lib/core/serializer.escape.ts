import { C1 } from 'msgpackr';
import { CacheOpsSerializationError } from '../cacheops.errors.js';
import type { ClassRegistry } from './class-registry.js';

/**
 * An escape is an array `[C1, tag, ...]` that stands for a value msgpackr would change silently. C1 is msgpackr's
 * singleton for the byte 0xc1 that no MessagePack value uses; storable data cannot contain it, so an escape can
 * not be mistaken for data.
 */
export const ESCAPE: unknown = C1;

export type EscapeTag =
  'negative-zero' | 'utf16' | 'record' | 'null-record' | 'sparse' | 'regexp' | 'view' | 'class';

/**
 * Binary natives by name. msgpackr knows them too, but by `instanceof`, and so not where a test runner gives each
 * file its own globals: it would store an empty object.
 */
const VIEWS: ReadonlyMap<string, new (buffer: ArrayBuffer) => object> = new Map(
  [
    ...[DataView, Int8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array, Uint32Array],
    ...[Float32Array, Float64Array, BigInt64Array, BigUint64Array],
  ].map((view) => [view.name, view]),
);

const VIEW_NAMES: ReadonlyMap<object, string> = new Map(
  [...VIEWS.values(), ArrayBuffer].map((view) => [view.prototype as object, view.name]),
);

/** The name to store with an escape of the tag `view`; undefined for other prototypes. */
export function viewNameOf(prototype: object): string | undefined {
  return VIEW_NAMES.get(prototype);
}

export function escape(tag: EscapeTag, ...parts: unknown[]): unknown[] {
  return [ESCAPE, tag, ...parts];
}

/**
 * Restores escapes, in place where it can.
 *
 * @throws CacheOpsSerializationError for an unknown tag or a class that is not registered here.
 */
export function revive(value: unknown, classes: ClassRegistry | undefined): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) {
    if (value[0] === ESCAPE) return reviveEscape(value, classes);
    for (let i = 0; i < value.length; i++) value[i] = revive(value[i], classes);
    return value;
  }
  if (value instanceof Map) {
    return new Map([...value].map(([key, item]) => [revive(key, classes), revive(item, classes)]));
  }
  if (value instanceof Set) return new Set([...value].map((item) => revive(item, classes)));
  if (Object.getPrototypeOf(value) !== Object.prototype) return value;
  const record = value as Record<string, unknown>;
  for (const key of Object.keys(record)) record[key] = revive(record[key], classes);
  return record;
}

function reviveEscape(parts: readonly unknown[], classes: ClassRegistry | undefined): unknown {
  switch (parts[1] as EscapeTag) {
    case 'negative-zero':
      return -0;
    case 'utf16':
      return (parts[2] as Buffer).toString('utf16le');
    case 'record':
      return reviveRecord({}, parts, classes);
    case 'null-record':
      return reviveRecord(Object.create(null) as object, parts, classes);
    case 'sparse':
      return reviveSparse(parts, classes);
    case 'regexp': {
      const regexp = new RegExp(revive(parts[2], classes) as string, parts[3] as string);
      regexp.lastIndex = parts[4] as number;
      return regexp;
    }
    case 'view': {
      // A copy, because the decoded buffer need not start at a multiple of the element size.
      const { buffer } = new Uint8Array(parts[3] as Buffer);
      const View = VIEWS.get(parts[2] as string);
      return View ? new View(buffer) : buffer;
    }
    case 'class':
      return reviveInstance(parts[2] as string, revive(parts[3], classes), classes);
    default:
      throw new CacheOpsSerializationError(
        'value',
        'The stored bytes hold an escape that this version does not know',
      );
  }
}

function reviveRecord(target: object, parts: readonly unknown[], classes: ClassRegistry | undefined): object {
  const keys = parts[2] as unknown[];
  const values = parts[3] as unknown[];
  for (let i = 0; i < keys.length; i++) {
    // Assignment would take '__proto__' for the prototype.
    Object.defineProperty(target, revive(keys[i], classes) as string, {
      value: revive(values[i], classes),
      configurable: true,
      enumerable: true,
      writable: true,
    });
  }
  return target;
}

function reviveSparse(parts: readonly unknown[], classes: ClassRegistry | undefined): unknown[] {
  const array: unknown[] = [];
  array.length = parts[2] as number;
  const values = parts[4] as unknown[];
  (parts[3] as number[]).forEach((index, i) => (array[index] = revive(values[i], classes)));
  return array;
}

function reviveInstance(name: string, data: unknown, classes: ClassRegistry | undefined): object {
  const codec = classes?.byName(name);
  if (!codec) {
    throw new CacheOpsSerializationError(
      'value',
      `The stored class ${JSON.stringify(name)} is not registered here`,
    );
  }
  return codec.decode(data);
}
