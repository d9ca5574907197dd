import { touches, type Effect, type RowImage } from '../invalidation/effect.js';
import type { RegistryCache } from '../invalidation/registry-cache.js';
import type { Changes } from '../invalidation/transaction-frames.js';
import type { SqlDialect } from '../sql/sql.types.js';
import type { TableFacts, TypeOrmCatalog } from './catalog.js';
import { IMAGE_LIMIT, type RowReads } from './row-reads.js';
import { keyCondition, type Execute } from './statement.js';
import { BINDABLE, imageOfRow } from './write-plan.js';

/**
 * Completes the images of a transaction that is still open when another process has registered a condition on columns
 * that its writes did not look at.
 *
 * A row that the transaction has updated is locked, so a column that none of its statements has set is now what it was
 * before them. Where rows of the table came or went, or the column or the key was set, that says nothing, and the images
 * stay as they are: the table is restamped.
 */
export class LateColumns {
  constructor(
    private readonly catalog: TypeOrmCatalog,
    private readonly registries: RegistryCache,
    private readonly reads: RowReads,
    private readonly dialect: SqlDialect,
  ) {}

  async complete({ effects, tokens }: Changes, execute: Execute): Promise<Changes> {
    const completed = new Map<Effect, Effect>();
    for (const table of new Set(effects.map((effect) => effect.table))) {
      const own = effects.filter((effect) => effect.table === table);
      for (const [effect, full] of await this.ofTable(table, own, execute)) completed.set(effect, full);
    }
    return { effects: effects.map((effect) => completed.get(effect) ?? effect), tokens };
  }

  private async ofTable(
    id: string,
    effects: readonly Effect[],
    execute: Execute,
  ): Promise<ReadonlyMap<Effect, Effect>> {
    const table = this.catalog.get(id);
    const missing = new Set(effects.flatMap((effect) => this.missing(effect)));
    const isUnset = (column: string): boolean =>
      effects.every(({ columns }) => columns !== '*' && !columns.has(column));
    const needed = [...missing, ...(table?.primaryColumns ?? [])];
    if (!table || missing.size === 0 || !needed.every(isUnset)) return new Map();
    const rows = await this.rows(table, [...new Set(needed)], effects, execute);
    return new Map(
      effects.map((effect) => [
        effect,
        { ...effect, images: effect.images?.map((image) => merged(image, rows.get(keyOf(image, table)))) },
      ]),
    );
  }

  private missing(effect: Effect): readonly string[] {
    const shapes = this.registries.get(effect.table)?.shapes ?? [];
    const columns = shapes.filter((shape) => touches(effect, shape)).flatMap((shape) => shape.columns);
    return columns.filter((column) => effect.images?.some((image) => !image.has(column)));
  }

  /** The rows of the images as they are now, by their keys. */
  private async rows(
    table: TableFacts,
    columns: readonly string[],
    effects: readonly Effect[],
    execute: Execute,
  ): Promise<ReadonlyMap<string, RowImage>> {
    const { primaryColumns, sqlName } = table;
    if (!primaryColumns.every((name) => BINDABLE.has(table.columns.get(name)?.valueClass ?? 'opaque')))
      return new Map();
    const images = effects.flatMap((effect) => effect.images ?? []);
    const known = images.filter((image) => primaryColumns.every((name) => image.has(name)));
    const keys = new Map(known.map((image) => [keyOf(image, table), image]));
    if (keys.size === 0 || keys.size > IMAGE_LIMIT) return new Map();
    const params: unknown[] = [];
    const tuples = [...keys.values()].map((image) => primaryColumns.map((name) => image.get(name)));
    const from = ` FROM ${sqlName} WHERE ${keyCondition(primaryColumns, tuples, params, this.dialect)}`;
    const found = (await this.reads.look(columns, from, params, execute)) ?? [];
    const rows = found.map((row) => imageOfRow(row, columns, table));
    return new Map(rows.map((row) => [keyOf(row, table), row]));
  }
}

const keyOf = (image: RowImage, { primaryColumns }: TableFacts): string =>
  JSON.stringify(primaryColumns.map((name) => image.get(name)));

/** What the image has counts: a column that a statement has set is not what it was. */
const merged = (image: RowImage, row: RowImage | undefined): RowImage =>
  row ? new Map([...row, ...image]) : image;
