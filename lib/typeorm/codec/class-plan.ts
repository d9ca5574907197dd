import { isDeepStrictEqual } from 'node:util';
import type { EntityMetadata, ObjectLiteral } from 'typeorm';

type EmbeddedMetadata = EntityMetadata['embeddeds'][number];
type RelationMetadata = EntityMetadata['relations'][number];

/** The graph cannot be stored exactly; `message` says why. */
export class UnstorableGraph extends Error {}

/** How TypeORM fills one kind of object: an entity of one class, or an embedded object in it. */
export interface ObjectPlan {
  /** Undefined for objects without a class (`EntitySchema` without a target). */
  readonly prototype: object;
  /** What the constructor leaves, before anything is read into it. */
  readonly blank: Readonly<ObjectLiteral>;
  readonly columns: ReadonlySet<string>;
  /** By the property that holds the data, which for a lazy relation is not the property the user reads. */
  readonly relations: ReadonlyMap<string, RelationMetadata>;
  readonly embedded: ReadonlyMap<string, ObjectPlan>;
  /** A new object, made as TypeORM makes it. */
  readonly create: () => ObjectLiteral;
  /** Accessors of lazy relations, which TypeORM defines on every instance. */
  readonly lazy: ReadonlySet<string>;
}

/** What the hydrator passes; the query runner it passes too is one of a transaction, and there are no hits in those. */
const FROM_HYDRATOR = { fromDeserializer: true };

/** @throws UnstorableGraph if objects of this class hide state that a copy of their own properties would lose. */
export function planEntity(metadata: EntityMetadata): ObjectPlan {
  const create = (): ObjectLiteral => metadata.create(undefined, FROM_HYDRATOR) as ObjectLiteral;
  const blank = construct(create, metadata.name);
  const prototype = prototypeOf(metadata.target);
  const plan: ObjectPlan = {
    prototype,
    blank,
    create,
    columns: new Set(metadata.ownColumns.map((column) => column.propertyName)),
    relations: relationsByDataKey(metadata.ownRelations),
    embedded: planEmbeddeds(metadata.embeddeds, blank),
    lazy: new Set(metadata.lazyRelations.map((relation) => relation.propertyName)),
  };
  refuseHiddenState(plan, metadata.name);
  return plan;
}

function planEmbeddeds(
  embeddeds: readonly EmbeddedMetadata[],
  owner: ObjectLiteral,
): Map<string, ObjectPlan> {
  return new Map(embeddeds.map((embedded) => [embedded.propertyName, planEmbedded(embedded, owner)]));
}

function planEmbedded(embedded: EmbeddedMetadata, owner: ObjectLiteral): ObjectPlan {
  const name = embedded.propertyPath;
  if (embedded.isArray) throw new UnstorableGraph(`${name} is an array of embedded objects`);
  const given: unknown = owner[embedded.propertyName];
  const create = (): ObjectLiteral => embedded.create() as ObjectLiteral;
  const blank = (given as ObjectLiteral | null | undefined) ?? construct(create, name);
  const plan: ObjectPlan = {
    prototype: prototypeOf(embedded.type),
    blank,
    create,
    columns: new Set(embedded.columns.map((column) => column.propertyName)),
    relations: relationsByDataKey(embedded.relations),
    embedded: planEmbeddeds(embedded.embeddeds, blank),
    lazy: new Set(),
  };
  refuseHiddenState(plan, name);
  return plan;
}

function relationsByDataKey(relations: readonly RelationMetadata[]): Map<string, RelationMetadata> {
  return new Map(
    relations.map((relation) => [
      relation.isLazy ? `__${relation.propertyName}__` : relation.propertyName,
      relation,
    ]),
  );
}

function construct(create: () => ObjectLiteral, name: string): ObjectLiteral {
  try {
    return create();
  } catch (error) {
    throw new UnstorableGraph(`The constructor of ${name} throws`, { cause: error });
  }
}

function prototypeOf(target: unknown): object {
  return typeof target === 'function' ? (target.prototype as object) : Object.prototype;
}

/**
 * A setter may keep what it is given anywhere (`#name`), and an accessor in the instance may compute anything:
 * neither is seen among the own values, so only TypeORM can make such an object.
 */
function refuseHiddenState(plan: ObjectPlan, name: string): void {
  for (const key of [...plan.columns, ...plan.relations.keys(), ...plan.embedded.keys()]) {
    // TypeORM itself puts the accessors of lazy relations on the class.
    if (!plan.lazy.has(key) && isAccessorOf(plan.prototype, key))
      throw new UnstorableGraph(`${name}.${key} is an accessor of its class`);
  }
  for (const key of Reflect.ownKeys(plan.blank)) {
    const own = Object.getOwnPropertyDescriptor(plan.blank, key)!;
    if (isAccessor(own) && !plan.lazy.has(key as string)) {
      throw new UnstorableGraph(`${name}.${String(key)} is an accessor of the instance`);
    }
  }
}

function isAccessor(property: PropertyDescriptor): boolean {
  return !('value' in property);
}

export function isAccessorOf(prototype: object | null, key: PropertyKey): boolean {
  for (let holder = prototype; holder !== null; holder = Object.getPrototypeOf(holder) as object | null) {
    const property = Object.getOwnPropertyDescriptor(holder, key);
    if (property) return isAccessor(property);
  }
  return false;
}

/** Whether the constructor made this value too, so that it must not be stored. */
export function isLeftByConstructor(plan: ObjectPlan, key: PropertyKey, value: unknown): boolean {
  if (!Object.hasOwn(plan.blank, key)) return false;
  const made = (plan.blank as Record<PropertyKey, unknown>)[key];
  if (typeof value === 'function') return typeof made === 'function';
  return isDeepStrictEqual(made, value);
}

/** Whether TypeORM knows the property by its metadata. */
export function isDeclared(plan: ObjectPlan, key: string): boolean {
  return plan.columns.has(key) || plan.relations.has(key) || plan.embedded.has(key);
}
