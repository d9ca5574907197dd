import { types } from 'node:util';

/**
 * Why a graph is not an exact copy of another, or undefined: classes, own properties with their order, attributes
 * and accessors, and which objects are shared. No object may belong to both.
 */
export function graphDifference(expected: unknown, actual: unknown): string | undefined {
  return new GraphComparison().compare(expected, actual, 'result');
}

class GraphComparison {
  private readonly copies = new Map<object, object>();

  compare(expected: unknown, actual: unknown, path: string): string | undefined {
    if (typeof expected === 'function' && typeof actual === 'function') return undefined;
    if (typeof expected !== 'object' || expected === null || typeof actual !== 'object' || actual === null) {
      return Object.is(expected, actual)
        ? undefined
        : `${path}: ${String(expected)} became ${String(actual)}`;
    }
    if (expected === actual) return `${path}: belongs to both graphs`;
    const copy = this.copies.get(expected);
    if (copy) return copy === actual ? undefined : `${path}: no longer shared`;
    this.copies.set(expected, actual);
    if (Object.getPrototypeOf(expected) !== Object.getPrototypeOf(actual)) return `${path}: another class`;
    if (types.isDate(expected)) return this.compare(expected.getTime(), (actual as Date).getTime(), path);
    if (ArrayBuffer.isView(expected)) {
      return Buffer.compare(expected as Buffer, actual as Buffer) === 0 ? undefined : `${path}: other bytes`;
    }
    if (expected instanceof Map || expected instanceof Set) {
      return this.compare([...expected], [...(actual as Set<unknown>)], `${path}.entries`);
    }
    return this.compareProperties(expected, actual, path);
  }

  private compareProperties(expected: object, actual: object, path: string): string | undefined {
    const names = Reflect.ownKeys(expected).map(String).join();
    const others = Reflect.ownKeys(actual).map(String).join();
    if (names !== others) return `${path}: ${names} became ${others}`;
    for (const key of Reflect.ownKeys(expected)) {
      const one = Object.getOwnPropertyDescriptor(expected, key)!;
      const other = Object.getOwnPropertyDescriptor(actual, key)!;
      const place = `${path}.${String(key)}`;
      if (one.enumerable !== other.enumerable || 'get' in one !== 'get' in other)
        return `${place}: other attributes`;
      const found = this.compare(one.value, other.value, place);
      if (found) return found;
    }
    return undefined;
  }
}
