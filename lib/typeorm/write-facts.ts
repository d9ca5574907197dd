import { touches } from '../invalidation/effect.js';
import type { RegistryCache } from '../invalidation/registry-cache.js';
import type { Shape } from '../core/token.js';
import type { WriteEffect } from '../sql/sql.types.js';
import type { TableFacts } from './catalog.js';

/** What follows from the text of a write and from what readers ask of its table, whatever its parameters. */
export interface WriteFacts {
  /** Columns whose value may change; `'*'` when rows come or go. */
  readonly columns: '*' | ReadonlySet<string>;
  /** Columns that readers' conditions need at all. */
  readonly needed: readonly string[];
  /**
   * What an image is made of: columns that readers compare, and the key, should more columns be wanted later. A key that
   * the statement sets would be that of one side only.
   */
  readonly imageColumns: readonly string[];
  /**
   * The WHERE names rows by their key, so that their number is bounded by the statement's text, and no needed column is
   * assigned: then what RETURNING shows after is what was there before.
   */
  readonly showsBefore: boolean;
}

interface Known {
  readonly shapes: readonly Shape[];
  readonly facts: WriteFacts;
}

const NO_SHAPES: readonly Shape[] = [];

/**
 * Works that out once for each text: the analyser gives the same effect for the same text, and the registries give
 * another list when a shape is added.
 */
export class WriteFactsMemo {
  private readonly known = new WeakMap<WriteEffect, Known>();

  constructor(private readonly registries: Pick<RegistryCache, 'get'>) {}

  of(source: WriteEffect, table: TableFacts): WriteFacts {
    const shapes = this.registries.get(table.id)?.shapes ?? NO_SHAPES;
    const known = this.known.get(source);
    if (known?.shapes === shapes) return known.facts;
    const facts = factsOf(source, table, shapes);
    this.known.set(source, { shapes, facts });
    return facts;
  }
}

function factsOf(source: WriteEffect, table: TableFacts, shapes: readonly Shape[]): WriteFacts {
  const columns = changedColumns(source, table);
  const needed = neededColumns(columns, shapes);
  const keys = table.primaryColumns.filter((name) => columns === '*' || !columns.has(name));
  return {
    columns,
    needed,
    imageColumns: [...new Set([...needed, ...keys])],
    showsBefore: isByKey(source, table) && (columns === '*' || !needed.some((name) => columns.has(name))),
  };
}

function changedColumns({ kind, columns }: WriteEffect, table: TableFacts): '*' | ReadonlySet<string> {
  if (kind !== 'update' || columns === '*') return '*';
  return new Set([...columns, ...table.derivedColumns]);
}

function neededColumns(columns: '*' | ReadonlySet<string>, shapes: readonly Shape[]): string[] {
  const needed = new Set<string>();
  for (const shape of shapes) {
    if (touches({ columns }, shape)) for (const column of shape.columns) needed.add(column);
  }
  return [...needed].sort();
}

const isByKey = ({ where }: WriteEffect, { primaryColumns }: TableFacts): boolean =>
  where !== undefined &&
  primaryColumns.length > 0 &&
  where.every((conjunction) =>
    primaryColumns.every((name) => conjunction.some(({ column }) => column === name)),
  );
