import type { DataSource, EntityMetadata } from 'typeorm';
import type { Effect, RowImage } from '../invalidation/effect.js';
import type { RegistryCache } from '../invalidation/registry-cache.js';
import type { SqlDialect } from '../sql/sql.types.js';
import type { TableFacts, TypeOrmCatalog } from './catalog.js';
import type { RowImages } from './row-images.js';
import type { Execute } from './statement.js';
import { imageOfRow, type WritePlan } from './write-plan.js';

interface ForeignKey {
  readonly child: TableFacts;
  readonly columns: readonly string[];
  readonly referenced: readonly string[];
  readonly onDelete: string;
  readonly onUpdate: string;
}

const ACTIONS = new Set(['CASCADE', 'SET NULL', 'SET DEFAULT']);

/**
 * What the database does by itself to other tables when rows of one go or change their key: it emits no statement
 * that could be observed, so the closure is computed from the foreign keys of the metadata.
 */
export class ForeignKeys {
  private readonly byParent = new Map<string, ForeignKey[]>();

  constructor(
    dataSource: DataSource,
    private readonly catalog: TypeOrmCatalog,
    private readonly registries: RegistryCache,
    private readonly images: RowImages,
    private readonly dialect: SqlDialect,
  ) {
    for (const metadata of dataSource.entityMetadatas) this.collect(metadata);
  }

  /** Tables whose rows may change when rows of `table` go, the table itself included. */
  reach(table: string, seen = new Set<string>()): ReadonlySet<string> {
    if (seen.has(table)) return seen;
    seen.add(table);
    for (const { child } of this.byParent.get(table) ?? []) this.reach(child.id, seen);
    return seen;
  }

  /** Whether the plan's closure can only be known by asking the database before the statement runs. */
  needsImages(plan: WritePlan): boolean {
    const keys = this.keysOf(plan);
    if (keys.length === 0) return false;
    if (plan.source.kind !== 'delete' || !plan.images) return false;
    const known = plan.images.every((image) => keys.every((key) => image.has(key)));
    return !known || this.deletions(plan.table.id).some((key) => this.needsChildRows(key));
  }

  /** Effects on other tables, to be computed before the statement runs and in its transaction. */
  async closure(plan: WritePlan, params: readonly unknown[], execute: Execute): Promise<readonly Effect[]> {
    const keys = this.keysOf(plan);
    if (keys.length === 0) return [];
    if (plan.source.kind !== 'delete') return this.unknownClosure(plan.table.id);
    const rows = await this.parentRows(plan, keys, params, execute);
    return this.follow(plan.table.id, rows, execute, new Set([plan.table.id]));
  }

  /** The closure as far as it follows from the plan alone; for statements that need no images. */
  closureOf(plan: WritePlan): readonly Effect[] {
    const keys = this.keysOf(plan);
    if (keys.length === 0) return [];
    if (plan.source.kind !== 'delete' || !plan.images) return this.unknownClosure(plan.table.id);
    return this.deletions(plan.table.id).map((key) => this.effect(key, plan.images as readonly RowImage[]));
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

  /** Key columns of the plan's table that decide about other tables in this statement. */
  private keysOf({ source, table, columns }: WritePlan): readonly string[] {
    if (source.kind === 'insert') return [];
    if (source.kind !== 'update') return unique(this.deletions(table.id).flatMap((key) => key.referenced));
    const updates = (this.byParent.get(table.id) ?? []).filter(({ onUpdate }) => ACTIONS.has(onUpdate));
    return unique(updates.flatMap((key) => key.referenced).filter((c) => columns === '*' || columns.has(c)));
  }

  private needsChildRows(key: ForeignKey): boolean {
    const cascades = key.onDelete === 'CASCADE' && this.deletions(key.child.id).length > 0;
    return cascades || this.childColumns(key).length > 0;
  }

  private unknownClosure(table: string): readonly Effect[] {
    const children = [...this.reach(table)].filter((child) => child !== table);
    return children.map((child) => ({ table: child, columns: '*' as const, images: undefined }));
  }

  private async parentRows(
    { source, table, images }: WritePlan,
    keys: readonly string[],
    params: readonly unknown[],
    execute: Execute,
  ): Promise<readonly RowImage[] | undefined> {
    if (images?.every((image) => keys.every((key) => image.has(key)))) return images;
    if (!source.image) return undefined;
    const bound = source.image.params.map((index) => params[index]);
    const rows = await this.images.select({ table, source }, keys, source.image.from, bound, execute);
    return rows?.map((row) => imageOfRow(row, keys, table));
  }

  private async follow(
    parent: string,
    rows: readonly RowImage[] | undefined,
    execute: Execute,
    seen: ReadonlySet<string>,
  ): Promise<readonly Effect[]> {
    const effects: Effect[] = [];
    for (const key of this.deletions(parent)) {
      if (!rows || seen.has(key.child.id)) {
        effects.push(
          { table: key.child.id, columns: '*', images: undefined },
          ...this.unknownClosure(key.child.id),
        );
        continue;
      }
      const extra = this.childColumns(key);
      const effect = this.effect(key, rows);
      const images = extra.length === 0 ? effect.images : await this.childRows(key, rows, extra, execute);
      effects.push({ ...effect, images: images && withAfter(key, images) });
      if (key.onDelete === 'CASCADE') {
        effects.push(...(await this.follow(key.child.id, images, execute, new Set([...seen, key.child.id]))));
      }
    }
    return effects;
  }

  private effect(key: ForeignKey, parents: readonly RowImage[]): Effect {
    const rows = parents.map((parent) => this.childImage(key, parent));
    const columns =
      key.onDelete === 'CASCADE' ? ('*' as const) : new Set([...key.columns, ...key.child.derivedColumns]);
    return { table: key.child.id, columns, images: withAfter(key, rows) };
  }

  private childImage({ columns, referenced }: ForeignKey, parent: RowImage): RowImage {
    const image = new Map<string, string | null>();
    columns.forEach((column, i) => {
      const value = parent.get(referenced[i] as string);
      if (value !== undefined) image.set(column, value);
    });
    return image;
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
    key: ForeignKey,
    parents: readonly RowImage[],
    extra: readonly string[],
    execute: Execute,
  ): Promise<readonly RowImage[] | undefined> {
    const { child, columns } = key;
    const params: unknown[] = [];
    const conditions: string[] = [];
    for (const parent of parents) {
      const image = this.childImage(key, parent);
      // A composite key with a NULL part references nothing.
      if (columns.some((column) => image.get(column) == null)) continue;
      conditions.push(
        columns.map((c) => `${this.images.quote(c)} = ${this.place(params, image.get(c))}`).join(' AND '),
      );
    }
    if (conditions.length === 0) return [];
    const needed = [...columns, ...extra];
    const from = ` FROM ${child.sqlName} WHERE ${conditions.map((c) => `(${c})`).join(' OR ')}`;
    const source = { table: child.id, kind: 'delete', columns: '*', returning: false } as const;
    const rows = await this.images.select({ table: child, source }, needed, from, params, execute);
    return rows?.map((row) => imageOfRow(row, needed, child));
  }

  private place(params: unknown[], value: unknown): string {
    params.push(value);
    return this.dialect === 'postgres' ? `$${params.length}` : '?';
  }
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

const unique = (names: readonly string[]): readonly string[] => [...new Set(names)];
