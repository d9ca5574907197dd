import type { EntityMetadata } from 'typeorm';
import {
  isAccessorOf,
  isDeclared,
  isLeftByConstructor,
  UnstorableGraph,
  type ObjectPlan,
} from './class-plan.js';

export type Kind = 'value' | 'one' | 'many' | 'embedded' | 'constructor';

/** One property of a layout; `constructor` ones are not stored. */
export interface LayoutSlot {
  readonly key: string;
  readonly kind: Kind;
  /** The kind does not follow from the key alone: it must be looked at in each object. */
  readonly varies: boolean;
  /** TypeORM knows the property by its metadata; others come from a query (mapped joins and ids). */
  readonly declared: boolean;
  /** Class of related objects that carry none themselves. */
  readonly context?: EntityMetadata;
  readonly embedded?: Layout;
}

/** Objects of one class with the same own properties in the same order and of the same kinds. */
export interface Layout {
  readonly plan: ObjectPlan;
  /** Own properties named by strings, in order. */
  readonly names: readonly string[];
  /** How many are named by symbols. */
  readonly symbols: number;
  readonly slots: readonly LayoutSlot[];
}

/** Tells entities from other values. */
export type IsEntity = (value: unknown, context?: EntityMetadata) => boolean;

/** @throws UnstorableGraph if a property of the object cannot be stored. */
export function layoutOf(plan: ObjectPlan, object: object, isEntity: IsEntity): Layout {
  const keys = Reflect.ownKeys(object);
  refuseOtherOrigin(plan, keys);
  const slots = keys.flatMap((key): LayoutSlot[] => {
    // Reading the accessor of a lazy relation would load it.
    if (plan.lazy.has(key as string)) return [];
    const slot = slotOf(plan, key, (object as Record<PropertyKey, unknown>)[key], isEntity);
    return slot ? [slot] : [];
  });
  const names = Object.getOwnPropertyNames(object);
  return { plan, names, symbols: keys.length - names.length, slots };
}

/** An object that misses something of a blank one was not made as the hydrator makes it, and decoding would add it. */
function refuseOtherOrigin(plan: ObjectPlan, keys: readonly PropertyKey[]): void {
  const own = new Set(keys);
  const missing = Reflect.ownKeys(plan.blank).find((key) => !own.has(key));
  if (missing !== undefined) throw new UnstorableGraph(`An object has no property ${String(missing)}`);
}

/** Whether the object has the layout, so that it can be written without another look at its properties. */
export function hasLayout(layout: Layout, object: object, isEntity: IsEntity): boolean {
  // Not `Reflect.ownKeys`: V8 answers that one without its cache of enumerable keys, twenty times slower.
  const { names, symbols } = layout;
  const own = Object.getOwnPropertyNames(object);
  if (own.length !== names.length || Object.getOwnPropertySymbols(object).length !== symbols) return false;
  for (let i = 0; i < own.length; i++) if (own[i] !== names[i]) return false;
  for (const slot of layout.slots) {
    if (!slot.varies) continue;
    const value = (object as Record<string, unknown>)[slot.key];
    if (kindOf(layout.plan, slot.key, value, isEntity) !== slot.kind) return false;
    if (slot.embedded && !hasLayout(slot.embedded, value as object, isEntity)) return false;
  }
  return true;
}

function slotOf(
  plan: ObjectPlan,
  key: PropertyKey,
  value: unknown,
  isEntity: IsEntity,
): LayoutSlot | undefined {
  if (typeof key !== 'string') {
    if (isLeftByConstructor(plan, key, value)) return undefined;
    throw new UnstorableGraph(`The property ${String(key)} is not named by a string`);
  }
  if (key === '__proto__' || isAccessorOf(plan.prototype, key)) {
    throw new UnstorableGraph(`The property ${key} cannot be assigned`);
  }
  const kind = kindOf(plan, key, value, isEntity);
  const relation = plan.relations.get(key);
  const embedded = plan.embedded.get(key);
  return {
    key,
    kind,
    varies: relation !== undefined || !plan.columns.has(key),
    declared: isDeclared(plan, key),
    ...(relation && { context: relation.inverseEntityMetadata }),
    ...(kind === 'embedded' && { embedded: layoutOf(embedded!, value as object, isEntity) }),
  };
}

function kindOf(plan: ObjectPlan, key: string, value: unknown, isEntity: IsEntity): Kind {
  // A property that is both, such as a primary key that is a relation, may hold an entity.
  const relation = plan.relations.get(key);
  if (relation) {
    if (value === null || value === undefined)
      return relation.isOneToOne || relation.isManyToOne ? 'one' : 'many';
    if (Array.isArray(value) && value.length === 0) return 'many';
    return entityKindOf(value, isEntity, relation.inverseEntityMetadata) ?? 'value';
  }
  if (plan.columns.has(key)) return 'value';
  const embedded = plan.embedded.get(key);
  if (embedded) return embeddedKindOf(embedded, key, value);
  // A property that TypeORM does not know by its metadata: a mapped join, mapped ids, or the constructor's own.
  if (isLeftByConstructor(plan, key, value)) return 'constructor';
  if (typeof value === 'function') throw new UnstorableGraph(`${key} is a function`);
  return entityKindOf(value, isEntity) ?? 'value';
}

function entityKindOf(
  value: unknown,
  isEntity: IsEntity,
  context?: EntityMetadata,
): 'one' | 'many' | undefined {
  if (Array.isArray(value)) return value.length > 0 && isEntity(value[0], context) ? 'many' : undefined;
  return isEntity(value, context) ? 'one' : undefined;
}

function embeddedKindOf(plan: ObjectPlan, key: string, value: unknown): Kind {
  if (value === null || value === undefined) return 'value';
  if (typeof value !== 'object' || Object.getPrototypeOf(value) !== plan.prototype) {
    throw new UnstorableGraph(`${key} is not an object of the embedded class`);
  }
  return 'embedded';
}
