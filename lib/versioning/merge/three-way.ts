/** One value of an entity that can be read, compared and written by itself. */
export interface MergePart<E> {
  /** `undefined` where it is not known: not loaded, or not given. */
  get(entity: E): unknown;
  set(entity: E, value: unknown): void;
  /** Whether two known values mean the same to the database. */
  isSame(a: unknown, b: unknown): boolean;
}

/** What is decided as one: a column, or a relation together with the columns of its foreign key. */
export interface MergeField<E> {
  /** The property, with dots into embedded ones: `address.city`. */
  readonly path: string;
  readonly parts: readonly MergePart<E>[];
  /** For collections: both sides' additions and removals put together, which never conflicts. */
  readonly union?: (base: unknown, mine: unknown, theirs: unknown) => unknown;
}

/** A property that both sides changed, differently; or whose `base` is not known, so that nobody can tell who did. */
export interface FieldConflict {
  readonly path: string;
  /** As it was when the edit began; `undefined` when that is not known. */
  readonly base: unknown;
  readonly mine: unknown;
  readonly theirs: unknown;
}

/**
 * Decides a conflict: a side, or the value to write. A function that returns `undefined` leaves it undecided.
 */
export type ConflictResolver = 'mine' | 'theirs' | ((conflict: FieldConflict) => unknown);

/** What a three-way merge says of one field. `value` is of its `part`. */
export type FieldOutcome<E> =
  | { readonly kind: 'mine' | 'theirs' }
  | { readonly kind: 'union'; readonly part: MergePart<E>; readonly value: unknown }
  | { readonly kind: 'conflict'; readonly part: MergePart<E>; readonly conflict: FieldConflict };

/**
 * Whose value a field takes. What only one side changed is that side's; what both changed to the same is no conflict.
 *
 * @param base as both sides found it; `undefined`, or without the field: not known
 * @param mine what one side wants; a field that is `undefined` was not edited
 * @param theirs what the other side has already written
 */
export function mergeField<E>(
  { path, parts, union }: MergeField<E>,
  base: E | undefined,
  mine: E,
  theirs: E,
): FieldOutcome<E> {
  const values = parts.map((part) => sidesOf(part, base, mine, theirs));
  const edited = values.filter((each) => each.mine !== undefined);
  if (edited.every((each) => each.isSame(each.mine, each.theirs))) return { kind: 'theirs' };
  if (edited.every((each) => each.isSame(each.base, each.mine))) return { kind: 'theirs' };
  if (edited.every((each) => each.isSame(each.base, each.theirs))) return { kind: 'mine' };
  // Of several parts, the one that I changed tells more than one that only follows from it.
  const changed = edited.find(
    (each) => !each.isSame(each.base, each.mine) && !each.isSame(each.mine, each.theirs),
  );
  if (!changed) return { kind: 'theirs' };
  const { part, isSame: _isSame, ...sides } = changed;
  if (union && sides.base !== undefined)
    return { kind: 'union', part, value: union(sides.base, sides.mine, sides.theirs) };
  return { kind: 'conflict', part, conflict: { path, ...sides } };
}

/** What is not known is the same as nothing. */
function sidesOf<E>(part: MergePart<E>, base: E | undefined, mine: E, theirs: E) {
  const isSame = (a: unknown, b: unknown): boolean => a !== undefined && b !== undefined && part.isSame(a, b);
  return { part, isSame, base: base && part.get(base), mine: part.get(mine), theirs: part.get(theirs) };
}
