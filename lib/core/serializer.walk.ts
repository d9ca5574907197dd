import { types } from 'node:util';
import { CacheOpsSerializationError, describe } from '../cacheops.errors.js';
import type { ClassRegistry } from './class-registry.js';
import { escape, viewNameOf } from './serializer.escape.js';

/** Deeper graphs are refused: packing and unpacking recurse, and the stack of another process is not known. */
export const MAX_DEPTH = 500;

/** `__proto__` would set a prototype, and `__keys__` is a name that msgpackr keeps its own data under. */
const UNSAFE_KEYS: ReadonlySet<string> = new Set(['__proto__', '__keys__']);

/** Natives that msgpackr stores with their exact type; a subclass has another prototype and is not among them. */
const EXACT_NATIVES: ReadonlySet<object> = new Set<object>([
  Date.prototype,
  Buffer.prototype,
  Uint8Array.prototype,
]);

type WellFormed = string & { isWellFormed(): boolean };
const isWellFormed = (text: string): boolean => (text as WellFormed).isWellFormed();

/**
 * One walk over a value that is to be stored. It refuses what would not come back, and returns the value itself,
 * or, where something must be escaped, a copy of the path to it (`escaped` is then set).
 */
export class StoreWalk {
  escaped = false;
  private readonly path: string[] = [];
  private readonly ancestors: object[] = [];

  constructor(private readonly classes: ClassRegistry | undefined) {}

  visit(value: unknown): unknown {
    switch (typeof value) {
      case 'string':
        return isWellFormed(value) ? value : this.escape('utf16', Buffer.from(value, 'utf16le'));
      case 'number':
        return Object.is(value, -0) ? this.escape('negative-zero') : value;
      case 'function':
        return this.fail(describe(value), 'store data only, or exclude the property');
      case 'symbol':
        return this.fail('a symbol', 'store a string');
      case 'object':
        return value === null ? null : this.visitObject(value);
      default:
        return value;
    }
  }

  private visitObject(value: object): unknown {
    if (this.ancestors.length >= MAX_DEPTH) this.failDepth();
    this.ancestors.push(value);
    const prototype = Object.getPrototypeOf(value) as object | null;
    const stored =
      prototype === Object.prototype
        ? this.visitRecord(value as Record<string, unknown>, 'record')
        : prototype === Array.prototype
          ? this.visitArray(value as unknown[])
          : this.visitOther(value, prototype);
    this.ancestors.pop();
    return stored;
  }

  private visitOther(value: object, prototype: object | null): unknown {
    if (prototype === null) return this.visitRecord(value as Record<string, unknown>, 'null-record');
    if (EXACT_NATIVES.has(prototype)) return value;
    if (prototype === Map.prototype) return this.visitMap(value as Map<unknown, unknown>);
    if (prototype === Set.prototype) return this.visitSet(value as Set<unknown>);
    const view = viewNameOf(prototype);
    if (view) return this.escape('view', view, bytesOf(value as ArrayBuffer | ArrayBufferView));
    if (prototype === RegExp.prototype) {
      const { source, flags, lastIndex } = value as RegExp;
      return this.escape('regexp', this.visit(source), flags, lastIndex);
    }
    const codec = this.classes?.byPrototype(prototype);
    if (codec) return this.escape('class', codec.name, this.visitChild('', codec.encode(value)));
    const local = fromOtherRealm(value, prototype);
    if (local !== undefined) return this.visit(local);
    return this.fail(describeInstance(value), hintFor(value));
  }

  private visitRecord(record: Record<string, unknown>, tag: 'record' | 'null-record'): unknown {
    const keys = Object.keys(record);
    if (Object.getOwnPropertyNames(record).length !== keys.length) {
      this.fail('an object with properties that are not enumerable', 'store a plain copy: `{ ...object }`');
    }
    this.refuseSymbolKeys(record);
    let copy: Record<string, unknown> | undefined;
    let unsafe = tag === 'null-record';
    for (const key of keys) {
      if (!isWellFormed(key) || UNSAFE_KEYS.has(key)) unsafe = true;
      const property = Object.getOwnPropertyDescriptor(record, key)!;
      if (property.get ?? property.set)
        this.failAt(`.${key}`, 'an accessor property', 'store a plain copy: `{ ...object }`');
      const item: unknown = property.value;
      if (isInert(item)) continue;
      const stored = this.visitChild(key, item);
      if (stored !== item) (copy ??= { ...record })[key] = stored;
    }
    if (!unsafe) return copy ?? record;
    const values = keys.map((key) => (copy ?? record)[key]);
    return this.escape(
      tag,
      keys.map((key) => this.visit(key)),
      values,
    );
  }

  private visitArray(array: unknown[]): unknown {
    const { length } = array;
    const keys = Object.keys(array);
    this.refuseSymbolKeys(array);
    // Indexes come first and ascend, so this one comparison finds holes and named properties.
    const dense = keys.length === length && (length === 0 || keys[length - 1] === String(length - 1));
    if (!dense) return this.visitSparse(array, keys);
    let copy: unknown[] | undefined;
    for (let i = 0; i < length; i++) {
      const item = array[i];
      if (isInert(item)) continue;
      const stored = this.visitChild(i, item);
      if (stored !== item) (copy ??= array.slice())[i] = stored;
    }
    return copy ?? array;
  }

  private visitSparse(array: readonly unknown[], keys: readonly string[]): unknown {
    const extra = keys.find((key) => String(Number(key) >>> 0) !== key);
    if (extra !== undefined) {
      this.failAt(
        `.${extra}`,
        'a named property of an array',
        'store the array and the property in an object',
      );
    }
    const indexes = keys.map(Number);
    const values = indexes.map((index) => this.visitChild(index, array[index]));
    return this.escape('sparse', array.length, indexes, values);
  }

  private visitMap(map: ReadonlyMap<unknown, unknown>): unknown {
    let changed = false;
    const entries = [...map].map(([key, item]): [unknown, unknown] => {
      const storedKey = this.visitChild('keys()', key);
      const stored = this.visitChild(
        `get(${key !== null && typeof key === 'object' ? '…' : String(key)})`,
        item,
      );
      changed ||= !Object.is(storedKey, key) || !Object.is(stored, item);
      return [storedKey, stored];
    });
    return changed ? new Map(entries) : map;
  }

  private visitSet(set: ReadonlySet<unknown>): unknown {
    let changed = false;
    const items = [...set].map((item) => {
      const stored = this.visitChild('values()', item);
      changed ||= !Object.is(stored, item);
      return stored;
    });
    return changed ? new Set(items) : set;
  }

  private visitChild(step: string | number, item: unknown): unknown {
    this.path.push(typeof step === 'number' ? `[${step}]` : step && `.${step}`);
    const stored = this.visit(item);
    this.path.pop();
    return stored;
  }

  private escape(...parts: Parameters<typeof escape>): unknown[] {
    this.escaped = true;
    return escape(...parts);
  }

  private refuseSymbolKeys(value: object): void {
    const [symbol] = Object.getOwnPropertySymbols(value);
    if (symbol) this.failAt(`[${String(symbol)}]`, 'a property named by a symbol', 'store it under a string');
  }

  private failDepth(): never {
    const repeated = this.ancestors.findIndex((ancestor, i) => this.ancestors.indexOf(ancestor) < i);
    if (repeated < 0) this.fail(`nested deeper than ${MAX_DEPTH} levels`, 'store a flatter value');
    this.path.length = repeated;
    this.fail('a reference back to an object that contains it', 'store ids in place of cyclic references');
  }

  private failAt(step: string, what: string, hint: string): never {
    this.path.push(step);
    return this.fail(what, hint);
  }

  private fail(what: string, hint: string): never {
    const path = `value${this.path.join('')}`;
    throw new CacheOpsSerializationError(path, `${path} is ${what} and cannot be cached; ${hint}`);
  }
}

/** Stored as it is, without a look inside: the case that must cost nothing. */
function isInert(value: unknown): boolean {
  switch (typeof value) {
    case 'string':
      return isWellFormed(value);
    case 'number':
      return value !== 0 || 1 / value > 0;
    case 'object':
      return value === null;
    case 'function':
    case 'symbol':
      return false;
    default:
      return true;
  }
}

function bytesOf(value: ArrayBuffer | ArrayBufferView): Buffer {
  return ArrayBuffer.isView(value)
    ? Buffer.from(value.buffer, value.byteOffset, value.byteLength)
    : Buffer.from(value);
}

/**
 * A local copy of a plain value made in another realm (`vm` contexts; under Jest everything that Node itself
 * makes, such as the result of `fetch().json()`): same data, but prototypes that no identity test knows.
 */
function fromOtherRealm(value: object, prototype: object): unknown {
  const native = (prototype.constructor as { name?: string } | undefined)?.name;
  const parent = Object.getPrototypeOf(prototype) as object | null;
  if (parent === null) return native === 'Object' ? { ...value } : undefined;
  // A subclass, even one named like its base, is further from the root of its realm than the native itself.
  if (Object.getPrototypeOf(parent) !== null) return undefined;
  if (native === 'Array' && Array.isArray(value)) return Array.from(value as unknown[]);
  if (native === 'Date' && types.isDate(value)) return new Date(value.getTime());
  if (native === 'Map' && types.isMap(value)) return new Map(value);
  if (native === 'Set' && types.isSet(value)) return new Set(value);
  if (native === 'RegExp' && types.isRegExp(value)) return new RegExp(value.source, value.flags);
  return undefined;
}

function describeInstance(value: object): string {
  const name = (value.constructor as { name?: string } | undefined)?.name;
  return name ? `an instance of ${name}` : 'an object with a prototype of its own';
}

function hintFor(value: object): string {
  if (types.isPromise(value)) return 'await it first';
  if (types.isNativeError(value)) return 'errors are not values: throw it, or store its message';
  if (types.isWeakMap(value) || types.isWeakSet(value)) return 'its content cannot be listed';
  if (types.isBoxedPrimitive(value)) return 'store the primitive (`valueOf()`)';
  return 'store plain data, or register a codec for its class';
}
