import type { ObjectLiteral } from 'typeorm';
import type { Attempt } from './conflicts.js';
import type { SeenVersion } from './version-columns.js';

/** What a statement must find of one row. */
export interface Expectation extends Attempt {
  /** The version stays as it is: only what does not count was changed. `undefined`: the statement's values decide. */
  readonly hold: boolean | undefined;
  /** The version that `save()` found before its transaction; `null`: no row, `undefined`: it did not look. */
  readonly before: SeenVersion | null | undefined;
}

/**
 * From `save()` to the builder of its statement. Both hold the very object that identifies the row, so it is the key:
 * the same row twice in one save are two keys, and nothing needs cleaning up.
 */
export class Expectations {
  private readonly byIdentifier = new WeakMap<ObjectLiteral, Expectation>();

  set(identifier: ObjectLiteral, expectation: Expectation): void {
    this.byIdentifier.set(identifier, expectation);
  }

  of(identifier: unknown): Expectation | undefined {
    return typeof identifier === 'object' && identifier !== null
      ? this.byIdentifier.get(identifier)
      : undefined;
  }
}
