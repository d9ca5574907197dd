import type { EntityMetadata } from 'typeorm';
import { CacheOpsConfigError } from '../cacheops.errors.js';
import { CACHE_OPS, type CacheOp, type Profile, type ProfileRule } from '../core/profile.js';

export { CACHE_OPS, type CacheOp, type Profile, type ProfileRule };

/**
 * The profiles of all entities; the first rule that matches wins. Rules that modules keep beside their entities
 * (`local`) come after a rule that names the entity and before one that matches it by a glob.
 */
export class Profiles {
  private readonly resolved = new Map<EntityMetadata, Profile | false>();

  constructor(
    private readonly rules: readonly ProfileRule[],
    private readonly fallback: Profile,
    private readonly local: readonly ProfileRule[] = [],
  ) {}

  /** `fallback` (by hand only) for an entity that no rule names. */
  of(metadata: EntityMetadata): Profile | false {
    let profile = this.resolved.get(metadata);
    if (profile === undefined) {
      profile = this.ruleOf(metadata)?.profile ?? this.fallback;
      this.resolved.set(metadata, profile);
    }
    return profile;
  }

  /** @throws CacheOpsConfigError when a rule names an entity that does not exist */
  assertKnown(entities: readonly EntityMetadata[]): void {
    for (const { entity } of [...this.rules, ...this.local]) {
      if (typeof entity === 'string' && isGlob(entity)) continue;
      if (entities.some((metadata) => matches(entity, metadata))) continue;
      const names = [...new Set(entities.map((e) => e.name))].sort().join(', ');
      throw new CacheOpsConfigError('entities', `the name, class or glob of an entity (${names})`, entity);
    }
  }

  private ruleOf(metadata: EntityMetadata): ProfileRule | undefined {
    const rule = this.rules.find(({ entity }) => matches(entity, metadata));
    if (rule && !(typeof rule.entity === 'string' && isGlob(rule.entity))) return rule;
    return this.local.find(({ entity }) => matches(entity, metadata)) ?? rule;
  }
}

/** Whether a name of a rule stands for several entities. */
export const isGlob = (name: string): boolean => /[*?]/.test(name);

/** Whether a rule is for an entity. */
export function matches(entity: ProfileRule['entity'], metadata: EntityMetadata): boolean {
  if (typeof entity !== 'string') return metadata.target === entity;
  if (!isGlob(entity)) return metadata.name === entity;
  const pattern = entity
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replace(/\*/g, '.*')
    .replace(/\?/g, '.');
  return new RegExp(`^${pattern}$`, 'i').test(metadata.name);
}
