import { AsyncLocalStorage } from 'node:async_hooks';
import type { EntityLike } from '../core/entity-model.js';
import { entityNameOf } from './entity-name.js';
import { wrapMethod } from './wrapped-method.js';

/** Whom a switch is for: an entity by class, name or `EntitySchema`, or one entity object. Lists: any of them. */
export type VersionSubject = EntityLike | object | readonly (EntityLike | object)[];

type Switch = 'check' | 'increment';

interface Exemption {
  readonly of: Switch;
  /** `undefined`: everything. */
  readonly subjects: readonly unknown[] | undefined;
}

const storage = new AsyncLocalStorage<readonly Exemption[]>();
let open = 0;

/**
 * Runs `fn`, and everything that it awaits, without version checks: for imports, fixtures and repairs. A version that
 * an inserted entity carries is kept; an update still increments, and never writes the version that the entity carries.
 * The switch follows the asynchronous call, so calls at the same time do not see each other's.
 *
 * @param subjects whom it is for; left out, all entities
 */
export function withoutVersionCheck<T>(fn: () => T): T;
export function withoutVersionCheck<T>(subjects: VersionSubject, fn: () => T): T;
export function withoutVersionCheck<T>(first: VersionSubject | (() => T), fn?: () => T): T {
  return exempting('check', first, fn);
}

/**
 * Runs `fn`, and everything that it awaits, so that updates leave versions as they are: for edits that others need not
 * hear of. Versions are still checked.
 *
 * @param subjects whom it is for; left out, all entities
 */
export function withoutVersionIncrement<T>(fn: () => T): T;
export function withoutVersionIncrement<T>(subjects: VersionSubject, fn: () => T): T;
export function withoutVersionIncrement<T>(first: VersionSubject | (() => T), fn?: () => T): T {
  return exempting('increment', first, fn);
}

/** Method decorator: the method runs inside `withoutVersionCheck`. */
export const WithoutVersionCheck =
  (subjects?: () => VersionSubject): MethodDecorator =>
  (_target, _key, descriptor: PropertyDescriptor) => {
    wrapMethod(descriptor, (run) =>
      subjects ? withoutVersionCheck(subjects(), run) : withoutVersionCheck(run),
    );
  };

/**
 * Whether a switch is on for an entity.
 * @param names class and name of the entity, and of those that it inherits its table from
 * @param entity the object that is written
 */
export function isExempt(of: Switch, names: readonly unknown[], entity?: unknown): boolean {
  const exemptions = open > 0 ? storage.getStore() : undefined;
  return (
    exemptions?.some(
      (each) =>
        each.of === of &&
        (each.subjects?.some(
          (subject) => names.includes(subject) || (entity !== undefined && subject === entity),
        ) ??
          true),
    ) ?? false
  );
}

function exempting<T>(of: Switch, first: unknown, fn: (() => T) | undefined): T {
  const work = fn ?? (first as () => T);
  const subjects = fn ? (Array.isArray(first) ? first : [first]).map(entityNameOf) : undefined;
  open++;
  return storage.run([...(storage.getStore() ?? []), { of, subjects }], () => settled(work));
}

/** A storage that was entered costs something on each promise of the process, so the last one out disables it. */
function settled<T>(work: () => T): T {
  const leave = (): void => {
    if (--open === 0) storage.disable();
  };
  let result: T;
  try {
    result = work();
  } catch (error) {
    leave();
    throw error;
  }
  if (!(result instanceof Promise)) {
    leave();
    return result;
  }
  return result.finally(leave) as T;
}
