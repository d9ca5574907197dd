import type { EntityTarget, FindManyOptions, ObjectLiteral } from 'typeorm';
import { keyPart, type KeyRules } from '../core/cache-key.js';
import type { GraphPlan } from './graph-plan.js';

/** Methods of EntityManager that ask for entities by find options. */
export const FIND_METHODS = ['find', 'findBy', 'findOne', 'findOneBy'] as const;
export type FindMethod = (typeof FIND_METHODS)[number];

/** Whether the method answers with one entity. */
export const isSingle = (method: FindMethod): boolean => method === 'findOne' || method === 'findOneBy';

/** The options that TypeORM's method hands to its query builder. */
export function findOptions(method: FindMethod, given: unknown): FindManyOptions<ObjectLiteral> {
  const options = (
    method.endsWith('By') ? { where: given } : (given ?? {})
  ) as FindManyOptions<ObjectLiteral>;
  return isSingle(method) ? { ...options, take: 1 } : options;
}

const MAX_PLANS = 5000;

/** Text of a find operator; `Raw` holds SQL of its own making and has none. */
const RULES: KeyRules = {
  ordered: true,
  instance(value, part) {
    const operator = value as { '@instanceof'?: symbol; _type?: string; _value?: unknown; _getSql?: unknown };
    const kind = operator['@instanceof']?.description;
    if ((kind !== 'FindOperator' && kind !== 'EqualOperator') || operator._getSql !== undefined)
      return undefined;
    const inner = part(operator._value);
    return inner === undefined ? undefined : `F${operator._type}(${inner})`;
  },
};

/**
 * Remembers, by find options or by what a builder holds (`BuilderKeys`), what the query builder's door decided, so that a
 * hit need not build SQL again: the text and its parameters are a function of these and the entities. Whether the cache may be used at this moment is
 * not remembered; the caller asks that each time.
 */
export class FrontDoor {
  private readonly plans = new Map<string, GraphPlan>();
  private readonly targets = new Map<EntityTarget<ObjectLiteral>, number>();
  /** Of the find method that is running, and of the builder that it uses. */
  private readonly pending: string[] = [];

  /** `undefined` when the options have no canonical text. */
  keyOf(method: FindMethod, target: EntityTarget<ObjectLiteral>, options: unknown): string | undefined {
    let id = this.targets.get(target);
    if (id === undefined) this.targets.set(target, (id = this.targets.size));
    const part = keyPart(options, RULES);
    return part === undefined ? undefined : `${method}:${id}:${part}`;
  }

  find(key: string): GraphPlan | undefined {
    return this.plans.get(key);
  }

  /**
   * Runs `work` so that a plan made by its query builder is kept under `key`. TypeORM comes from the find method, and
   * from the builder's, to the builder's execution without an `await`, so what is decided before `work` returns was decided for it.
   */
  learning<T>(key: string, work: () => T): T {
    this.pending.push(key);
    try {
      return work();
    } finally {
      this.pending.pop();
    }
  }

  /** Told by the builder's door. */
  keep(plan: GraphPlan): void {
    for (const key of this.pending) {
      if (this.plans.size >= MAX_PLANS) this.plans.delete(this.plans.keys().next().value as string);
      this.plans.set(key, plan);
    }
  }
}
