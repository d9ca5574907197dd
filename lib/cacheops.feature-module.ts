import { type DynamicModule, Module, type Type } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { CacheOpsConfigError } from './cacheops.errors.js';
import type { ProfileRule } from './core/profile.js';
import { type EntityRule, parseEntityRules } from './options/entity-rules.js';

const RULES = Symbol('cacheops.feature-rules');

/** Carries the rules of one `forFeature`; the root module collects them. */
@Module({})
export class CacheOpsFeatureModule {
  static with(rules: readonly EntityRule[]): DynamicModule {
    // The default ttl is not known yet: this only refuses malformed rules where they are written.
    parseEntityRules('forFeature', rules, 1);
    return { module: CacheOpsFeatureModule, providers: [{ provide: RULES, useValue: rules }] };
  }
}

/**
 * Rules of all `forFeature` calls of the application.
 * @throws CacheOpsConfigError when an entity has two, or when the root module is there twice
 */
export function collectFeatureRules(
  modules: ModulesContainer,
  ttl: number,
  root: Type,
): readonly ProfileRule[] {
  const all = [...modules.values()];
  const roots = all.filter(({ metatype }) => metatype === root).length;
  if (roots > 1) throw new CacheOpsConfigError('forRoot', 'to be imported once', `${roots} imports`);
  const rules = all
    .filter(({ metatype }) => metatype === CacheOpsFeatureModule)
    .map((module) => module.providers.get(RULES)?.instance as readonly EntityRule[] | undefined);
  return parseEntityRules(
    'forFeature',
    rules.flatMap((each) => each ?? []),
    ttl,
  );
}
