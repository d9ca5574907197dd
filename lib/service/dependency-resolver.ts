import { CacheOpsDependencyError } from '../cacheops.errors.js';
import {
  dependenciesOf,
  NO_DEPENDENCIES,
  type Dependencies,
  type TableDependency,
} from '../core/dependencies.js';
import type { EntityModel } from '../core/entity-model.js';
import { tableToken, tagToken, type Token } from '../core/token.js';
import type { Effect } from '../invalidation/effect.js';
import type { Changes } from '../invalidation/transaction-frames.js';
import { isRowsDependency, type Dependency } from '../core/entity-dependency.js';

interface Meaning {
  readonly rows: readonly TableDependency[];
  readonly tags: readonly string[];
}

const EXPECTED =
  'an entity class, an EntitySchema, an entity object, dep(Entity, { property: value }) or a tag';

/** Says what dependencies mean: for a reader the tokens to pin, for an invalidation the changes to announce. */
export class DependencyResolver {
  constructor(private readonly model: EntityModel) {}

  /** @throws CacheOpsDependencyError */
  reads(deps: readonly Dependency[], tags: readonly string[] = []): Dependencies {
    if (Array.isArray(deps) && deps.length === 0 && tags.length === 0) return NO_DEPENDENCIES;
    const { rows, tags: named } = this.meaning(deps);
    return dependenciesOf(rows, [...named, ...tags.map(checkedTag)]);
  }

  /**
   * A condition without columns restamps the whole table: it reaches every reader, whatever rows it asked for.
   * @throws CacheOpsDependencyError
   */
  changes(deps: readonly Dependency[]): Changes {
    const { rows, tags } = this.meaning(deps);
    const tokens = new Set<Token>(tags.map(tagToken));
    const effects: Effect[] = [];
    for (const { table, conditions } of rows) {
      if (conditions.some((condition) => condition.size === 0)) tokens.add(tableToken(table));
      else effects.push({ table, columns: '*', images: conditions });
    }
    return { effects, tokens };
  }

  /** The row of an entity object with all its columns. */
  image(entity: object): Changes {
    const rows = this.model.image(entity);
    return {
      effects: rows.map(({ table, conditions }) => ({ table, columns: '*', images: conditions })),
      tokens: new Set(),
    };
  }

  private meaning(deps: readonly Dependency[]): Meaning {
    if (!Array.isArray(deps))
      throw new CacheOpsDependencyError('UNKNOWN_DEPENDENCY', 'a list of dependencies', deps);
    const rows: TableDependency[] = [];
    const tags: string[] = [];
    for (const each of deps as readonly unknown[]) {
      if (typeof each === 'string') tags.push(checkedTag(each));
      rows.push(...this.rowsOf(each));
    }
    return { rows, tags };
  }

  private rowsOf(each: unknown): readonly TableDependency[] {
    if (typeof each === 'string') return this.model.hasName(each) ? this.model.rows(each) : [];
    if (isRowsDependency(each)) return this.model.rows(each.entity, each.where);
    if (typeof each === 'function') return this.model.rows(each as never);
    if (typeof each !== 'object' || each === null) {
      throw new CacheOpsDependencyError('UNKNOWN_DEPENDENCY', EXPECTED, each);
    }
    return this.model.isEntity(each) ? this.model.rows(each as never) : this.model.row(each);
  }
}

/** @throws CacheOpsDependencyError */
export function checkedTag(tag: unknown): string {
  if (typeof tag === 'string' && tag !== '') return tag;
  throw new CacheOpsDependencyError('UNKNOWN_DEPENDENCY', 'a tag, which is a text that is not empty', tag);
}
