/** Every code an error of this package can carry; `docs/errors.md` lists them and a test keeps the two equal. */
export const ERROR_CODES = {
  CONFIG: 'An option is unknown, malformed or contradicts another one.',
  SERIALIZATION: 'A value cannot be stored and read back as the same value.',
  UNKNOWN_ENTITY: 'A class, name or object is not an entity of any observed DataSource.',
  UNKNOWN_DEPENDENCY: 'A dependency is neither an entity, a row, a condition nor a tag.',
  INVALIDATION: 'An invalidation could not be delivered and `onRedisFailure` is `fail`.',
  DRIVER: 'The backend of cache or locks failed or did not answer in time.',
  LOAD_TIMEOUT: 'A loader did not settle within its `timeout`.',
  SQL: 'A statement could not be analysed.',
  LOCK_BUSY: 'A lock was not free within the time to wait for it.',
  LOCK_LOST: 'A lock was lost before it was released.',
  FENCED: 'Somebody who got a lock later has written already.',
  RECORD_MODIFIED: 'A row was modified or deleted since it was read.',
  RETRY_IN_TRANSACTION: 'Work was to be repeated inside the transaction in which it had failed.',
  VERSION_TOKEN: 'A version token is missing, was altered, or belongs to another record.',
} as const;

export type CacheOpsErrorCode = keyof typeof ERROR_CODES;

/** Base of all errors of this package. `code` is stable across releases; the message is not. */
export class CacheOpsError extends Error {
  constructor(
    readonly code: CacheOpsErrorCode,
    message: string,
    options?: { cause?: unknown },
  ) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** A bad option: names the option, what was expected, what came. */
export class CacheOpsConfigError extends CacheOpsError {
  constructor(
    readonly option: string,
    readonly expected: string,
    readonly given: unknown,
    hint?: string,
  ) {
    super('CONFIG', `${option}: expected ${expected}, got ${describe(given)}${hint ? `. ${hint}` : ''}`);
  }
}

/** A value that would not survive the round trip; `path` says where in the value it sits. */
export class CacheOpsSerializationError extends CacheOpsError {
  constructor(
    readonly path: string,
    message: string,
    options?: { cause?: unknown },
  ) {
    super('SERIALIZATION', message, options);
  }
}

/** A dependency that names nothing this application has: says what came, what was expected, and what to do. */
export class CacheOpsDependencyError extends CacheOpsError {
  constructor(
    code: 'UNKNOWN_ENTITY' | 'UNKNOWN_DEPENDENCY',
    readonly expected: string,
    readonly given: unknown,
    hint?: string,
  ) {
    super(code, `expected ${expected}, got ${describe(given)}${hint ? `. ${hint}` : ''}`);
  }
}

/** Short, safe rendering of a bad value for a message. */
export function describe(value: unknown): string {
  if (typeof value === 'string')
    return JSON.stringify(value.length > 80 ? `${value.slice(0, 77)}...` : value);
  if (typeof value === 'function') return `function ${value.name || '(anonymous)'}`;
  if (value === null || typeof value !== 'object') return String(value);
  const name = value.constructor?.name;
  return name && name !== 'Object'
    ? `an instance of ${name}`
    : (JSON.stringify(value)?.slice(0, 80) ?? 'an object');
}
