import type { DataSource, EntityMetadata } from 'typeorm';
import type { ColumnMetadata } from 'typeorm/metadata/ColumnMetadata.js';
import type { RelationMetadata } from 'typeorm/metadata/RelationMetadata.js';
import { CacheOpsDependencyError } from '../cacheops.errors.js';
import { canonicalValue } from '../sql/index.js';
import type { TableFacts } from './catalog.js';
import { LOSSY } from './write-plan.js';

/** Columns with canonical values; a column that is left out may have any. */
export type RowCondition = ReadonlyMap<string, string | null>;

type Values = Readonly<Record<string, unknown>>;

/** The values that one column may have; `undefined`: they cannot be compared exactly, so the column is left out. */
type Choice = readonly [column: string, values: readonly (string | null)[] | undefined];

/** More alternatives than this are not followed one by one. */
const MAX_CONDITIONS = 32;

/** Reads conditions by property, and entity objects, of one entity. */
export class RowConditions {
  constructor(
    private readonly dataSource: DataSource,
    private readonly metadata: EntityMetadata,
    private readonly table: TableFacts,
  ) {}

  /** @returns OR of conditions; empty: no row can match */
  of(where: object): readonly RowCondition[] {
    let conditions: readonly RowCondition[] = [new Map()];
    for (const [column, values] of this.choices(where as Values, '')) {
      if (values === undefined || conditions.length * values.length > MAX_CONDITIONS) continue;
      conditions = conditions.flatMap((condition) =>
        values.map((value) => new Map(condition).set(column, value)),
      );
    }
    return conditions;
  }

  /** The row of an entity object by its primary key. */
  ofKey(entity: object): RowCondition {
    const condition = new Map<string, string | null>();
    for (const column of this.metadata.primaryColumns) {
      const value: unknown = column.getEntityValue(entity);
      if (value === undefined || value === null) {
        const expected = `a ${this.metadata.name} with its primary key (${column.propertyPath})`;
        throw new CacheOpsDependencyError('UNKNOWN_DEPENDENCY', expected, entity, 'Is it saved yet?');
      }
      const canonical = this.canonical(column, value);
      if (canonical !== undefined) condition.set(column.databaseName, canonical);
    }
    return condition;
  }

  /** Every column whose value in the database is sure to be what the object holds. */
  ofRow(entity: object): RowCondition {
    const image = new Map(this.ofKey(entity));
    for (const column of this.metadata.columns) {
      const value: unknown = column.isVirtualProperty ? undefined : column.getEntityValue(entity);
      const facts = this.table.columns.get(column.databaseName);
      if (value === undefined || !facts || (value !== null && LOSSY.has(facts.valueClass))) continue;
      const canonical = this.canonical(column, value);
      if (canonical !== undefined) image.set(column.databaseName, canonical);
    }
    return image;
  }

  private choices(where: Values, path: string): Choice[] {
    return Object.entries(where).flatMap(([name, value]) =>
      this.choice(path === '' ? name : `${path}.${name}`, value),
    );
  }

  private choice(path: string, value: unknown): Choice[] {
    if (value === undefined) return this.refuse(path, 'a value, or null for SQL NULL', value);
    const { metadata } = this;
    const relation = metadata.findRelationWithPropertyPath(path);
    if (relation) return this.relation(relation, path, value);
    const column = metadata.findColumnWithPropertyPathStrict(path);
    if (column)
      return [[column.databaseName, this.alternatives(value, (each) => this.canonical(column, each))]];
    const embedded = metadata.findEmbeddedWithPropertyPath(path);
    if (embedded && typeof value === 'object' && value !== null) return this.choices(value as Values, path);
    const names = [...metadata.columns, ...metadata.relations].map(({ propertyPath }) => propertyPath);
    return this.refuse(path, `a property of ${metadata.name} (${[...new Set(names)].join(', ')})`, path);
  }

  /** A relation stands for its join columns; `value` is the related entity, its id, or a list of these. */
  private relation(relation: RelationMetadata, path: string, value: unknown): Choice[] {
    if (relation.joinColumns.length === 0 || relation.isManyToMany) {
      return this.refuse(path, 'a relation whose foreign key is in this table', path);
    }
    return relation.joinColumns.map((column) => [
      column.databaseName,
      this.alternatives(value, (each) =>
        this.canonical(column, this.relatedValue(relation, column, path, each)),
      ),
    ]);
  }

  private relatedValue(
    relation: RelationMetadata,
    column: ColumnMetadata,
    path: string,
    value: unknown,
  ): unknown {
    if (value === null) return null;
    if (typeof value !== 'object' || value instanceof Date || value instanceof Uint8Array) {
      if (relation.joinColumns.length === 1) return value;
      return this.refuse(path, 'an object with all parts of the key', value);
    }
    const found: unknown = column.referencedColumn?.getEntityValue(value);
    return found ?? this.refuse(path, `an object with ${column.referencedColumn?.propertyPath}`, value);
  }

  private alternatives(
    value: unknown,
    canonical: (each: unknown) => string | null | undefined,
  ): readonly (string | null)[] | undefined {
    const values = (Array.isArray(value) ? value : [value]).map((each: unknown) => canonical(each));
    return values.includes(undefined) ? undefined : [...new Set(values as (string | null)[])];
  }

  /** The text of a value as the driver would bind it. */
  private canonical(column: ColumnMetadata, value: unknown): string | null | undefined {
    if (value === null) return null;
    const facts = this.table.columns.get(column.databaseName);
    if (!facts || isFindOperator(value)) return undefined;
    // The driver applies the column's transformer.
    const bound: unknown = this.dataSource.driver.preparePersistentValue(value, column);
    return bound === undefined ? undefined : canonicalValue(facts, bound);
  }

  private refuse(path: string, expected: string, given: unknown): never {
    throw new CacheOpsDependencyError(
      'UNKNOWN_DEPENDENCY',
      `${this.metadata.name}.${path}: ${expected}`,
      given,
    );
  }
}

/** `In`, `Not`, `Like` and so on: what they mean is for the database to say, so they widen. */
const isFindOperator = (value: unknown): boolean =>
  typeof value === 'object' &&
  (value as { '@instanceof'?: unknown } | null)?.['@instanceof'] === Symbol.for('FindOperator');
