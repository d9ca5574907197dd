import { CacheOpsConfigError } from '../cacheops.errors.js';
import type { EntityClass, EntitySchemaLike } from '../core/entity-model.js';
import type {
  PartialVersionPolicy,
  VersionKind,
  VersionRule,
  VersioningSettings,
} from '../versioning/version-policy.js';
import { parseEntityEntries } from './entity-rules.js';
import { isPlainObject, parseBoolean, parseChoice, parseRecord } from './parse.js';

/** How the writes of one entity are guarded; what is left out follows from the options beside `entities`. */
export interface EntityVersioning {
  /** What a write of an entity without a version means: it is refused, or not checked. */
  readonly missing?: 'require' | 'skip' | undefined;
  /** What is compared. Default `'column'`: the `@VersionColumn()`. */
  readonly kind?: VersionKind | undefined;
  /** Properties that count; a change of others neither bumps nor conflicts. Default: `@VersionFields`, else all. */
  readonly fields?: readonly string[] | undefined;
  /** Relations whose rows are a part of the entity: when they change, so does its version. Default: none. */
  readonly owns?: readonly string[] | undefined;
  /** Whether entities are kept as they were loaded. Default: the option `versioning.base`. */
  readonly base?: boolean | undefined;
}

/** An entity (name, glob over names, class, EntitySchema) and how it is guarded: `true` with all defaults, `false` not. */
export type EntityVersioningRule = readonly [
  entity: string | EntityClass | EntitySchemaLike,
  versioning: EntityVersioning | boolean,
];

/** The option `versioning`. */
export interface VersioningOptions {
  /**
   * Which entities are guarded. `'all'`: those that have a `@VersionColumn()`. `'listed'`: those in `entities`, and
   * those with `@VersionFields()`. Default `'all'`.
   */
  readonly guard?: 'all' | 'listed' | undefined;
  /**
   * What a write of an entity without a version means (it was loaded without the column, or came from a client that
   * left it out). `'require'`: it is refused. `'skip'`: it is not checked. Default `'require'`.
   */
  readonly missing?: 'require' | 'skip' | undefined;
  /** Whether entities are kept as they were loaded, for `RecordModifiedError.base` and merging. Default `false`. */
  readonly base?: boolean | undefined;
  /** By entity; the first rule that matches wins. */
  readonly entities?:
    Readonly<Record<string, EntityVersioning | boolean>> | readonly EntityVersioningRule[] | undefined;
}

/** @throws CacheOpsConfigError on an unknown name or a malformed value */
export function parseVersioning(value: unknown): VersioningSettings {
  const given = parseRecord('versioning', value, ['guard', 'missing', 'base', 'entities']);
  return Object.freeze({
    guard: parseChoice('versioning.guard', given.guard ?? 'all', ['all', 'listed']),
    missing: parseMissing('versioning.missing', given.missing ?? 'require'),
    base: parseBoolean('versioning.base', given.base ?? false),
    entities: Object.freeze(
      parseEntityEntries('versioning.entities', given.entities ?? {}).map(([path, entity, policy]) =>
        Object.freeze<VersionRule>({ entity, policy: parsePolicy(path, policy) }),
      ),
    ),
  });
}

function parsePolicy(path: string, value: unknown): PartialVersionPolicy | false {
  if (typeof value === 'boolean') return value && {};
  if (!isPlainObject(value))
    throw new CacheOpsConfigError(path, 'a policy such as { missing: "skip" }, true or false', value);
  const { missing, kind, fields, owns, base } = parseRecord(path, value, [
    'missing',
    'kind',
    'fields',
    'owns',
    'base',
  ]);
  return Object.freeze({
    ...(missing !== undefined && { missing: parseMissing(`${path}.missing`, missing) }),
    ...(kind !== undefined && {
      kind: parseChoice(`${path}.kind`, kind, ['column', 'updateDate', 'xmin'] as const),
    }),
    ...(fields !== undefined && { fields: parsePaths(`${path}.fields`, fields) }),
    ...(owns !== undefined && { owns: parsePaths(`${path}.owns`, owns) }),
    ...(base !== undefined && { base: parseBoolean(`${path}.base`, base) }),
  });
}

const parseMissing = (option: string, value: unknown): 'require' | 'skip' =>
  parseChoice(option, value, ['require', 'skip'] as const);

function parsePaths(option: string, value: unknown): readonly string[] {
  const isPath = (path: unknown): boolean => typeof path === 'string' && path !== '';
  if (Array.isArray(value) && value.length > 0 && value.every(isPath))
    return Object.freeze([...(value as string[])]);
  throw new CacheOpsConfigError(option, 'a list of property paths such as ["price", "stock"]', value);
}
