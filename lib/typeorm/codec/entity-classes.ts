import type { DataSource, EntityMetadata } from 'typeorm';
import { planEntity, UnstorableGraph, type ObjectPlan } from './class-plan.js';
import { layoutOf, type Layout } from './layout.js';

/** The entities of one DataSource: by object, by the name that other processes know them by, and how each is made. */
export class EntityClasses {
  private readonly byPrototype = new Map<object, EntityMetadata | undefined>();
  private readonly byId = new Map<string, EntityMetadata | undefined>();
  private readonly plans = new Map<EntityMetadata, ObjectPlan | UnstorableGraph>();

  constructor(dataSource: DataSource) {
    for (const metadata of dataSource.entityMetadatas) {
      addUnlessTaken(this.byId, nameOf(metadata), metadata);
      // Of a class that is mapped twice, an instance does not say which of the two it is.
      if (typeof metadata.target === 'function') {
        addUnlessTaken(this.byPrototype, metadata.target.prototype as object, metadata);
      }
    }
  }

  /** @throws UnstorableGraph if another entity has the same name and table. */
  idOf(metadata: EntityMetadata): string {
    const id = nameOf(metadata);
    if (this.byId.get(id) !== metadata) throw new UnstorableGraph(`Two entities are named ${id}`);
    return id;
  }

  withId(id: string): EntityMetadata | undefined {
    return this.byId.get(id);
  }

  /** @param context the class that related objects have by the schema, for those that carry none themselves. */
  readonly isEntity = (value: unknown, context?: EntityMetadata): boolean => {
    if (typeof value !== 'object' || value === null) return false;
    const prototype = Object.getPrototypeOf(value) as object;
    return this.byPrototype.has(prototype) || (prototype === Object.prototype && isWithoutClass(context));
  };

  /** @throws UnstorableGraph if it is not an entity, or of no class that can be told. */
  metadataOf(entity: unknown, context: EntityMetadata | undefined): EntityMetadata {
    if (this.isEntity(entity, context)) {
      const metadata = this.byPrototype.get(Object.getPrototypeOf(entity) as object);
      if (metadata) return metadata;
      if (isWithoutClass(context)) return context;
    }
    throw new UnstorableGraph('A value in the place of an entity is of no known class');
  }

  /** @throws UnstorableGraph if objects of the class, or this one, cannot be stored. */
  layoutOf(metadata: EntityMetadata, entity: object): Layout {
    return layoutOf(this.planOf(metadata), entity, this.isEntity);
  }

  /** @throws UnstorableGraph */
  planOf(metadata: EntityMetadata): ObjectPlan {
    let plan = this.plans.get(metadata);
    if (!plan) this.plans.set(metadata, (plan = planOrReason(metadata)));
    if (plan instanceof UnstorableGraph) throw plan;
    return plan;
  }
}

function planOrReason(metadata: EntityMetadata): ObjectPlan | UnstorableGraph {
  try {
    return planEntity(metadata);
  } catch (error) {
    if (error instanceof UnstorableGraph) return error;
    throw error;
  }
}

function addUnlessTaken<K>(map: Map<K, EntityMetadata | undefined>, key: K, metadata: EntityMetadata): void {
  map.set(key, map.has(key) ? undefined : metadata);
}

function nameOf(metadata: EntityMetadata): string {
  return `${metadata.name}@${metadata.tablePath}`;
}

/** Plain objects are entities of a schema without a class, unless one of several could be meant. */
function isWithoutClass(metadata: EntityMetadata | undefined): metadata is EntityMetadata {
  return (
    metadata !== undefined &&
    typeof metadata.target !== 'function' &&
    metadata.childEntityMetadatas.length === 0
  );
}
