import type { DataSource, QueryRunner, RemoveOptions, SaveOptions } from 'typeorm';
import type { Subject } from 'typeorm/persistence/Subject.js';

/**
 * What is reached of TypeORM's `SubjectExecutor`, which turns one `save()` into statements. It is no part of TypeORM's
 * promise: `hookFailure` tries it when a DataSource is attached, and `test/versioning/canary.spec.ts` after an upgrade.
 */
export interface SubjectExecutor extends ExecutorMethods {
  readonly queryRunner: QueryRunner;
  readonly allSubjects: Subject[];
  readonly options?: SaveOptions & RemoveOptions;
  hasExecutableOperations: boolean;
  readonly insertSubjects: Subject[];
  updateSubjects: Subject[];
  readonly removeSubjects: Subject[];
  softRemoveSubjects: Subject[];
  recoverSubjects: Subject[];
}

/** Methods of the executor that a guard stands in front of. */
export interface ExecutorMethods {
  recompute: (this: SubjectExecutor) => void;
  readonly executeInsertOperations: (this: SubjectExecutor) => Promise<void>;
  readonly executeUpdateOperations: (this: SubjectExecutor) => Promise<void>;
  readonly executeRemoveOperations: (this: SubjectExecutor) => Promise<void>;
  readonly executeSoftRemoveOperations: (this: SubjectExecutor) => Promise<void>;
  readonly executeRecoverOperations: (this: SubjectExecutor) => Promise<void>;
  readonly updateSpecialColumnsInPersistedEntities: (this: SubjectExecutor) => void;
}

const METHODS = [
  'recompute',
  'executeInsertOperations',
  'executeUpdateOperations',
  'executeRemoveOperations',
  'executeSoftRemoveOperations',
  'executeRecoverOperations',
  'updateSpecialColumnsInPersistedEntities',
] as const satisfies readonly (keyof ExecutorMethods)[];

/** What stands in front of each method: it gets the executor, and `proceed` runs the method itself. */
export type ExecutorGuard = {
  readonly [K in keyof ExecutorMethods]: (
    executor: SubjectExecutor,
    proceed: () => ReturnType<ExecutorMethods[K]>,
  ) => ReturnType<ExecutorMethods[K]>;
};

/** By which an executor finds the guard of its DataSource. */
const GUARD = Symbol('cacheops.versionGuard');
const HOOK = Symbol('cacheops.hook');

type GuardedSource = DataSource & { [GUARD]?: object };
interface Hook {
  readonly original: ExecutorMethods['recompute'];
  guards: number;
}
type Prototype = ExecutorMethods & { [HOOK]?: Hook };

/**
 * Gives the executors of a DataSource a prototype with the guard in it. An executor is made deep inside `save()` and
 * handed to nobody, so this is the one prototype of TypeORM that is touched, and in one method: `recompute` is what the
 * constructor calls. Executors of other DataSources pass as they are.
 *
 * @returns takes the guard away again; `undefined` when TypeORM has no such class any more
 */
export async function hookExecutors(
  dataSource: DataSource,
  guard: ExecutorGuard,
): Promise<(() => void) | undefined> {
  const plain = await executorPrototype();
  if (!plain || METHODS.some((name) => typeof plain[name] !== 'function')) return undefined;
  const hook = (plain[HOOK] ??= install(plain));
  hook.guards++;
  (dataSource as GuardedSource)[GUARD] = guardedPrototype(plain, hook.original, guard);
  return () => {
    delete (dataSource as GuardedSource)[GUARD];
    if (--hook.guards > 0) return;
    plain.recompute = hook.original;
    delete plain[HOOK];
  };
}

function install(plain: Prototype): Hook {
  const original = plain.recompute;
  plain.recompute = function () {
    const guarded = (this.queryRunner.dataSource as GuardedSource)[GUARD];
    if (!guarded) return original.call(this);
    Object.setPrototypeOf(this, guarded);
    this.recompute();
  };
  return { original, guards: 0 };
}

function guardedPrototype(
  plain: ExecutorMethods,
  recompute: ExecutorMethods['recompute'],
  guard: ExecutorGuard,
): object {
  const methods = METHODS.map((name) => {
    const original = name === 'recompute' ? recompute : plain[name];
    const guarded = guard[name].bind(guard) as (executor: SubjectExecutor, proceed: () => unknown) => unknown;
    const method = function (this: SubjectExecutor): unknown {
      return guarded(this, () => original.call(this));
    };
    return [name, method] as const;
  });
  return Object.assign(Object.create(plain) as object, Object.fromEntries(methods));
}

async function executorPrototype(): Promise<Prototype | undefined> {
  try {
    const { SubjectExecutor } = await import('typeorm/persistence/SubjectExecutor.js');
    return SubjectExecutor.prototype as unknown as Prototype;
  } catch {
    return undefined;
  }
}
