import { type Conflict, RecordModifiedError } from '../record-modified.error.js';
import type { FieldConflict } from './three-way.js';

/** Both sides changed the same properties, and nothing told which side to take. */
export class MergeConflictError<E extends object = object> extends RecordModifiedError<E> {
  constructor(
    conflict: Conflict<E>,
    /** The properties to decide about. */
    readonly conflicts: readonly FieldConflict[],
  ) {
    super(conflict);
    this.message += `; both sides changed ${conflicts.map(({ path }) => path).join(', ')}`;
  }
}
