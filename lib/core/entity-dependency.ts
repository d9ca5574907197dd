import type { EntityClass, EntityLike, EntitySchemaLike } from './entity-model.js';

const ROWS = Symbol.for('nestjs-cacheops.rows');

/** Rows of an entity, as made by `dep`. */
export interface RowsDependency {
  readonly [ROWS]: true;
  readonly entity: EntityLike;
  readonly where: object | undefined;
}

/**
 * What a value was made from:
 *
 * - an entity class or EntitySchema: any row of it,
 * - an entity object: its row, by primary key,
 * - `dep(Entity, { categoryId: 5 })`: the rows that match,
 * - a text: a tag. A text that is also the name of an entity means that entity's rows as well.
 */
export type Dependency = EntityClass | EntitySchemaLike | RowsDependency | string | object;

type Scalar = string | number | bigint | boolean | Date | Uint8Array;
type OneOf<V> = V | readonly V[] | null;

/** What a property may be compared with: a value, any value of a list, `null` for SQL NULL; an entity or its id. */
export type ConditionValue<V> =
  V extends Promise<infer R>
    ? ConditionValue<R>
    : V extends Scalar
      ? OneOf<V>
      : V extends readonly unknown[] | ((...args: never[]) => unknown)
        ? never
        : V extends object
          ? OneOf<V | RowCondition<V> | string | number | bigint>
          : null;

/** AND of properties; `'address.city'` is the same as `{ address: { city } }`. */
export type RowCondition<E> = { readonly [P in keyof E]?: ConditionValue<E[P]> } & {
  readonly [path: `${string}.${string}`]: unknown;
};

/**
 * Rows of an entity that a value depends on, or that an invalidation means.
 *
 * @param entity class, EntitySchema or name
 * @param where which rows; all when left out. A value that cannot be compared exactly (a json column, say) widens
 * the condition, it never narrows it.
 * @example cacheOps.getOrSet('top', load, { deps: [dep(Article, { categoryId: 5, visible: true })] })
 */
export function dep<E>(entity: EntityClass<E>, where?: RowCondition<E>): RowsDependency;
export function dep(
  entity: EntitySchemaLike | string,
  where?: Readonly<Record<string, unknown>>,
): RowsDependency;
export function dep(entity: EntityLike, where?: object): RowsDependency {
  return Object.freeze({ [ROWS]: true as const, entity, where });
}

export const isRowsDependency = (value: unknown): value is RowsDependency =>
  typeof value === 'object' && value !== null && (value as Partial<RowsDependency>)[ROWS] === true;
