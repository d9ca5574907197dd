import { CacheOpsConfigError, describe } from '../cacheops.errors.js';
import type { EntityClass, EntitySchemaLike } from '../core/entity-model.js';
import { CACHE_OPS, type CacheOp, type ProfileRule } from '../core/profile.js';
import { parseRefill, REFILL_OPTIONS, type RefillOptions } from './refill.js';
import { type Duration, isPlainObject, parseChoice, parseDuration, parseRecord } from './parse.js';

/** How reads of an entity are cached. */
export interface EntityProfile extends RefillOptions {
  /** Reads that are cached without asking; all others only where the query says `cache: true`. Default: none. */
  readonly ops?: CacheOp | readonly CacheOp[] | 'all' | undefined;
  /** How long a result may be kept. Default: the option `ttl`. */
  readonly ttl?: Duration | undefined;
}

/** An entity (name, glob over names, class, EntitySchema) and its profile; `false` forbids caching, even by hand. */
export type EntityRule = readonly [
  entity: string | EntityClass | EntitySchemaLike,
  profile: EntityProfile | false,
];

/** The option `entities`: by name or glob, or, in order and also by class, as a list. */
export type EntitiesOption = Readonly<Record<string, EntityProfile | false>> | readonly EntityRule[];

/** @throws CacheOpsConfigError on a malformed rule, or on the same entity twice */
export function parseEntityRules(option: string, value: unknown, defaultTtl: number): readonly ProfileRule[] {
  return parseEntityEntries(option, value).map(([path, entity, profile]) =>
    Object.freeze({ entity, profile: parseProfile(path, profile, defaultTtl) }),
  );
}

type Entry = readonly [path: string, entity: ProfileRule['entity'], value: unknown];

/**
 * What an option says of each entity, with the path by which messages name it.
 * @throws CacheOpsConfigError on what is no entity, or on the same entity twice
 */
export function parseEntityEntries(option: string, value: unknown): readonly Entry[] {
  const entries = Array.isArray(value)
    ? value.map((rule: unknown, i) => entryOf(`${option}[${i}]`, rule))
    : named(option, value);
  const seen = new Set<ProfileRule['entity']>();
  for (const [path, entity] of entries) {
    if (seen.has(entity)) throw new CacheOpsConfigError(path, 'one rule for each entity', entity);
    seen.add(entity);
  }
  return entries;
}

function named(option: string, value: unknown): readonly Entry[] {
  if (!isPlainObject(value)) {
    throw new CacheOpsConfigError(option, 'an object by entity name, or a list of [entity, value]', value);
  }
  return Object.entries(value)
    .filter(([, profile]) => profile !== undefined)
    .map(([name, profile]) => [`${option}.${name}`, name, profile]);
}

function entryOf(path: string, rule: unknown): Entry {
  if (!Array.isArray(rule) || rule.length !== 2) throw new CacheOpsConfigError(path, '[entity, value]', rule);
  const [entity, profile] = rule as [unknown, unknown];
  return [`${path}(${nameOf(entity)})`, targetOf(path, entity), profile];
}

function targetOf(path: string, entity: unknown): ProfileRule['entity'] {
  if (typeof entity === 'string' && entity !== '') return entity;
  if (typeof entity === 'function') return entity as ProfileRule['entity'];
  const options = (entity as Partial<EntitySchemaLike> | null | undefined)?.options;
  const target = options?.target ?? options?.name;
  if (typeof target === 'string' || typeof target === 'function') return target as ProfileRule['entity'];
  throw new CacheOpsConfigError(`${path}[0]`, 'an entity class, an EntitySchema, a name or a glob', entity);
}

const nameOf = (entity: unknown): string =>
  typeof entity === 'string' ? entity : typeof entity === 'function' ? entity.name : describe(entity);

function parseProfile(path: string, value: unknown, defaultTtl: number): ProfileRule['profile'] {
  if (value === false) return false;
  if (!isPlainObject(value))
    throw new CacheOpsConfigError(path, 'a profile such as { ops: "get", ttl: "1h" }, or false', value);
  const { ops, ttl, ...refill } = parseRecord(path, value, ['ops', 'ttl', ...REFILL_OPTIONS]);
  return Object.freeze({
    ops: parseOps(`${path}.ops`, ops),
    ttl: ttl === undefined ? defaultTtl : parseDuration(`${path}.ttl`, ttl),
    refill: parseRefill(`${path}.`, refill),
  });
}

function parseOps(option: string, value: unknown): ReadonlySet<CacheOp> {
  if (value === undefined) return new Set();
  if (value === 'all') return new Set(CACHE_OPS);
  if (Array.isArray(value)) return new Set(value.map((op: unknown) => parseChoice(option, op, CACHE_OPS)));
  return new Set([parseChoice(option, value, [...CACHE_OPS, 'all'] as const) as CacheOp]);
}
