/**
 * The few functions of a test runner that the contract suites use. Jest and Vitest (with `globals: true`) both have
 * them; they are looked up when a suite is declared, so that importing this package needs no runner.
 */
export interface TestGlobals {
  readonly describe: (name: string, body: () => void) => void;
  readonly it: (name: string, body: () => Promise<void> | void) => void;
  readonly beforeEach: (body: () => Promise<void> | void) => void;
  readonly afterEach: (body: () => Promise<void> | void) => void;
  readonly expect: (actual: unknown) => Expectation;
}

/** The matchers that the suites use. */
export interface Expectation {
  toBe(expected: unknown): void;
  toEqual(expected: unknown): void;
}

/** @throws Error when no test runner has put its functions in the global scope */
export function testGlobals(): TestGlobals {
  const globals = globalThis as unknown as Partial<TestGlobals>;
  if (!globals.describe || !globals.it || !globals.expect) {
    throw new Error('contract suites run inside a test runner with global describe, it and expect');
  }
  return globals as TestGlobals;
}
