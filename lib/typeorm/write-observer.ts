import type { Effect } from '../invalidation/effect.js';
import type { Invalidator } from '../invalidation/invalidator.js';
import type { WriteEffect } from '../sql/sql.types.js';
import type { TypeOrmCatalog } from './catalog.js';
import type { ForeignKeys } from './foreign-keys.js';
import type { RowImages } from './row-images.js';
import type { Execute, Statement, StructuredResult } from './statement.js';
import type { UpsertImages } from './upsert-images.js';
import { WriteFactsMemo } from './write-facts.js';
import { effectOf, planWrite, type WritePlan } from './write-plan.js';

/** A write as it will be run: what is known of it, and whether the database must be asked for the rest. */
export interface PreparedWrite {
  readonly plans: readonly WritePlan[];
  /** Needs a transaction around it: images are read under locks that must hold until the commit. */
  readonly needsImages: boolean;
  /** When the database counts no row, none was changed. */
  readonly tellsNone: boolean;
}

export interface ObservedWrite {
  readonly result: StructuredResult;
  readonly effects: readonly Effect[];
}

/** Turns the analysis of a write into effects with row images. */
export class WriteObserver {
  private readonly facts: WriteFactsMemo;

  constructor(
    private readonly catalog: TypeOrmCatalog,
    private readonly invalidator: Invalidator,
    private readonly images: RowImages,
    private readonly upserts: UpsertImages,
    private readonly foreignKeys: ForeignKeys,
  ) {
    this.facts = new WriteFactsMemo(invalidator.registries);
  }

  /** @returns a promise only where the backend has to be asked first */
  prepare(
    effects: readonly WriteEffect[],
    params: readonly unknown[],
  ): PreparedWrite | Promise<PreparedWrite> {
    const loading = this.loadRegistries(effects);
    return loading
      ? loading.then((known) => this.prepared(effects, params, known))
      : this.prepared(effects, params, true);
  }

  private prepared(
    effects: readonly WriteEffect[],
    params: readonly unknown[],
    known: boolean,
  ): PreparedWrite {
    const plans = effects.flatMap((effect) => {
      const table = this.catalog.get(effect.table);
      return table ? [planWrite(effect, params, table, this.facts.of(effect, table))] : [];
    });
    const [plan] = plans;
    const single = plans.length === 1 && plan && plan.source.kind !== 'table' && !plan.source.nested;
    const needed = single === true && (plan.missing.length > 0 || this.foreignKeys.needsImages(plan));
    const needsImages = known && (needed || this.upserts.needed(plans));
    return { plans, needsImages, tellsNone: single === true && this.tellsNone(plan) };
  }

  /**
   * PostgreSQL does not count rows that a trigger sends elsewhere (to partitions, the old way), MariaDB none that
   * RETURNING returned.
   */
  private tellsNone({ source: { kind, returning } }: WritePlan): boolean {
    return this.catalog.dialect !== 'postgres' && !returning && (kind === 'update' || kind === 'delete');
  }

  /** Effects that follow from the statement alone. */
  effects({ plans }: Pick<PreparedWrite, 'plans'>): readonly Effect[] {
    return plans.flatMap((plan) => [effectOf(plan), ...this.foreignKeys.closureOf(plan)]);
  }

  /** Runs a statement that needs images; the caller holds a transaction open. */
  run(prepared: PreparedWrite, statement: Statement, execute: Execute): Promise<ObservedWrite> {
    const plan = prepared.plans[0] as WritePlan;
    if (plan.source.upsert) return this.upserted(prepared, statement, execute);
    if (this.foreignKeys.keysOf(plan).length > 0) return this.closed(plan, statement, execute);
    return this.images
      .run(plan, statement, execute)
      .then(({ result, effect }) => ({ result, effects: [effect] }));
  }

  private async upserted(
    prepared: PreparedWrite,
    statement: Statement,
    execute: Execute,
  ): Promise<ObservedWrite> {
    const { result, effects } = await this.upserts.run(prepared.plans, statement, execute);
    return { result, effects: effects ?? this.effects(prepared) };
  }

  /** With what the database does to rows of other tables. */
  private async closed(plan: WritePlan, statement: Statement, execute: Execute): Promise<ObservedWrite> {
    const closure = await this.foreignKeys.closure(plan, statement.params, execute);
    const { result, effect } = await this.images.run(plan, statement, execute);
    return { result, effects: [effect, ...closure(result.affected)] };
  }

  /**
   * @returns `undefined` when all are known; resolves to false when the backend cannot be asked: then images are of no
   * use, tables are restamped
   */
  private loadRegistries(effects: readonly WriteEffect[]): Promise<boolean> | undefined {
    const { registries } = this.invalidator;
    const unknown = effects.flatMap(({ table }) => registries.missing(this.foreignKeys.reach(table)));
    if (unknown.length === 0) return undefined;
    return registries.load(unknown)?.then(
      () => true,
      // `pend` meets the same failure and reports it; here it only means that there is nothing to be precise for.
      () => false,
    );
  }
}
