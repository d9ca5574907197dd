const numbered = (prefix: string, last: number, digits: number): string[] =>
  Array.from({ length: last }, (_, i) => prefix + String(i + 1).padStart(digits, '0'));

/** The cases of django-cacheops' suite, and those in which it fails and this package must not. */
export const CASE_IDS: readonly string[] = [...numbered('CO-', 152, 3), ...numbered('CO-X', 20, 2)];

/** Those of django-concurrency; their tests are in `test/versioning`. */
export const VERSION_CASE_IDS: readonly string[] = [...numbered('CC-', 101, 3), ...numbered('CC-X', 7, 2)];

/** Those of django-cache-lock; their tests are in `test/locks`. */
export const LOCK_CASE_IDS: readonly string[] = [...numbered('CL-', 18, 2), ...numbered('CL-X', 8, 2)];

/** Those of the cacheme family; their tests are in `test/conformance`. */
export const CACHEME_CASE_IDS: readonly string[] = [...numbered('CM-', 66, 2), ...numbered('CM-X', 6, 2)];

/** Those of django-icache; their tests are with the versioned cache and the templates. */
export const ICACHE_CASE_IDS: readonly string[] = numbered('IC-X', 4, 2);
