import type { BoundCondition, BoundRead } from './bind.js';
import type { ColumnFacts } from './sql.types.js';

/**
 * Stands in a row's image for a text that is there but may equal texts written otherwise (`ß` and `s`, by collation).
 * No canonical text is this one.
 */
export const UNTOLD = '\u0000';

/** More such columns than this in one condition are not followed: each doubles the conditions. */
const MAX_FOLDED = 2;

/**
 * What a reader that compares texts of a collation depends on beside the rows that match by their canonical texts:
 * those whose text nobody can vouch for. Without it a writer of one such row would have to restamp the table.
 */
export function withUntold(read: BoundRead, columns: ReadonlyMap<string, ColumnFacts>): BoundRead {
  return { ...read, conditions: read.conditions.flatMap((condition) => alternatives(condition, columns)) };
}

function alternatives(
  condition: BoundCondition,
  columns: ReadonlyMap<string, ColumnFacts>,
): readonly BoundCondition[] {
  const folded = [...condition.keys()].filter(
    (name) => columns.get(name)?.valueClass === 'folded-text' && condition.get(name) !== null,
  );
  if (folded.length === 0) return [condition];
  const dropped = new Set(folded.slice(MAX_FOLDED));
  let found = [new Map([...condition].filter(([name]) => !dropped.has(name)))];
  for (const name of folded.slice(0, MAX_FOLDED)) {
    found = found.flatMap((each) => [each, new Map(each).set(name, UNTOLD)]);
  }
  return found;
}
