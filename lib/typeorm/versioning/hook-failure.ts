import type { DataSource, ObjectLiteral, QueryRunner } from 'typeorm';
import { RecordModifiedError } from '../../versioning/record-modified.error.js';
import type { VersionedEntities } from './versioned-entities.js';
import type { VersionedEntity } from './versioned-entity.js';

/**
 * Tries the guard without a database: writes a stale entity over a runner that finds no row to write, and looks whether
 * the version was in the statement and the conflict was noticed. The guard reaches into parts of TypeORM that may move.
 *
 * @returns what does not hold, in words; `undefined`: all does
 */
export async function hookFailure(
  dataSource: DataSource,
  entities: VersionedEntities,
): Promise<string | undefined> {
  const versioned = [...entities.all].find(isPlain) ?? [...entities.all][0];
  if (!versioned) return undefined;
  for (const operation of ['save', 'remove'] as const) {
    const failure = await tryOut(dataSource, versioned, operation);
    if (failure !== undefined) return `${operation}() of ${versioned.metadata.name}: ${failure}`;
  }
  return undefined;
}

/** A key of one plain column is enough to try things out with. */
const isPlain = ({ metadata }: VersionedEntity): boolean =>
  metadata.primaryColumns.length === 1 &&
  !metadata.primaryColumns[0]?.relationMetadata &&
  !metadata.primaryColumns[0]?.transformer;

async function tryOut(
  dataSource: DataSource,
  versioned: VersionedEntity,
  operation: 'save' | 'remove',
): Promise<string | undefined> {
  const { metadata } = versioned;
  const written: string[] = [];
  const runner = idleRunner(dataSource, versioned, written);
  const manager = dataSource.createEntityManager(runner);
  Object.assign(runner, { manager });
  const entity = sample(versioned, 1);
  const options = { listeners: false, transaction: false };
  try {
    await manager[operation].call(manager, metadata.target, entity, options);
  } catch (error) {
    if (!(error instanceof RecordModifiedError)) return String(error);
    const name = versioned.version.kind === 'xmin' ? 'xmin' : versioned.column.databaseName;
    const isInWhere = written.some((sql) => sql.slice(sql.lastIndexOf('WHERE')).includes(name));
    return isInWhere ? undefined : 'the version is not in the statement';
  }
  return 'a row that was not there was not noticed';
}

/** An object with a key and a version, without its constructor, which may ask for arguments. */
function sample(versioned: VersionedEntity, version: number): ObjectLiteral {
  const { metadata, column } = versioned;
  const prototype = typeof metadata.target === 'function' ? (metadata.target.prototype as object) : null;
  const entity = Object.create(prototype) as ObjectLiteral;
  for (const primary of metadata.primaryColumns) primary.setEntityValue(entity, 1);
  const date = new Date(version);
  const raw = versioned.version.kind === 'updateDate' ? date : version;
  column.setEntityValue(
    entity,
    column.transformer ? (metadata.dataSource.driver.prepareHydratedValue(raw, column) as unknown) : raw,
  );
  return entity;
}

/** A runner that reaches nothing: it reads one row with another version, and writes none. */
function idleRunner(dataSource: DataSource, versioned: VersionedEntity, written: string[]): QueryRunner {
  const runner = Object.create(dataSource.createQueryRunner('master')) as QueryRunner;
  const query = (sql: string): Promise<unknown> => {
    const isRead = /^\s*SELECT/i.test(sql);
    if (!isRead) written.push(sql);
    const records = isRead ? [rowFor(sql, versioned)] : [];
    return Promise.resolve({ raw: records, records, affected: 0 });
  };
  return Object.assign(runner, { query, release: () => Promise.resolve() });
}

/** A row under the names that the text gives to the columns of the key and the version. */
function rowFor(sql: string, { metadata, column }: VersionedEntity): ObjectLiteral {
  const row: ObjectLiteral = {};
  for (const [, name = '', alias = ''] of sql.matchAll(/["`](\w+)["`] AS ["`](\w+)["`]/g)) {
    if (name === column.databaseName) row[alias] = 2;
    else if (metadata.primaryColumns.some(({ databaseName }) => databaseName === name)) row[alias] = 1;
    else if (metadata.discriminatorColumn?.databaseName === name) row[alias] = metadata.discriminatorValue;
  }
  return row;
}
