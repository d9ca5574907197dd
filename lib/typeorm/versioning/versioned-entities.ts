import type { DataSource, EntityMetadata } from 'typeorm';
import { CacheOpsConfigError } from '../../cacheops.errors.js';
import type { SqlDialect } from '../../sql/sql.types.js';
import { versionFieldsOf } from '../../versioning/version-fields.decorator.js';
import type {
  PartialVersionPolicy,
  VersioningSettings,
  VersionPolicy,
  VersionRule,
} from '../../versioning/version-policy.js';
import { isGlob, matches } from '../profiles.js';
import { rowVersionOf } from './row-version.decorator.js';
import { versionColumn } from './version-columns.js';
import { VersionedEntity } from './versioned-entity.js';

const OPTION = 'versioning.entities';

/** The entities of one DataSource whose writes are guarded. */
export class VersionedEntities {
  private readonly known = new Map<EntityMetadata, VersionedEntity>();

  /** @throws CacheOpsConfigError when a rule asks for what the entity does not have */
  constructor(dataSource: DataSource, dialect: SqlDialect, settings: VersioningSettings) {
    for (const metadata of dataSource.entityMetadatas) {
      if (metadata.isJunction || metadata.tableType === 'view') continue;
      const versioned = resolve(metadata, dialect, settings);
      if (versioned) this.known.set(metadata, versioned);
    }
  }

  get all(): Iterable<VersionedEntity> {
    return this.known.values();
  }

  get size(): number {
    return this.known.size;
  }

  /** `undefined`: not guarded. */
  of(metadata: EntityMetadata): VersionedEntity | undefined {
    return this.known.get(metadata);
  }
}

/** @throws CacheOpsConfigError when a rule names an entity that does not exist */
export function assertVersionRules(rules: readonly VersionRule[], entities: readonly EntityMetadata[]): void {
  for (const { entity } of rules) {
    if (typeof entity === 'string' && isGlob(entity)) continue;
    if (entities.some((metadata) => matches(entity, metadata))) continue;
    const names = [...new Set(entities.map(({ name }) => name))].sort().join(', ');
    throw new CacheOpsConfigError(OPTION, `the name, class or glob of an entity (${names})`, entity);
  }
}

/** A versioned entity as it is without any option, for `updateVersioned` where nothing is guarded. */
export function unguardedEntity(metadata: EntityMetadata, dialect: SqlDialect): VersionedEntity | undefined {
  return resolve(metadata, dialect, { guard: 'all', missing: 'require', base: false, entities: [] });
}

function resolve(
  metadata: EntityMetadata,
  dialect: SqlDialect,
  settings: VersioningSettings,
): VersionedEntity | undefined {
  const rule = ruleOf(metadata, settings.entities);
  if (rule?.policy === false) return undefined;
  const decorated = versionFieldsOf(metadata.target);
  if (!rule && !decorated && settings.guard === 'listed') return undefined;
  const policy = policyOf(metadata, settings, { fields: decorated, ...(rule?.policy ?? {}) });
  const column = versionColumn(metadata, policy.kind, dialect);
  if (column) {
    assertPolicy(metadata, policy, dialect);
    return new VersionedEntity(metadata, policy, column, dialect);
  }
  const isMeant = decorated ?? (rule && !(typeof rule.entity === 'string' && isGlob(rule.entity)));
  if (!isMeant) return undefined;
  throw new CacheOpsConfigError(`${OPTION}.${metadata.name}`, NEEDS[policy.kind], 'an entity without one');
}

const NEEDS = {
  column: 'an entity with a @VersionColumn()',
  updateDate: 'an entity with an @UpdateDateColumn()',
  xmin: 'an entity with a property with @RowVersion()',
} as const;

/** Single table inheritance: a child without a rule has that of its parent. */
function ruleOf(metadata: EntityMetadata, rules: readonly VersionRule[]): VersionRule | undefined {
  const rule = rules.find(({ entity }) => matches(entity, metadata));
  const { parentEntityMetadata: parent } = metadata as { parentEntityMetadata?: EntityMetadata };
  return rule ?? (parent && ruleOf(parent, rules));
}

function policyOf(
  metadata: EntityMetadata,
  { missing, base }: VersioningSettings,
  said: PartialVersionPolicy,
): VersionPolicy {
  const isXmin = !metadata.versionColumn && rowVersionOf(metadata.target) !== undefined;
  return {
    kind: isXmin ? 'xmin' : 'column',
    missing,
    // Without it, a stale copy would take back the changes of others to the columns that do not count.
    base: base || said.fields !== undefined,
    owns: [],
    ...said,
    fields: said.fields,
  };
}

function assertPolicy(metadata: EntityMetadata, policy: VersionPolicy, dialect: SqlDialect): void {
  const { kind, fields, owns } = policy;
  const refuse = (what: string, expected: string, given: unknown): never => {
    throw new CacheOpsConfigError(`${OPTION}.${metadata.name}.${what}`, expected, given);
  };
  if (kind === 'xmin' && dialect !== 'postgres') refuse('kind', 'PostgreSQL for a @RowVersion()', dialect);
  if (kind !== 'column' && fields)
    refuse('fields', 'a @VersionColumn(): others change with every column', kind);
  if (kind === 'xmin' && owns.length > 0) refuse('owns', 'a column that can be incremented', kind);
  const { updateDateColumn: date } = metadata;
  if (
    kind === 'updateDate' &&
    date?.precision !== undefined &&
    date.precision !== null &&
    date.precision < 3
  ) {
    refuse('kind', 'an @UpdateDateColumn() that keeps milliseconds', `precision ${date.precision}`);
  }
  if (kind === 'updateDate' && date?.transformer) {
    refuse('kind', 'an @UpdateDateColumn() without a transformer', date.propertyPath);
  }
  const paths = new Set([
    ...metadata.columns.map((column) => column.propertyPath),
    ...metadata.allEmbeddeds.map((embedded) => embedded.propertyPath),
    ...metadata.relations.map((relation) => relation.propertyPath),
  ]);
  for (const field of fields ?? []) {
    if (!paths.has(field)) refuse('fields', `properties of ${metadata.name}`, field);
  }
  for (const path of owns) {
    const relation = metadata.findRelationWithPropertyPath(path);
    if (!relation || relation.isManyToOne || relation.isOneToOneOwner)
      refuse('owns', `relations of ${metadata.name} whose rows refer to it`, path);
  }
}
