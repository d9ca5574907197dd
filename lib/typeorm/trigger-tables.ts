import { createHash } from 'node:crypto';
import type { DataSource, EntityMetadata } from 'typeorm';
import { CacheOpsConfigError } from '../cacheops.errors.js';
import type { SqlDialect } from '../sql/sql.types.js';
import { dialectOf } from './catalog.js';
import { quoteName, quotePath } from './statement.js';

/** Statements that install triggers, and those that remove them. */
export interface TriggerStatements {
  readonly up: readonly string[];
  readonly down: readonly string[];
}

/** @throws CacheOpsConfigError when triggers cannot be written for the database */
export function triggerDialect(dataSource: DataSource): SqlDialect {
  const dialect = dialectOf(dataSource);
  if (dialect) return dialect;
  throw new CacheOpsConfigError(
    'dataSource',
    'PostgreSQL, MySQL, MariaDB or SQLite',
    dataSource.options.type,
  );
}

/**
 * The chosen entities by table: children of single-table inheritance share one.
 * @param candidates entities that may be chosen
 * @param names all when left out
 * @param expected what the names must be, for the error
 * @throws CacheOpsConfigError when a name is not of a candidate
 */
export function chosenTables(
  candidates: readonly EntityMetadata[],
  names: readonly string[] | undefined,
  expected = 'names of entities',
): readonly (readonly EntityMetadata[])[] {
  const unknown = names?.find((name) => candidates.every((metadata) => metadata.name !== name));
  if (unknown !== undefined) {
    const known = candidates.map(({ name }) => name).join(', ');
    throw new CacheOpsConfigError('entities', `${expected} (${known})`, unknown);
  }
  const chosen = candidates.filter(({ name }) => names?.includes(name) ?? true);
  const paths = new Set(chosen.map(({ tablePath }) => tablePath));
  return [...paths].map((path) => candidates.filter(({ tablePath }) => tablePath === path));
}

/** PostgreSQL cuts names after 63 bytes, and two long tables would then share one. */
const LONGEST_NAME = 63;

/** How SQL writes what belongs to a table: in the table's schema, where one is named. */
export class TriggerNames {
  /** The table, quoted. */
  readonly table: string;
  private readonly name: string;
  private readonly schema: string;

  constructor(
    path: string,
    private readonly dialect: SqlDialect,
  ) {
    const point = path.lastIndexOf('.') + 1;
    this.table = quotePath(path, dialect);
    this.name = path.slice(point);
    this.schema = point === 0 ? '' : `${quotePath(path.slice(0, point - 1), dialect)}.`;
  }

  /** Name that `CREATE TRIGGER` takes: PostgreSQL puts a trigger where its table is, the others want the schema. */
  trigger(purpose: string): string {
    return this.dialect === 'postgres' ? this.bare(purpose) : this.inSchema(purpose);
  }

  /** PostgreSQL's trigger function. In the table's schema, or tables `a.film` and `b.film` would share one. */
  inSchema(purpose: string): string {
    return this.schema + this.bare(purpose);
  }

  private bare(purpose: string): string {
    const plain = `cacheops_${this.name}_${purpose}`;
    const isLong = Buffer.byteLength(plain) > LONGEST_NAME;
    return quoteName(isLong ? `cacheops_${digestOf(this.name)}_${purpose}` : plain, this.dialect);
  }
}

const digestOf = (name: string): string => createHash('sha256').update(name).digest('hex').slice(0, 40);
