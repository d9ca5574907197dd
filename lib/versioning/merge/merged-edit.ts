import type { ObjectLiteral } from 'typeorm';
import type { RecordModifiedError } from '../record-modified.error.js';
import type { OpenStore } from '../store.js';
import { currentRow } from './current-row.js';
import { type EntityFields, entityFields } from './entity-fields.js';
import { MergeConflictError } from './merge-conflict.error.js';
import {
  type ConflictResolver,
  type FieldConflict,
  mergeField,
  type MergeField,
  type MergePart,
} from './three-way.js';

/** An entity with somebody's edit in it, which is moved from one version of its row to the next. */
export class MergedEdit {
  private readonly rules: EntityFields;
  /** What was overwritten, latest last. */
  private readonly before: (() => void)[] = [];

  constructor(
    private readonly store: OpenStore,
    private readonly entity: ObjectLiteral,
    private base: ObjectLiteral | undefined,
    private readonly resolve: ConflictResolver | undefined,
  ) {
    this.rules = entityFields(store.manager.dataSource, store.metadata);
  }

  /**
   * Makes the entity one that can be saved over the row as it is now.
   * @throws MergeConflictError when a property is left undecided
   * @throws RecordModifiedError the given one, when the row is gone
   */
  async mergeInto(error: RecordModifiedError): Promise<void> {
    const theirs = await currentRow(this.store, this.entity);
    if (!theirs || this.isDeleted(theirs)) throw error;
    const base = this.base ?? error.base;
    const undecided: FieldConflict[] = [];
    for (const field of this.rules.fields) {
      const conflict = await this.merge(field, base, theirs);
      if (conflict) undecided.push(conflict);
    }
    if (undecided.length > 0) throw new MergeConflictError({ ...error, base, theirs }, undecided);
    for (const part of this.rules.kept) this.put(part, part.get(theirs));
    this.base = theirs;
  }

  /** Makes the entity what it was before the first merge. */
  undo(): void {
    for (const restore of this.before.splice(0).reverse()) restore();
  }

  /** @returns the conflict, if it is left undecided */
  private async merge(
    field: MergeField<ObjectLiteral>,
    base: ObjectLiteral | undefined,
    theirs: ObjectLiteral,
  ): Promise<FieldConflict | undefined> {
    const outcome = mergeField(field, base, this.entity, theirs);
    if (outcome.kind === 'theirs') this.takeTheirs(field, theirs);
    if (outcome.kind === 'union') this.put(outcome.part, outcome.value);
    if (outcome.kind !== 'conflict') return undefined;
    const { conflict, part } = outcome;
    const decided = await this.decide(conflict);
    if (decided === undefined) return conflict;
    if (decided === conflict.theirs) this.takeTheirs(field, theirs);
    else if (decided !== conflict.mine) {
      this.put(part, decided);
      // What belongs to it follows from it when it is saved.
      for (const other of field.parts) if (other !== part) this.put(other, undefined);
    }
    return undefined;
  }

  private async decide(conflict: FieldConflict): Promise<unknown> {
    if (typeof this.resolve === 'function') return this.resolve(conflict);
    return this.resolve && conflict[this.resolve];
  }

  private takeTheirs({ parts }: MergeField<ObjectLiteral>, theirs: ObjectLiteral): void {
    for (const part of parts) this.put(part, part.get(theirs));
  }

  /** What the entity has not loaded stays so. */
  private put(part: MergePart<ObjectLiteral>, value: unknown): void {
    const old = part.get(this.entity);
    if (old === undefined) return;
    this.before.push(() => part.set(this.entity, old));
    part.set(this.entity, value);
  }

  private isDeleted(row: ObjectLiteral): boolean {
    const column = this.store.metadata.deleteDateColumn;
    return (
      column !== undefined && isSet(column.getEntityValue(row)) && !isSet(column.getEntityValue(this.entity))
    );
  }
}

const isSet = (value: unknown): boolean => value !== null && value !== undefined;
