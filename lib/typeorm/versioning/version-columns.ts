import {
  And,
  LessThan,
  MoreThanOrEqual,
  Raw,
  type EntityMetadata,
  type FindOperator,
  type ObjectLiteral,
} from 'typeorm';
import type { ColumnMetadata } from 'typeorm/metadata/ColumnMetadata.js';
import type { SqlDialect } from '../../sql/sql.types.js';
import type { RecordVersion } from '../../versioning/record-version.js';
import type { VersionKind } from '../../versioning/version-policy.js';
import { rowVersionOf } from './row-version.decorator.js';

/** A version as an entity carries it, and as it is compared. */
export interface SeenVersion {
  readonly value: RecordVersion;
  /** Equal if and only if the versions are; `NaN` for what is no version at all. */
  readonly token: number | string;
}

/** The property of an entity that tells whether its row has changed. */
export interface VersionColumn {
  readonly kind: VersionKind;
  readonly column: ColumnMetadata;
  /** `undefined`: the object carries none. */
  read(entity: object): SeenVersion | undefined;
  /** What the row must be like still, as find options. */
  condition(seen: SeenVersion): ObjectLiteral;
  /** The value for the property after one increment, as TypeORM hands it to an entity; `undefined`: not known beforehand. */
  next(seen: SeenVersion | undefined): { readonly value: unknown } | undefined;
}

/** @returns `undefined` when the entity has no such column */
export function versionColumn(
  metadata: EntityMetadata,
  kind: VersionKind,
  dialect: SqlDialect,
): VersionColumn | undefined {
  const { versionColumn: counter, updateDateColumn } = metadata;
  if (kind === 'column') return counter && new CounterColumn(counter);
  if (kind === 'updateDate') return updateDateColumn && new UpdateDateColumn(updateDateColumn, dialect);
  const property = rowVersionOf(metadata.target);
  const column = property === undefined ? undefined : metadata.findColumnWithPropertyName(property);
  return column && new XminColumn(column);
}

class CounterColumn implements VersionColumn {
  readonly kind = 'column';

  constructor(readonly column: ColumnMetadata) {}

  read(entity: object): SeenVersion | undefined {
    const raw: unknown = this.column.getEntityValue(entity);
    if (raw === undefined || raw === null) return undefined;
    if (!this.column.transformer) {
      const token = integerOf(raw);
      return { value: token, token };
    }
    return { value: raw as RecordVersion, token: integerOf(this.column.getEntityValue(entity, true)) };
  }

  condition({ value }: SeenVersion): ObjectLiteral {
    return this.column.createValueMap(value);
  }

  next(seen: SeenVersion | undefined): { readonly value: unknown } {
    const { dataSource } = this.column.entityMetadata;
    const value = seen ? (seen.token as number) + 1 : 1;
    return { value: dataSource.driver.prepareHydratedValue(value, this.column) as unknown };
  }
}

/** What clients send as a version: a number, or its digits. */
function integerOf(raw: unknown): number {
  if (typeof raw === 'string') return /^\s*\d+\s*$/.test(raw) ? Number(raw) : NaN;
  const value = typeof raw === 'bigint' ? Number(raw) : raw;
  return Number.isSafeInteger(value) ? (value as number) : NaN;
}

/**
 * Times are compared to the millisecond, because that is what a `Date` holds of them: PostgreSQL and MySQL keep
 * microseconds, and SQLite's texts have a fraction or not.
 */
class UpdateDateColumn implements VersionColumn {
  readonly kind = 'updateDate';
  private names = 0;

  constructor(
    readonly column: ColumnMetadata,
    private readonly dialect: SqlDialect,
  ) {}

  read(entity: object): SeenVersion | undefined {
    const raw: unknown = this.column.getEntityValue(entity);
    if (raw === undefined || raw === null) return undefined;
    const value = raw instanceof Date ? raw : new Date(raw as string | number);
    return { value, token: value.getTime() };
  }

  condition({ token }: SeenVersion): ObjectLiteral {
    return this.column.createValueMap(this.operator(token as number));
  }

  next(): undefined {
    return undefined;
  }

  private operator(time: number): FindOperator<unknown> {
    if (this.dialect !== 'sqlite') return And(MoreThanOrEqual(new Date(time)), LessThan(new Date(time + 1)));
    const name = nameOf(this.names++);
    const text = new Date(time).toISOString().replace('T', ' ').replace('Z', '');
    return Raw((column) => `STRFTIME('%Y-%m-%d %H:%M:%f', ${column}) = :${name}`, { [name]: text });
  }
}

class XminColumn implements VersionColumn {
  readonly kind = 'xmin';
  private names = 0;

  constructor(readonly column: ColumnMetadata) {}

  read(entity: object): SeenVersion | undefined {
    const raw: unknown = this.column.getEntityValue(entity);
    if (raw === undefined || raw === null) return undefined;
    const value = typeof raw === 'string' || typeof raw === 'number' ? String(raw) : '';
    return { value, token: /^\d+$/.test(value) ? value : NaN };
  }

  condition({ value }: SeenVersion): ObjectLiteral {
    const name = nameOf(this.names++);
    return this.column.createValueMap(Raw(() => `CAST(xmin AS text) = :${name}`, { [name]: value }));
  }

  next(): undefined {
    return undefined;
  }
}

/** Parameters of one statement share their names' space; a statement has fewer rows than this. */
const nameOf = (serial: number): string => `cacheops_version_${serial % 1_000_000}`;
