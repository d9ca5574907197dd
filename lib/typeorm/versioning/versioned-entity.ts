import type { EntityMetadata, ObjectLiteral } from 'typeorm';
import type { ColumnMetadata } from 'typeorm/metadata/ColumnMetadata.js';
import type { SqlDialect } from '../../sql/sql.types.js';
import { type AskedVersion, askedVersion } from '../../versioning/asked-versions.js';
import type { RecordVersion } from '../../versioning/record-version.js';
import { isExempt } from '../../versioning/version-checks.js';
import type { VersionPolicy } from '../../versioning/version-policy.js';
import type { SeenVersion, VersionColumn } from './version-columns.js';

/** An entity whose writes are guarded. */
export class VersionedEntity {
  /** By which the switches name it: class and name, its own and those that it shares its table with. */
  private readonly names: readonly unknown[];

  constructor(
    readonly metadata: EntityMetadata,
    readonly policy: VersionPolicy,
    readonly version: VersionColumn,
    readonly dialect: SqlDialect,
  ) {
    this.names = [metadata.target, metadata.name, ...metadata.inheritanceTree];
  }

  get column(): ColumnMetadata {
    return this.version.column;
  }

  /** Whether a write of this object (`undefined`: of rows) is checked here and now. */
  isChecked(entity: object | undefined): boolean {
    return !isExempt('check', this.names, entity);
  }

  isIncremented(entity: object | undefined): boolean {
    return !isExempt('increment', this.names, entity);
  }

  read(entity: object): SeenVersion | undefined {
    return this.version.read(entity);
  }

  /** The version that whoever asked for this write wants the row to have. */
  asked(identifier: ObjectLiteral): SeenVersion | undefined {
    const asked = this.askedFor(identifier);
    return asked && this.read(this.column.createValueMap(asked.version));
  }

  /** The condition that the write of this row stands under. */
  askedFor(identifier: ObjectLiteral): AskedVersion | undefined {
    const asked = askedVersion();
    return asked?.isFor(this.names, this.idOf(identifier)) ? asked : undefined;
  }

  /** The version of a row that is there, `undefined` for one that is not. */
  valueOf(entity: object | null | undefined): RecordVersion | undefined {
    return entity ? this.version.read(entity)?.value : undefined;
  }

  /** Conditions for the row with this key, as it was seen. */
  where(identifier: ObjectLiteral, seen: SeenVersion): ObjectLiteral {
    return mergeMaps(identifier, this.version.condition(seen));
  }

  /** The key as errors show it: its value, or an object where there are several columns. */
  idOf(identifier: ObjectLiteral): unknown {
    const [column] = this.metadata.primaryColumns;
    return this.metadata.primaryColumns.length === 1
      ? (column?.getEntityValue(identifier) as unknown)
      : identifier;
  }

  /** A text that is equal for identifiers of the same row. */
  rowKey(identifier: ObjectLiteral): string {
    const { tablePath, primaryColumns } = this.metadata;
    return JSON.stringify([tablePath, ...primaryColumns.map((c) => String(c.getEntityValue(identifier)))]);
  }

  /** Whether a change of these properties makes for a new version. The path that TypeORM keeps for a tree does not. */
  counts(properties: () => readonly string[]): boolean {
    const { fields } = this.policy;
    const path = this.metadata.materializedPathColumn?.propertyPath;
    if (!fields && path === undefined) return true;
    const changed = properties();
    if (!fields) return changed.length === 0 || changed.some((property) => property !== path);
    return changed.some((property) =>
      fields.some((field) => property === field || property.startsWith(`${field}.`)),
    );
  }
}

/** Two objects by property as one; embedded objects that both have are put together. */
function mergeMaps(a: ObjectLiteral, b: ObjectLiteral): ObjectLiteral {
  const merged: ObjectLiteral = { ...a };
  for (const [key, value] of Object.entries(b) as [string, unknown][]) {
    const known = merged[key] as unknown;
    merged[key] = isMap(known) && isMap(value) ? mergeMaps(known, value) : value;
  }
  return merged;
}

const isMap = (value: unknown): value is ObjectLiteral =>
  typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
