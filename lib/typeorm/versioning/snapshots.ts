import { isDeepStrictEqual } from 'node:util';
import type { EntityMetadata, EntitySubscriberInterface, LoadEvent } from 'typeorm';
import type { ColumnMetadata } from 'typeorm/metadata/ColumnMetadata.js';
import type { VersionedEntities } from './versioned-entities.js';

type Values = ReadonlyMap<ColumnMetadata, unknown>;

/**
 * Keeps entities as they were loaded, for those whose policy asks for it. The copies live as long as their entities.
 */
export class Snapshots implements EntitySubscriberInterface {
  private readonly values = new WeakMap<object, Values>();

  constructor(private readonly entities: VersionedEntities) {}

  /** Whether any entity asks to be kept: others need not pay for it. */
  get isNeeded(): boolean {
    return [...this.entities.all].some(({ policy }) => policy.base);
  }

  afterLoad(entity: object, event?: LoadEvent<object>): void {
    if (event) this.keep(entity, event.metadata);
  }

  /** Keeps the entity as it is now. */
  keep(entity: object, metadata: EntityMetadata): void {
    if (this.entities.of(metadata)?.policy.base) this.values.set(entity, copyOf(entity, metadata));
  }

  /** Puts back what was kept before. */
  restore(entity: object, values: Values | undefined): void {
    if (values) this.values.set(entity, values);
    else this.values.delete(entity);
  }

  of(entity: object): Values | undefined {
    return this.values.get(entity);
  }

  /** The entity as it was loaded: an object of its class, without relations and without running its constructor. */
  baseOf(entity: object, metadata: EntityMetadata): object | undefined {
    const values = this.values.get(entity);
    if (!values) return undefined;
    const prototype = typeof metadata.target === 'function' ? (metadata.target.prototype as object) : {};
    const base = Object.create(prototype) as object;
    for (const [column, value] of values) {
      if (value !== undefined) column.setEntityValue(base, clone(value));
    }
    return base;
  }

  /** Whether a column has the value that it was loaded with; `false` when that is not known. */
  isUnchanged(entity: object, column: ColumnMetadata): boolean {
    const values = this.values.get(entity);
    return values?.has(column) === true && isSame(values.get(column), column.getEntityValue(entity));
  }
}

function copyOf(entity: object, { columns }: EntityMetadata): Values {
  const values = new Map<ColumnMetadata, unknown>();
  for (const column of columns) {
    if (!column.isVirtual || column.relationMetadata)
      values.set(column, clone(column.getEntityValue(entity) as unknown));
  }
  return values;
}

/** A copy that later changes to the value do not reach; what cannot be copied is kept as it is. */
function clone(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Date) return new Date(value);
  if (Buffer.isBuffer(value)) return Buffer.from(value);
  try {
    return structuredClone(value);
  } catch {
    return value;
  }
}

function isSame(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  return isDeepStrictEqual(a, b);
}
