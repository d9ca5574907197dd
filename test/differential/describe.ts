/**
 * A result as text in which everything counts that a caller can see: classes of entities, dates to the millisecond,
 * bytes, `undefined` against absent. The lists of a relation have no order unless the query says one, so their
 * members are sorted; the outermost list stands as it is.
 */
export function describe(value: unknown, depth = 0): string {
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'bigint') return `${value}n`;
  if (Object.is(value, -0)) return '-0';
  if (typeof value !== 'object' || value === null) return String(value);
  if (value instanceof Date) return `Date(${value.getTime()})`;
  if (Buffer.isBuffer(value)) return `Buffer(${value.toString('hex')})`;
  if (value instanceof Promise) return 'Promise';
  if (Array.isArray(value)) return describeList(value, depth);
  return describeObject(value, depth);
}

function describeList(list: readonly unknown[], depth: number): string {
  const members = list.map((item) => describe(item, depth + 1));
  const unordered = depth > 0 && list.some((item) => classOf(item) !== '');
  return `[${(unordered ? members.sort() : members).join(', ')}]`;
}

function describeObject(object: object, depth: number): string {
  const properties: string[] = [];
  for (const key of Object.keys(object).sort()) {
    const property = Object.getOwnPropertyDescriptor(object, key) as PropertyDescriptor;
    // A lazy relation loads when it is looked at; what it has loaded stands beside it in `__relation__`.
    const text = property.get ? 'accessor' : describe(property.value, depth + 1);
    properties.push(`${key}: ${text}`);
  }
  return `${classOf(object)}{${properties.join(', ')}}`;
}

/** Drivers give raw rows classes of their own that mean nothing; those of entities are known by name. */
function classOf(value: unknown): string {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return '';
  const name = (Object.getPrototypeOf(value) as object | null)?.constructor?.name ?? '';
  return ENTITY_CLASS.test(name) ? name : '';
}

const ENTITY_CLASS =
  /^(?:Article|Category|Author|Address|Profile|Label|Comment|Asset|Picture|Video|Topic|Folder|Setting)$/;
