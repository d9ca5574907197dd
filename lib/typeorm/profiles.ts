import type { EntityMetadata } from 'typeorm';
import { CacheOpsConfigError } from '../cacheops.errors.js';

/** Kinds of reads that can be cached without asking. `get`: one entity, `fetch`: many, `aggregate`: raw results. */
export const CACHE_OPS = ['get', 'fetch', 'count', 'aggregate', 'exists'] as const;
export type CacheOp = (typeof CACHE_OPS)[number];

/** How the reads of an entity are cached. `ops` are cached automatically, others by hand only. */
export interface Profile {
  readonly ops: ReadonlySet<CacheOp>;
  /** Milliseconds. */
  readonly ttl: number;
}

/** One line of the `entities` option. `false` forbids caching, even by hand. */
export interface ProfileRule {
  /** Entity name, glob over entity names, or class. */
  readonly entity: string | ((...args: never[]) => unknown);
  readonly profile: Profile | false;
}

/** The profiles of all entities; the first rule that matches wins. */
export class Profiles {
  private readonly resolved = new Map<EntityMetadata, Profile | false>();

  constructor(
    private readonly rules: readonly ProfileRule[],
    private readonly fallback: Profile,
  ) {}

  /** `fallback` (by hand only) for an entity that no rule names. */
  of(metadata: EntityMetadata): Profile | false {
    let profile = this.resolved.get(metadata);
    if (profile === undefined) {
      profile = this.rules.find(({ entity }) => matches(entity, metadata))?.profile ?? this.fallback;
      this.resolved.set(metadata, profile);
    }
    return profile;
  }

  /** @throws CacheOpsConfigError when a rule names an entity that does not exist */
  assertKnown(entities: readonly EntityMetadata[]): void {
    for (const { entity } of this.rules) {
      if (typeof entity === 'string' && isGlob(entity)) continue;
      if (entities.some((metadata) => matches(entity, metadata))) continue;
      const names = [...new Set(entities.map((e) => e.name))].sort().join(', ');
      throw new CacheOpsConfigError('entities', `the name, class or glob of an entity (${names})`, entity);
    }
  }
}

const isGlob = (name: string): boolean => /[*?]/.test(name);

function matches(entity: ProfileRule['entity'], metadata: EntityMetadata): boolean {
  if (typeof entity !== 'string') return metadata.target === entity;
  if (!isGlob(entity)) return metadata.name === entity;
  const pattern = entity
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replace(/\*/g, '.*')
    .replace(/\?/g, '.');
  return new RegExp(`^${pattern}$`, 'i').test(metadata.name);
}
