import { isDeepStrictEqual, types } from 'node:util';

/**
 * Why two values are not the same to the last detail, or undefined: types, prototypes, own keys and their order,
 * -0, holes, entries in order. A mutable object that both have in common is a difference too.
 */
export function difference(expected: unknown, actual: unknown, path = 'value'): string | undefined {
  if (typeof expected !== 'object' || expected === null) {
    return Object.is(expected, actual) ? undefined : `${path}: ${String(expected)} became ${String(actual)}`;
  }
  if (typeof actual !== 'object' || actual === null) return `${path}: became ${String(actual)}`;
  if (expected === actual) return `${path}: the same object, not a copy`;
  if (Object.getPrototypeOf(expected) !== Object.getPrototypeOf(actual)) return `${path}: another prototype`;
  if (types.isDate(expected)) return difference(expected.getTime(), (actual as Date).getTime(), path);
  if (ArrayBuffer.isView(expected))
    return isDeepStrictEqual(expected, actual) ? undefined : `${path}: other bytes`;
  if (expected instanceof Map)
    return difference([...expected], [...(actual as Map<unknown, unknown>)], `${path}.map`);
  if (expected instanceof Set) return difference([...expected], [...(actual as Set<unknown>)], `${path}.set`);
  if (!isPlain(expected) && !isDeepStrictEqual(expected, actual)) return `${path}: not deeply equal`;
  return propertyDifference(expected, actual, path);
}

function isPlain(value: object): boolean {
  const prototype = Object.getPrototypeOf(value) as unknown;
  return prototype === null || prototype === Object.prototype || Array.isArray(value);
}

function propertyDifference(expected: object, actual: object, path: string): string | undefined {
  const [keys, others] = [Reflect.ownKeys(expected), Reflect.ownKeys(actual)];
  if (!isDeepStrictEqual(keys, others))
    return `${path}: keys [${keys.map(String)}] became [${others.map(String)}]`;
  for (const key of keys) {
    const item = (expected as Record<PropertyKey, unknown>)[key];
    const found = difference(item, (actual as Record<PropertyKey, unknown>)[key], `${path}.${String(key)}`);
    if (found) return found;
  }
  return undefined;
}
