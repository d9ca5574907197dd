/**
 * The graph is stored as one flat stream of values. An entity is a shape index, then its values, then its related
 * entities, in the order of the shape's slots. These take the place of a shape index or of a list's length.
 */
export const NULL = -1;
export const UNDEFINED = -2;
/** Followed by the number of an entity that the stream holds already, counted in the order they begin. */
export const REFERENCE = -3;

/**
 * One own property of an entity: a value, a value that is a Date wherever it is not nullish (stored as
 * milliseconds), a related entity, a list of them, or an embedded object with slots of its own. `declared` is 1 if
 * the schema has the property, 0 if only the query made it.
 */
export type Slot =
  | readonly ['value' | 'date' | 'one' | 'many', key: string, declared: 0 | 1]
  | readonly ['embedded', key: string, declared: 1, slots: readonly Slot[]];

/** What a stored graph says of the entities with the same class and the same own properties. */
export interface Shape {
  readonly entity: string;
  readonly slots: readonly Slot[];
}

/** What the serializer stores: everything that decoding needs, apart from the classes. */
export type Payload = readonly [
  root: string,
  shapes: readonly string[],
  hasReferences: boolean,
  count: number,
  stream: readonly unknown[],
];
