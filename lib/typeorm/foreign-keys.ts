import type { DataSource, EntityMetadata } from 'typeorm';
import type { Effect, RowImage } from '../invalidation/effect.js';
import type { RegistryCache } from '../invalidation/registry-cache.js';
import type { SqlDialect, WriteEffect } from '../sql/sql.types.js';
import type { TableFacts, TypeOrmCatalog } from './catalog.js';
import type { RowReads } from './row-reads.js';
import { keyCondition, type Execute } from './statement.js';
import { BINDABLE, imageOfRow, type WritePlan } from './write-plan.js';

interface ForeignKey {
  readonly child: TableFacts;
  readonly columns: readonly string[];
  readonly referenced: readonly string[];
  readonly onDelete: string;
  readonly onUpdate: string;
}

/** Values of a row by column, raw: as the driver gave them and takes them. */
type KeyRow = ReadonlyMap<string, unknown>;

/** Cascades deeper than this, in a tree that hangs on itself, are followed by table. */
const MAX_DEPTH = 16;

const ACTIONS = new Set(['CASCADE', 'SET NULL', 'SET DEFAULT']);

/**
 * What the database does by itself to other tables when rows of one go or change their key: it emits no statement
 * that could be observed, so the closure is computed from the foreign keys of the metadata.
 */
export class ForeignKeys {
  private readonly byParent = new Map<string, ForeignKey[]>();
  private readonly reached = new Map<string, ReadonlySet<string>>();
  /** The analyser gives the same effect for the same text. */
  private readonly keys = new WeakMap<WriteEffect, readonly string[]>();

  constructor(
    dataSource: DataSource,
    private readonly catalog: TypeOrmCatalog,
    private readonly registries: RegistryCache,
    private readonly reads: RowReads,
    private readonly dialect: SqlDialect,
  ) {
    for (const metadata of dataSource.entityMetadatas) this.collect(metadata);
  }

  /** Tables whose rows may change when rows of `table` go, the table itself included. */
  reach(table: string): ReadonlySet<string> {
    let reached = this.reached.get(table);
    if (!reached) this.reached.set(table, (reached = this.walk(table, new Set())));
    return reached;
  }

  /** Whether readers of other tables look at rows that hang on keys which the plan may change. */
  concerns(plan: WritePlan): boolean {
    if (this.keysOf(plan).length === 0) return false;
    const others = [...this.reach(plan.table.id)].filter((id) => id !== plan.table.id);
    return others.some((id) => this.registries.get(id)?.shapes.length);
  }

  /** Key columns of the plan's table that decide about other tables in this statement. */
  keysOf(plan: Pick<WritePlan, 'source' | 'table' | 'columns'>): readonly string[] {
    let keys = this.keys.get(plan.source);
    if (!keys) this.keys.set(plan.source, (keys = this.decisiveKeys(plan)));
    return keys;
  }

  private decisiveKeys({
    source,
    table,
    columns,
  }: Pick<WritePlan, 'source' | 'table' | 'columns'>): readonly string[] {
    if (source.kind === 'insert') return [];
    if (source.kind !== 'update') return unique(this.deletions(table.id).flatMap((key) => key.referenced));
    const updates = (this.byParent.get(table.id) ?? []).filter(({ onUpdate }) => ACTIONS.has(onUpdate));
    return unique(updates.flatMap((key) => key.referenced).filter((c) => columns === '*' || columns.has(c)));
  }

  /** Whether the plan's closure can only be known by asking the database before the statement runs. */
  needsImages(plan: WritePlan): boolean {
    const keys = this.keysOf(plan);
    if (keys.length === 0) return false;
    if (plan.source.kind !== 'delete' || !plan.images) return false;
    const known = plan.images.every((image) => keys.every((key) => image.has(key)));
    return !known || this.deletions(plan.table.id).some((key) => this.needsChildRows(key));
  }

  /**
   * Effects on other tables, to be looked up before the statement runs and in its transaction.
   * @returns what they are once it is known how many rows the statement hit: it may be more than were there to be seen
   */
  async closure(
    plan: WritePlan,
    params: readonly unknown[],
    execute: Execute,
  ): Promise<(affected: number | null | undefined) => readonly Effect[]> {
    const keys = this.keysOf(plan);
    if (keys.length === 0) return () => [];
    if (plan.source.kind !== 'delete') return () => this.unknownClosure(plan.table.id);
    const rows = await this.parentRows(plan, keys, params, execute);
    const effects = await this.follow(plan.table, rows, execute, MAX_DEPTH);
    const seen = rows && rows !== plan.images ? rows.length : Infinity;
    return (affected) => ((affected ?? 0) > seen ? this.unknownDeletions(plan.table.id) : effects);
  }

  /** Effects on other tables when these rows are about to be deleted. */
  deleted(
    table: TableFacts,
    rows: readonly Readonly<Record<string, unknown>>[],
    execute: Execute,
  ): Promise<readonly Effect[]> {
    return this.follow(table, rows.map(keyRow), execute, MAX_DEPTH);
  }

  /** The closure as far as it follows from the plan alone; for statements that need no images. */
  closureOf({ source, table, columns, images }: WritePlan): readonly Effect[] {
    if (this.keysOf({ source, table, columns }).length === 0) return [];
    if (source.kind !== 'delete') return this.unknownClosure(table.id);
    if (!images) return this.unknownDeletions(table.id);
    return this.deletions(table.id).flatMap((key) => {
      const rows = images.map((image) => imageOf(childKeys(key, image), key.columns, key.child));
      const effect = { table: key.child.id, columns: changedColumns(key), images: withAfter(key, rows) };
      return key.onDelete === 'CASCADE' ? [effect, ...this.unknownDeletions(key.child.id)] : [effect];
    });
  }

  private walk(table: string, seen: Set<string>): ReadonlySet<string> {
    if (!seen.has(table)) {
      seen.add(table);
      for (const { child } of this.byParent.get(table) ?? []) this.walk(child.id, seen);
    }
    return seen;
  }

  private collect(metadata: EntityMetadata): void {
    const child = this.catalog.get(this.catalog.idOf(metadata));
    if (!child || metadata.tableType === 'view') return;
    for (const key of metadata.foreignKeys) {
      const parent = this.catalog.idOf(key.referencedEntityMetadata);
      const known = this.byParent.get(parent) ?? [];
      known.push({
        child,
        columns: key.columnNames,
        referenced: key.referencedColumnNames,
        onDelete: key.onDelete ?? 'NO ACTION',
        onUpdate: key.onUpdate ?? 'NO ACTION',
      });
      this.byParent.set(parent, known);
    }
  }

  private deletions(table: string): readonly ForeignKey[] {
    return (this.byParent.get(table) ?? []).filter(({ onDelete }) => ACTIONS.has(onDelete));
  }

  private needsChildRows(key: ForeignKey): boolean {
    const cascades = key.onDelete === 'CASCADE' && this.deletions(key.child.id).length > 0;
    return cascades || this.childColumns(key).length > 0;
  }

  private unknownClosure(table: string): readonly Effect[] {
    const children = [...this.reach(table)].filter((child) => child !== table);
    return children.map((child) => ({ table: child, columns: '*' as const, images: undefined }));
  }

  /** What may follow from the deletion of rows that nobody knows. A key that is set to NULL takes no row with it. */
  private unknownDeletions(table: string, seen = new Set<string>([table])): readonly Effect[] {
    return this.deletions(table).flatMap((key) => {
      const { child, onDelete } = key;
      const effect = { table: child.id, columns: changedColumns(key), images: undefined };
      if (onDelete !== 'CASCADE' || seen.has(child.id)) return [effect];
      seen.add(child.id);
      return [effect, ...this.unknownDeletions(child.id, seen)];
    });
  }

  /** Key values of the rows that go, as they can be bound in a statement. */
  private async parentRows(
    { source, table, images }: WritePlan,
    keys: readonly string[],
    params: readonly unknown[],
    execute: Execute,
  ): Promise<readonly KeyRow[] | undefined> {
    const isBindable = keys.every((key) => BINDABLE.has(table.columns.get(key)?.valueClass ?? 'opaque'));
    if (isBindable && images?.every((image) => keys.every((key) => image.has(key)))) return images;
    // The statement may hit other rows than a look at them, see `RowImages`.
    if (!source.image || (source.image.asksOthers && this.dialect !== 'sqlite')) return undefined;
    const rows = await this.reads.matching(source.image, { source }, keys, params, execute);
    return rows?.map(keyRow);
  }

  private async follow(
    parent: TableFacts,
    rows: readonly KeyRow[] | undefined,
    execute: Execute,
    depth: number,
  ): Promise<readonly Effect[]> {
    if (rows?.length === 0) return [];
    if (!rows || depth === 0) return this.unknownDeletions(parent.id);
    const effects: Effect[] = [];
    for (const key of this.deletions(parent.id)) {
      const extra = this.childColumns(key);
      const children =
        extra.length > 0
          ? await this.childRows(key, rows, extra, execute)
          : rows.map((row) => childKeys(key, row));
      const images = children?.map((row) => imageOf(row, [...key.columns, ...extra], key.child));
      effects.push({
        table: key.child.id,
        columns: changedColumns(key),
        images: images && withAfter(key, images),
      });
      if (key.onDelete === 'CASCADE')
        effects.push(...(await this.follow(key.child, children, execute, depth - 1)));
    }
    return effects;
  }

  /** Columns of the child that are needed and that the parent's key does not tell. */
  private childColumns({ child, columns, onDelete }: ForeignKey): readonly string[] {
    const shapes = this.registries.get(child.id)?.shapes ?? [];
    const grandchildren =
      onDelete === 'CASCADE' ? this.deletions(child.id).flatMap((key) => key.referenced) : [];
    const needed = unique([...shapes.flatMap((shape) => shape.columns), ...grandchildren]);
    return needed.filter((column) => !columns.includes(column));
  }

  private async childRows(
    { child, columns, referenced }: ForeignKey,
    parents: readonly KeyRow[],
    extra: readonly string[],
    execute: Execute,
  ): Promise<readonly KeyRow[] | undefined> {
    const params: unknown[] = [];
    // A composite key with a NULL part is referenced by nothing.
    const keys = parents
      .map((parent) => referenced.map((name) => parent.get(name)))
      .filter((values) => !values.includes(null));
    if (keys.some((values) => values.includes(undefined))) return undefined;
    if (keys.length === 0) return [];
    const from = ` FROM ${child.sqlName} WHERE ${keyCondition(columns, keys, params, this.dialect)}`;
    const source = { table: child.id, kind: 'delete', columns: '*', returning: false } as const;
    const rows = await this.reads.select({ source }, [...columns, ...extra], from, params, execute);
    return rows?.map(keyRow);
  }
}

const changedColumns = ({ onDelete, columns, child }: ForeignKey): Effect['columns'] =>
  onDelete === 'CASCADE' ? '*' : new Set([...columns, ...child.derivedColumns]);

/** What a row's key says of the rows that reference it. */
function childKeys({ columns, referenced }: ForeignKey, parent: KeyRow): KeyRow {
  const row = new Map<string, unknown>();
  columns.forEach((column, i) => {
    const value = parent.get(referenced[i] as string);
    if (value !== undefined) row.set(column, value);
  });
  return row;
}

function imageOf(row: KeyRow, columns: readonly string[], table: TableFacts): RowImage {
  return imageOfRow(
    Object.fromEntries(row),
    columns.filter((column) => row.has(column)),
    table,
  );
}

/** SET NULL: the row stays, without its key. SET DEFAULT: with a key that the metadata does not tell. */
function withAfter(
  { onDelete, columns }: ForeignKey,
  rows: readonly RowImage[],
): readonly RowImage[] | undefined {
  if (onDelete === 'CASCADE') return rows;
  if (onDelete === 'SET DEFAULT') return undefined;
  return [
    ...rows,
    ...rows.map((row) => new Map([...row, ...columns.map((column) => [column, null] as const)])),
  ];
}

const keyRow = (row: Readonly<Record<string, unknown>>): KeyRow => new Map(Object.entries(row));

const unique = (names: readonly string[]): readonly string[] => [...new Set(names)];
