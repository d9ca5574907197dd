import type { Effect, RowImage } from '../invalidation/effect.js';
import { bindOperand, bindWhere, canonicalValue, UNTOLD } from '../sql/index.js';
import type { ColumnFacts, Operand, ValueClass, WriteEffect } from '../sql/sql.types.js';
import type { TableFacts } from './catalog.js';
import type { WriteFacts } from './write-facts.js';

/** What is known of a statement's rows before it runs, and what is missing. */
export interface WritePlan extends WriteFacts {
  readonly source: WriteEffect;
  readonly table: TableFacts;
  /** Images that follow from the statement alone; `undefined`: nothing is known. */
  readonly images: readonly RowImage[] | undefined;
  /** Columns that readers' conditions need and the images lack; empty: the images suffice. */
  readonly missing: readonly string[];
}

/** More rows than this in one INSERT are not followed one by one. */
export const MAX_INSERT_ROWS = 500;

/**
 * Classes whose bound value the database may round, truncate or shift on its way into the column: the row then holds
 * another value than the statement, so only a value read back is an image.
 */
export const LOSSY: ReadonlySet<ValueClass> = new Set(['decimal', 'timestamp', 'date', 'time']);

/** Classes whose canonical text, bound as a parameter, finds the very rows that it stands for. */
export const BINDABLE: ReadonlySet<ValueClass> = new Set(['integer', 'uuid', 'text']);

/** Works out from the text and its parameters what can be known without asking the database. */
export function planWrite(
  source: WriteEffect,
  params: readonly unknown[],
  table: TableFacts,
  { columns, needed, imageColumns, showsBefore }: WriteFacts,
): WritePlan {
  const images = source.kind === 'table' ? undefined : knownImages(source, params, table);
  const missing = images ? needed.filter((c) => images.some((image) => !image.has(c))) : needed;
  return { source, table, columns, needed, imageColumns, showsBefore, images, missing };
}

/** The effect when only the plan's own images are used; those that lack a column widen by themselves. */
export const effectOf = ({ table, columns, images }: WritePlan): Effect => ({
  table: table.id,
  columns,
  images,
});

function knownImages(
  source: WriteEffect,
  params: readonly unknown[],
  table: TableFacts,
): readonly RowImage[] | undefined {
  if (source.kind === 'insert') return insertImages(source, params, table);
  const before = source.where ? bindWhere(source.where, params, table) : [new Map<string, string | null>()];
  if (source.kind === 'delete') return before;
  const assigned = assignedValues(source, params, table);
  const columns = source.columns;
  const after = before.map((image) => {
    const next = new Map(image);
    if (columns !== '*') for (const column of [...columns, ...table.derivedColumns]) next.delete(column);
    for (const [column, value] of assigned) next.set(column, value);
    return next;
  });
  return [...before, ...after];
}

function insertImages(
  { rows }: WriteEffect,
  params: readonly unknown[],
  table: TableFacts,
): readonly RowImage[] | undefined {
  if (!rows || rows.length > MAX_INSERT_ROWS) return undefined;
  return rows.map((row) => {
    const image = new Map<string, string | null>();
    for (const [column, operand] of row) setKnown(image, column, operand, params, table);
    return image;
  });
}

/** Values that an UPDATE assigns, as far as they are sure to be what the row will hold. */
export function assignedValues(source: WriteEffect, params: readonly unknown[], table: TableFacts): RowImage {
  const image = new Map<string, string | null>();
  for (const [column, operand] of source.assigned ?? []) setKnown(image, column, operand, params, table);
  return image;
}

function setKnown(
  image: Map<string, string | null>,
  column: string,
  operand: Operand,
  params: readonly unknown[],
  table: TableFacts,
): void {
  image.delete(column);
  const facts = table.columns.get(column);
  if (!facts) return;
  const value = bindOperand(operand, params) ?? null;
  // NULL for a key means «generate one» (SQLite, MySQL), and so does 0 for MySQL's AUTO_INCREMENT.
  if (value === null && table.primaryColumns.includes(column)) return;
  if (column === table.incrementColumn && Number(value) === 0) return;
  if (value !== null && LOSSY.has(facts.valueClass)) return;
  const text = imageText(facts, value);
  if (text !== undefined) image.set(column, text);
}

/**
 * No reader compares an opaque column with a value, only with NULL: for its rows' images it is enough to know that
 * there is a value.
 */
const SOME_VALUE = '';

function imageText(facts: ColumnFacts, value: unknown): string | null | undefined {
  if (facts.valueClass === 'opaque' && value !== null) return SOME_VALUE;
  const text = canonicalValue(facts, value);
  // Readers that compare texts by a collation look out for those as well.
  return text === undefined && facts.valueClass === 'folded-text' ? UNTOLD : text;
}

/** Image of a row that the database returned; `label` gives the result's name of a column. */
export function imageOfRow(
  row: Readonly<Record<string, unknown>>,
  columns: readonly string[],
  table: TableFacts,
  label: (column: string) => string = (column) => column,
): RowImage {
  const image = new Map<string, string | null>();
  for (const column of columns) {
    const facts = table.columns.get(column);
    const text = facts && imageText(facts, row[label(column)] ?? null);
    if (text !== undefined) image.set(column, text);
  }
  return image;
}
