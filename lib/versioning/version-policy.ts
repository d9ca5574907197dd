import type { ProfileRule } from '../core/profile.js';

/**
 * What tells that a row has changed. `column`: the counter of `@VersionColumn()`. `updateDate`: the time of
 * `@UpdateDateColumn()`, to the millisecond. `xmin`: PostgreSQL's own, in a property declared with `@RowVersion()`.
 */
export type VersionKind = 'column' | 'updateDate' | 'xmin';

/** How the writes of one entity are guarded. */
export interface VersionPolicy {
  readonly kind: VersionKind;
  /** What a write means whose entity carries no version. `require`: it is refused. `skip`: it is not checked. */
  readonly missing: 'require' | 'skip';
  /** Properties that count (`@VersionFields`); `undefined`: all. A change of others neither bumps nor conflicts. */
  readonly fields: readonly string[] | undefined;
  /** Relations whose rows are a part of the entity: when they change, so does its version. */
  readonly owns: readonly string[];
  /** Whether the entity is kept as it was loaded, for `RecordModifiedError.base` and for merging. */
  readonly base: boolean;
}

/** What a rule says; the rest follows from the options that stand beside `entities`. */
export type PartialVersionPolicy = Partial<VersionPolicy>;

/** One line of the option `versioning.entities`; `false`: not guarded. */
export interface VersionRule {
  /** Entity name, glob over entity names, or class. */
  readonly entity: ProfileRule['entity'];
  readonly policy: PartialVersionPolicy | false;
}

/** The option `versioning`, complete. */
export interface VersioningSettings {
  /** `all`: every entity with a version column. `listed`: those in `entities`, and those with `@VersionFields`. */
  readonly guard: 'all' | 'listed';
  readonly missing: 'require' | 'skip';
  readonly base: boolean;
  /** The first that matches wins. */
  readonly entities: readonly VersionRule[];
}
