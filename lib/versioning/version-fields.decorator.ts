const FIELDS = Symbol('cacheops.versionFields');

/**
 * Class decorator of an entity with a `@VersionColumn()`: only these properties count. A change of any other neither
 * increments the version nor conflicts with the edits of others. Subclasses inherit it.
 *
 * @param properties columns, embedded objects or relations, by property path
 */
export const VersionFields =
  (...properties: readonly [string, ...string[]]): ClassDecorator =>
  (target) => {
    Object.defineProperty(target, FIELDS, { value: Object.freeze([...properties]) });
  };

/** What `@VersionFields` says of a class; `undefined`: nothing. */
export const versionFieldsOf = (target: unknown): readonly string[] | undefined =>
  typeof target === 'function'
    ? (target as { [FIELDS]?: readonly string[] } & typeof target)[FIELDS]
    : undefined;
