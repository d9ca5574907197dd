import type { DataSource, EntityManager } from 'typeorm';
import type { SqlDialect } from '../../sql/sql.types.js';
import type { VersioningSettings } from '../../versioning/version-policy.js';
import { createLockScope, Mutex } from '../mutex.js';
import { Conflicts, type Outdate } from './conflicts.js';
import { Expectations } from './expectations.js';
import { guardedBuilders } from './guarded-builders.js';
import { hookFailure } from './hook-failure.js';
import { LockingCheck, type PersistMethod } from './locking-check.js';
import { OwnedRows } from './owned-rows.js';
import { PersistenceGuard } from './persistence-guard.js';
import { Snapshots } from './snapshots.js';
import { StatementGuard } from './statement-guard.js';
import { hookExecutors } from './subject-executor.js';
import { VersionedEntities } from './versioned-entities.js';

export interface VersionGuardOptions {
  readonly dataSource: DataSource;
  readonly dialect: SqlDialect;
  readonly settings: VersioningSettings;
  readonly warn: (message: string) => void;
  readonly outdate: Outdate;
}

type BuilderClass = new (...args: never[]) => object;

const INSTALLED = Symbol('cacheops.versions');

/** The guard of a DataSource, where there is one. */
export const guardOf = (dataSource: DataSource): VersionGuard | undefined =>
  (dataSource as DataSource & { [INSTALLED]?: VersionGuard })[INSTALLED];

/** The guard of one DataSource: no write of a versioned entity loses what others have written. */
export class VersionGuard {
  readonly entities: VersionedEntities;
  readonly conflicts: Conflicts;
  readonly snapshots: Snapshots;
  private readonly expectations = new Expectations();
  private readonly statements: StatementGuard;
  /** SQLite drivers have one connection: a save that rolls back would take the writes of others with it. */
  private readonly turns: Mutex | undefined;
  private unhook: (() => void) | undefined;
  private weaker: LockingCheck | undefined;

  /** @throws CacheOpsConfigError when a rule asks for what an entity does not have */
  constructor(private readonly options: VersionGuardOptions) {
    const { dataSource, dialect, settings } = options;
    this.entities = new VersionedEntities(dataSource, dialect, settings);
    this.snapshots = new Snapshots(this.entities);
    const scope = createLockScope(() => this.runsOthers());
    this.turns = dialect === 'sqlite' && this.entities.size > 0 ? new Mutex(scope) : undefined;
    this.conflicts = new Conflicts(this.snapshots, options.outdate);
    this.statements = new StatementGuard(dataSource, this.entities, this.expectations, this.conflicts);
  }

  /** The class of builders with the guard in it. */
  builders(Base: BuilderClass): BuilderClass {
    return this.entities.size > 0 ? guardedBuilders(Base, this.statements) : Base;
  }

  /** Runs a `save()` or one of its kin. */
  persist(
    manager: EntityManager,
    method: string,
    args: readonly unknown[],
    write: (manager: EntityManager) => unknown,
  ): unknown {
    const { weaker, turns } = this;
    const work =
      weaker && method !== 'preload'
        ? async () => weaker.run(manager, method as PersistMethod, args, async (inside) => write(inside))
        : async () => write(manager);
    return turns ? turns.run(work) : weaker ? work() : write(manager);
  }

  /** Whether a save runs code of the application, which may save in turn. */
  private runsOthers(): boolean {
    const { entityMetadatas, subscribers } = this.options.dataSource;
    return (
      subscribers.some((each) => each !== this.snapshots) ||
      entityMetadatas.some(({ listeners }) => listeners.length > 0)
    );
  }

  async install(): Promise<void> {
    const { dataSource } = this.options;
    Object.assign(dataSource, { [INSTALLED]: this });
    if (this.entities.size === 0) return;
    if (this.snapshots.isNeeded) dataSource.subscribers.push(this.snapshots);
    const owned = new OwnedRows(this.entities);
    const { entities, expectations, conflicts, snapshots } = this;
    const guard = new PersistenceGuard({ entities, expectations, conflicts, snapshots, owned });
    this.unhook = await hookExecutors(dataSource, guard);
    const failure = this.unhook ? await hookFailure(dataSource, entities) : 'it has no SubjectExecutor';
    if (failure !== undefined) this.weaken(failure);
  }

  /** Never to no check in silence. */
  private weaken(failure: string): void {
    this.unhook?.();
    this.unhook = undefined;
    this.weaker = new LockingCheck(this.options.dataSource, this.entities, this.conflicts);
    this.options.warn(
      `The version guard does not fit this release of TypeORM (${failure}). save(), remove(), softRemove() and ` +
        'recover() lock and compare rows before they write, which costs a statement for each entity',
    );
  }

  uninstall(): void {
    this.unhook?.();
    const { dataSource } = this.options;
    delete (dataSource as { [INSTALLED]?: VersionGuard })[INSTALLED];
    const { subscribers } = dataSource;
    const at = subscribers.indexOf(this.snapshots);
    if (at >= 0) subscribers.splice(at, 1);
  }
}
