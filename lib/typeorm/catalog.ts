import type { DataSource, EntityMetadata } from 'typeorm';
import type { ColumnFacts, RelationFacts, SqlCatalog, SqlDialect } from '../sql/sql.types.js';
import { quotePath } from './statement.js';
import { valueClassOf } from './value-class.js';

/** A table of the DataSource, with what the write side must know of it beyond its columns. */
export interface TableFacts extends RelationFacts {
  /** Quoted path for SQL text. */
  readonly sqlName: string;
  readonly primaryColumns: readonly string[];
  /** Columns that change by themselves when any other does (generated columns, `ON UPDATE`). */
  readonly derivedColumns: readonly string[];
  /** Name of the auto-increment column, where there is one. */
  readonly incrementColumn: string | undefined;
}

const DIALECTS: Readonly<Record<string, SqlDialect>> = {
  postgres: 'postgres',
  mysql: 'mysql',
  mariadb: 'mysql',
  sqljs: 'sqlite',
  'better-sqlite3': 'sqlite',
  expo: 'sqlite',
  cordova: 'sqlite',
  'react-native': 'sqlite',
  nativescript: 'sqlite',
  capacitor: 'sqlite',
};

/** The dialect of a DataSource, `undefined` when this package cannot read its SQL. */
export const dialectOf = (dataSource: DataSource): SqlDialect | undefined =>
  DIALECTS[dataSource.options.type];

/** The schema of one DataSource as the analyser and the write observer see it. */
export class TypeOrmCatalog implements SqlCatalog {
  private readonly byId = new Map<string, TableFacts>();
  private readonly byPath = new Map<string, TableFacts>();
  private readonly ids = new Map<EntityMetadata, string>();

  constructor(
    dataSource: DataSource,
    readonly dialect: SqlDialect,
    readonly name: string,
  ) {
    const prefix = name === 'default' ? '' : `${name}/`;
    const tables = new Map<string, EntityMetadata[]>();
    for (const metadata of dataSource.entityMetadatas) {
      const id = prefix + metadata.tablePath;
      this.ids.set(metadata, id);
      tables.set(id, [...(tables.get(id) ?? []), metadata]);
    }
    for (const [id, metadatas] of tables) this.add(dataSource, id, metadatas);
  }

  get relations(): Iterable<TableFacts> {
    return this.byId.values();
  }

  get(id: string): TableFacts | undefined {
    return this.byId.get(id);
  }

  find(path: readonly string[]): TableFacts | undefined {
    return this.byPath.get(this.pathKey(path));
  }

  /** Token name of an entity's table. */
  idOf(metadata: EntityMetadata): string {
    return this.ids.get(metadata) as string;
  }

  private add(dataSource: DataSource, id: string, metadatas: readonly EntityMetadata[]): void {
    const first = metadatas[0] as EntityMetadata;
    const facts: TableFacts = {
      id,
      kind: first.tableType === 'view' ? 'view' : 'table',
      columns: this.columnsOf(dataSource, metadatas),
      dependsOn: first.tableType === 'view' ? this.viewSources(dataSource, first) : undefined,
      sqlName: quotePath(first.tablePath, this.dialect),
      ...writeFacts(metadatas),
    };
    this.byId.set(id, facts);
    for (const path of pathsOf(dataSource, first)) this.byPath.set(this.pathKey(path), facts);
  }

  private columnsOf(dataSource: DataSource, metadatas: readonly EntityMetadata[]): Map<string, ColumnFacts> {
    const columns = new Map<string, ColumnFacts>();
    for (const column of metadatas.flatMap((m) => m.columns)) {
      if (column.isVirtualProperty) continue;
      const facts = { name: column.databaseName, valueClass: valueClassOf(dataSource, this.dialect, column) };
      const known = columns.get(facts.name);
      // Two entities may declare one column differently: then nobody can say how its values compare.
      columns.set(
        facts.name,
        known && known.valueClass !== facts.valueClass ? { ...facts, valueClass: 'opaque' } : facts,
      );
    }
    return columns;
  }

  private viewSources(dataSource: DataSource, view: EntityMetadata): readonly string[] | undefined {
    if (!view.dependsOn || view.dependsOn.size === 0) return undefined;
    const sources = [...view.dependsOn].map((target) =>
      dataSource.entityMetadatas.find(
        (m) => m.target === target || m.name === target || m.tableName === target,
      ),
    );
    return sources.some((m) => m === undefined)
      ? undefined
      : sources.map((m) => this.idOf(m as EntityMetadata));
  }

  private pathKey(path: readonly string[]): string {
    const key = path.join('\n');
    return this.dialect === 'postgres' ? key : key.toLowerCase();
  }
}

/** The ways a statement can name the table: bare, with schema, with database. */
function pathsOf(dataSource: DataSource, metadata: EntityMetadata): string[][] {
  const driver = dataSource.driver as { database?: string; schema?: string; searchSchema?: string };
  const schema = metadata.schema ?? driver.schema ?? driver.searchSchema;
  const database = metadata.database ?? driver.database;
  const isDefaultSchema = !metadata.schema || metadata.schema === (driver.schema ?? driver.searchSchema);
  const isDefaultDatabase = !metadata.database || metadata.database === driver.database;
  const name = metadata.tableName;
  const paths: string[][] = [];
  if (isDefaultSchema && isDefaultDatabase) paths.push([name]);
  if (schema) paths.push([schema, name]);
  if (database) paths.push(schema ? [database, schema, name] : [database, name]);
  if (dialectOf(dataSource) === 'sqlite') paths.push(['main', name]);
  return paths;
}

function writeFacts(metadatas: readonly EntityMetadata[]) {
  const columns = metadatas.flatMap((m) => m.columns).filter((c) => !c.isVirtualProperty);
  return {
    primaryColumns: (metadatas[0] as EntityMetadata).primaryColumns.map((c) => c.databaseName),
    derivedColumns: columns
      .filter((c) => c.asExpression || c.onUpdate || c.generatedType)
      .map((c) => c.databaseName),
    incrementColumn: columns.find((c) => c.isGenerated && c.generationStrategy === 'increment')?.databaseName,
  };
}
