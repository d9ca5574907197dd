import type { EntityMetadata, ObjectLiteral } from 'typeorm';
import type { ColumnMetadata } from 'typeorm/metadata/ColumnMetadata.js';
import type { SqlDialect } from '../../sql/sql.types.js';
import type { Expectation } from './expectations.js';
import type { WriteBuilder } from './write-builder.js';
import type { VersionedEntity } from './versioned-entity.js';

/**
 * The text of an UPDATE, in which TypeORM increments the version unless a value is given for it. None that came from
 * outside is: a text of SQL may be, and where the version is to stay, it gets its own value.
 */
export function updateText(
  versioned: VersionedEntity,
  builder: WriteBuilder,
  expectation: Expectation | undefined,
  create: () => string,
): string {
  const { expressionMap: map } = builder;
  const values = map.valuesSet;
  if (map.queryType === 'update' && isValues(values)) {
    map.valuesSet = valuesOf(versioned, builder, expectation, values);
  }
  try {
    const text = create();
    if (versioned.version.kind !== 'updateDate') return text;
    const column = builder.escape(versioned.column.databaseName);
    return text.replace(`${column} = CURRENT_TIMESTAMP`, () => `${column} = ${laterThan(versioned, column)}`);
  } finally {
    map.valuesSet = values;
  }
}

/** The text of an upsert: a row that is there already gets a new version, whatever the entity carries. */
export function insertText(versioned: VersionedEntity, builder: WriteBuilder, create: () => string): string {
  const { expressionMap: map } = builder;
  const { onUpdate, valuesSet } = map;
  const { column, version, metadata, dialect } = versioned;
  if (!onUpdate || version.kind === 'xmin' || !versioned.isChecked(undefined)) return create();
  const overwrite = onUpdate.overwrite?.filter((name) => name !== column.databaseName);
  const written = overwrite ?? onUpdate.columns ?? [];
  const properties = metadata.columns.filter(({ databaseName }) => written.includes(databaseName));
  const counts =
    versioned.isIncremented(undefined) &&
    versioned.counts(() => properties.map(({ propertyPath }) => propertyPath));
  map.onUpdate = { ...onUpdate, ...(overwrite && { overwrite }) };
  if (Array.isArray(valuesSet)) map.valuesSet = valuesSet.map((each: ObjectLiteral) => without(column, each));
  else if (isValues(valuesSet)) map.valuesSet = without(column, valuesSet);
  try {
    const text = create();
    if (!counts) return text;
    const name = builder.escape(column.databaseName);
    const row = dialect === 'mysql' ? name : `${rowName(builder, metadata, dialect)}.${name}`;
    const next = version.kind === 'column' ? `${row} + 1` : laterThan(versioned, row);
    return text
      .replace(`, ${name} = DEFAULT`, '')
      .replace(
        /( DO UPDATE SET | ON DUPLICATE KEY UPDATE )(?!.* (?:DO UPDATE SET|ON DUPLICATE KEY UPDATE) )/s,
        (clause) => `${clause}${name} = ${next}, `,
      );
  } finally {
    map.onUpdate = onUpdate;
    map.valuesSet = valuesSet as ObjectLiteral;
  }
}

/** `xmin` is no column, so TypeORM does not read it back. */
export function returningText(versioned: VersionedEntity, builder: WriteBuilder, columns: string): string {
  const { expressionMap: map } = builder;
  const readsBack = map.updateEntity && (map.queryType === 'insert' || map.whereEntities.length > 0);
  if (versioned.version.kind !== 'xmin' || !readsBack) return columns;
  const xmin = `CAST(xmin AS text) AS ${builder.escape(versioned.column.databaseName)}`;
  return columns === '' ? xmin : `${columns}, ${xmin}`;
}

function valuesOf(
  versioned: VersionedEntity,
  builder: WriteBuilder,
  expectation: Expectation | undefined,
  values: ObjectLiteral,
): ObjectLiteral {
  const { column } = versioned;
  const given: unknown = column.getEntityValue(values);
  if (typeof given === 'function' || (given !== undefined && !versioned.isChecked(undefined))) return values;
  const others = given === undefined ? values : without(column, values);
  const hold =
    expectation?.hold ?? !(versioned.isIncremented(undefined) && versioned.counts(() => pathsOf(others)));
  if (!hold || versioned.version.kind === 'xmin') return others;
  const name = builder.escape(column.databaseName);
  const copy = { ...others };
  column.setEntityValue(copy, () => name);
  return copy;
}

/** A time that is later than the row's, to the millisecond: two changes within one must not look the same. */
function laterThan({ column, dialect }: VersionedEntity, row: string): string {
  if (dialect === 'mysql') return `GREATEST(CURRENT_TIMESTAMP(3), ${row} + INTERVAL 1000 MICROSECOND)`;
  if (dialect === 'sqlite') {
    const format = `'%Y-%m-%d %H:%M:%f'`;
    return `MAX(STRFTIME(${format}, 'now'), STRFTIME(${format}, ${row}, '+0.001 seconds'))`;
  }
  const now = /with time zone|timestamptz/.test(String(column.type)) ? 'CURRENT_TIMESTAMP' : 'LOCALTIMESTAMP';
  return `GREATEST(date_trunc('milliseconds', ${now}), ${row} + interval '1 millisecond')`;
}

/** By which the text of an upsert names the row that is there. */
const rowName = (
  builder: WriteBuilder,
  { tablePath, tableName }: EntityMetadata,
  dialect: SqlDialect,
): string =>
  dialect === 'sqlite' || builder.alias === tablePath
    ? builder.getTableName(dialect === 'sqlite' ? tableName : tablePath)
    : builder.escape(builder.alias);

/** A copy without the column's value; the object itself is the application's. */
export function without<V extends ObjectLiteral>(column: ColumnMetadata, values: V): V {
  if (column.getEntityValue(values) === undefined) return values;
  const copy: ObjectLiteral = { ...values };
  const [outer] = column.propertyPath.split('.');
  if (outer !== undefined && column.embeddedMetadata) {
    copy[outer] = Object.assign(
      Object.create(Object.getPrototypeOf(values[outer]) as object) as object,
      values[outer] as object,
    ) as unknown;
  }
  column.setEntityValue(copy, undefined);
  return copy as V;
}

const isValues = (values: unknown): values is ObjectLiteral =>
  typeof values === 'object' && values !== null && !Array.isArray(values);

/** Property paths of the values of an `update()`. */
function pathsOf(values: ObjectLiteral, prefix = ''): string[] {
  return Object.entries(values).flatMap(([key, value]: [string, unknown]) =>
    value === undefined
      ? []
      : isValues(value) && Object.getPrototypeOf(value) === Object.prototype
        ? [prefix + key, ...pathsOf(value, `${prefix}${key}.`)]
        : [prefix + key],
  );
}
