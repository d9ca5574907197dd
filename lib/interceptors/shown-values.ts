import { CacheOpsConfigError } from '../cacheops.errors.js';

/**
 * What of a record an error response may show: properties by path (`'title'`, `'genre.name'`), what class-transformer
 * leaves of it under the route's `@SerializeOptions()`, or what a function makes of it.
 */
export type ShownValues = readonly string[] | 'serialized' | ((record: object) => object);

/** What one response shows of a record; `undefined` for one of which it cannot be told what may be seen. */
export type View = (record: object) => Promise<Readonly<Record<string, unknown>> | undefined>;

/** @param serializeOptions of the route, for class-transformer */
export function viewOf(shown: ShownValues, serializeOptions: object): View {
  if (typeof shown === 'function') return async (record) => ({ ...shown(record) });
  if (shown === 'serialized') return (record) => serialized(record, serializeOptions);
  return async (record) => {
    const found = shown.map((path) => [path, valueAt(record, path)] as const);
    return Object.fromEntries(found.filter(([, value]) => isPlain(value)));
  };
}

async function serialized(record: object, options: object): Promise<Record<string, unknown> | undefined> {
  // What is hidden stands on the class.
  if (Object.getPrototypeOf(record) === Object.prototype) return undefined;
  const { instanceToPlain } = await import('class-transformer').catch((cause: unknown) => {
    throw new CacheOpsConfigError(
      'show',
      'the package class-transformer to be installed',
      'serialized',
      String(cause),
    );
  });
  return instanceToPlain(record, options);
}

function valueAt(record: unknown, path: string): unknown {
  let value = record;
  for (const name of path.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
    value = (value as Record<string, unknown>)[name];
  }
  return value;
}

/** A related entity is not shown as a whole: which of its properties may be seen, nobody has said. */
function isPlain(value: unknown): boolean {
  if (value === undefined || typeof value === 'function') return false;
  if (typeof value !== 'object' || value === null || value instanceof Date) return true;
  if (Array.isArray(value)) return value.every(isPlain);
  const prototype: unknown = Object.getPrototypeOf(value);
  return (prototype === Object.prototype || prototype === null) && Object.values(value).every(isPlain);
}
