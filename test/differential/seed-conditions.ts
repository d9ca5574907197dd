import type { DataSource } from 'typeorm';
import type { ColumnMetadata } from 'typeorm/metadata/ColumnMetadata.js';
import {
  bindOperand,
  canonicalValue,
  SqlAnalyser,
  type ColumnFacts,
  type Conjunction,
  type RelationFacts,
  type SqlCatalog,
} from '../../lib/sql/index.js';
import type { TypeOrmCatalog } from '../../lib/typeorm/catalog.js';
import type { DatabaseKind } from '../support/databases.js';
import type { Condition, SeedDependency } from './seed-rules.js';

/** The text of a value that the database holds equal to it; `undefined`: it may equal others. */
type TextOf = (value: unknown) => string | null | undefined;

interface SeedColumn extends ColumnFacts {
  readonly text: TextOf;
}

/** `CACHEOPS_LONG_DISJUNCTION`: a list of so many values is «some row». */
const LONG_DISJUNCTION = 8;
/** cacheops has no limit; this one only keeps the simulation from exploding. */
const MAX_CONJUNCTIONS = 2500;
/** `CACHEOPS_SKIP_FIELDS`: text, bytes, JSON and arrays never take part in a condition. */
const SKIPPED = /^(?:text|blob|bytea|jsonb?|simple-json|simple-array)$/;
const FLOAT = /^(?:real|float|double|double precision)$/;

/**
 * What cacheops takes from a query as the conditions of its tables (`seed-systems.md` 1.3). Columns that our own
 * rules leave out for caution (floats, `char(n)`, letters beyond ASCII) are compared as exactly as the database does,
 * so that the simulation is not worse than the original.
 */
export class SeedConditions {
  private readonly analyser: SqlAnalyser;
  private readonly tables = new Map<string, ReadonlyMap<string, SeedColumn>>();

  constructor(dataSource: DataSource, catalog: TypeOrmCatalog, kind: DatabaseKind) {
    for (const metadata of dataSource.entityMetadatas) {
      const id = catalog.idOf(metadata);
      const columns = new Map(this.tables.get(id));
      const known = catalog.get(id)?.columns;
      for (const column of metadata.columns) {
        const facts = known?.get(column.databaseName);
        if (facts) columns.set(facts.name, seedColumn(facts, column, dataSource, kind));
      }
      this.tables.set(id, columns);
    }
    this.analyser = new SqlAnalyser(this.catalog(catalog), { maxConjunctions: MAX_CONJUNCTIONS });
  }

  of(sql: string, params: readonly unknown[]): readonly SeedDependency[] {
    const analysis = this.analyser.analyse(sql);
    if (analysis.kind !== 'read') return [];
    return analysis.tables.map(({ table, conditions }) => ({
      table,
      conditions: this.bind(table, conditions, params),
    }));
  }

  bind(table: string, conditions: readonly Conjunction[], params: readonly unknown[]): readonly Condition[] {
    return conditions.flatMap((conjunction) => this.bindOne(conjunction, params, table));
  }

  /** Values of a row by column. */
  row(table: string, raw: Readonly<Record<string, unknown>>): ReadonlyMap<string, string | null | undefined> {
    const columns = [...(this.tables.get(table)?.values() ?? [])];
    return new Map(columns.map(({ name, text }) => [name, text(raw[name] ?? null)]));
  }

  private bindOne(conjunction: Conjunction, params: readonly unknown[], table: string): readonly Condition[] {
    const choices = new Map<string, ReadonlySet<string | null>>();
    for (const { column, operand } of conjunction) {
      const facts = this.tables.get(table)?.get(column);
      const value = bindOperand(operand, params);
      const values: readonly unknown[] = 'list' in operand && Array.isArray(value) ? value : [value];
      const texts = values.map((each) => facts?.text(each));
      if (facts?.valueClass === 'opaque' || texts.includes(undefined)) continue;
      const known = choices.get(column);
      choices.set(column, new Set((texts as (string | null)[]).filter((t) => !known || known.has(t))));
    }
    let bound: readonly Condition[] = [new Map()];
    for (const [column, values] of choices) {
      if (values.size >= LONG_DISJUNCTION) continue;
      bound = bound.flatMap((map) => [...values].map((value) => new Map([...map, [column, value] as const])));
    }
    return bound;
  }

  private catalog(ours: TypeOrmCatalog): SqlCatalog {
    const view = <T extends RelationFacts>(facts: T | undefined): RelationFacts | undefined =>
      facts && { ...facts, columns: this.tables.get(facts.id) ?? facts.columns };
    return {
      dialect: ours.dialect,
      find: (path) => view(ours.find(path)),
      get: (id) => view(ours.get(id)),
      relations: [...ours.relations].map((facts) => view(facts) as RelationFacts),
    };
  }
}

function seedColumn(
  facts: ColumnFacts,
  column: ColumnMetadata,
  dataSource: DataSource,
  kind: DatabaseKind,
): SeedColumn {
  const { name, valueClass } = facts;
  const declared = String(column.type);
  const type = dataSource.driver.normalizeType(column).toLowerCase();
  if (column.isArray || SKIPPED.test(declared) || SKIPPED.test(type))
    return { name, valueClass: 'opaque', text: (value) => (value === null ? null : '') };
  if (FLOAT.test(type))
    return { name, valueClass: 'decimal', text: textBy((value) => String(Number(value))) };
  const isText = valueClass === 'text' || valueClass === 'folded-text' || type === 'character';
  if (!isText) return { ...facts, text: (value) => canonicalValue(facts, value) };
  return { name, valueClass: 'text', text: textBy(foldOf(column, type, kind)) };
}

const textBy =
  (text: (value: unknown) => string | undefined): TextOf =>
  (value) =>
    value === null ? null : value === undefined ? undefined : text(value);

/** How the database compares a text. */
function foldOf({ collation }: ColumnMetadata, type: string, kind: DatabaseKind) {
  const of = (fold: (text: string) => string | undefined) => (value: unknown) =>
    typeof value === 'string' ? fold(value) : undefined;
  if (kind === 'mariadb') {
    if (collation?.endsWith('_bin')) return of((text) => text.trimEnd());
    // Which letters beyond ASCII are equal is the collation's secret.
    return of((text) => (/^[\x20-\x7e]*$/.test(text) ? text.toLowerCase().trimEnd() : undefined));
  }
  if (collation === 'NOCASE') return of((text) => text.replace(/[A-Z]/g, (c) => c.toLowerCase()));
  if (collation === 'RTRIM' || type === 'character') return of((text) => text.trimEnd());
  return of(type === 'citext' ? (text) => text.toLowerCase() : (text) => text);
}
