import type { DataSource, QueryRunner } from 'typeorm';
import type { CacheOpsLogger } from '../cacheops.options.js';
import type { GrowingClassRegistry } from '../core/class-registry.js';
import type { EntityModel, FoundDataSource } from '../core/entity-model.js';
import type { OutboxStats } from '../core/outbox.js';
import type { Profile, ProfileRule } from '../core/profile.js';
import { tableToken } from '../core/token.js';
import { initSqlParser } from '../sql/index.js';
import { Entities } from './entities.js';
import { entityClassCodecs } from './entity-class-codecs.js';
import { connectionOf } from './observe-runner.js';
import { ObservedDataSource, type ObserveServices } from './observed-data-source.js';
import type { RecordVersions, VersionedSources } from '../versioning/record-versions.interface.js';
import { Profiles } from './profiles.js';
import { EntityVersions } from './versioning/entity-versions.js';
import { assertVersionRules } from './versioning/versioned-entities.js';

export interface SourceSettings {
  readonly services: Omit<ObserveServices, 'profiles' | 'warn'>;
  /** Takes the entity classes, so that values may hold entities. */
  readonly classes: GrowingClassRegistry;
  readonly rules: readonly ProfileRule[];
  /** Rules that modules keep beside their entities. */
  readonly localRules: readonly ProfileRule[];
  readonly fallback: Profile;
  readonly logger: CacheOpsLogger;
}

/** The DataSources of an application, observed. */
export class ObservedSources implements VersionedSources {
  readonly model: EntityModel = new Entities(() => this.observed);
  readonly versions: RecordVersions;
  private readonly observed: ObservedDataSource[] = [];
  private readonly known = new Set<object>();
  private readonly services: ObserveServices;

  constructor(private readonly settings: SourceSettings) {
    const { rules, fallback, localRules, logger } = settings;
    const profiles = new Profiles(rules, fallback, localRules);
    this.versions = new EntityVersions(() => this.observed);
    this.services = { ...settings.services, profiles, warn: (message) => logger.warn(message) };
  }

  async attach(found: FoundDataSource, unseen: boolean): Promise<void> {
    const dataSource = found.dataSource as DataSource;
    if (this.known.has(dataSource)) return;
    this.known.add(dataSource);
    if (dataSource.isInitialized) return this.observe(dataSource, found.name, unseen);
    const initialize = dataSource.initialize.bind(dataSource);
    Object.assign(dataSource, {
      initialize: async () => {
        delete (dataSource as Partial<DataSource>).initialize;
        await initialize();
        await this.observe(dataSource, found.name, false);
        this.assertProfiles();
        return dataSource;
      },
    });
  }

  assertProfiles(): void {
    const dataSources = [...this.known] as DataSource[];
    if (dataSources.length === 0 || dataSources.some((each) => !each.isInitialized)) return;
    const entities = dataSources.flatMap((each) => each.entityMetadatas);
    this.services.profiles.assertKnown(entities);
    assertVersionRules(this.services.versioning?.entities ?? [], entities);
  }

  describe(): readonly string[] {
    return this.observed.map(
      ({ name, dataSource }) =>
        `${name} (${dataSource.options.type}, ${dataSource.entityMetadatas.length} entities)`,
    );
  }

  outboxes(): readonly OutboxStats[] {
    return this.observed.flatMap(({ outbox }) => outbox?.stats() ?? []);
  }

  async drain(): Promise<void> {
    await Promise.all(this.observed.map(async ({ outbox }) => outbox?.drain()));
  }

  afterEnd(transaction: object, task: () => void): boolean {
    const runner = 'queryRunner' in transaction ? transaction.queryRunner : transaction;
    const frames = runner ? connectionOf(runner as QueryRunner)?.frames : undefined;
    if (!frames?.active) return false;
    frames.afterEnd(task);
    return true;
  }

  detach(): void {
    for (const each of this.observed.splice(0)) each.detach();
  }

  private async observe(dataSource: DataSource, name: string, unseen: boolean): Promise<void> {
    await initSqlParser();
    const observed = await ObservedDataSource.attach(dataSource, name, this.services);
    if (!observed) {
      this.settings.logger.warn(
        `DataSource ${name} is not cached: ${dataSource.options.type} is not supported`,
      );
      return;
    }
    this.observed.push(observed);
    observed.outbox?.start();
    for (const codec of entityClassCodecs(observed)) this.settings.classes.add(codec);
    const { migrationsRun, synchronize, dropSchema } = dataSource.options;
    if (unseen || migrationsRun || synchronize || dropSchema) await this.restamp(observed);
  }

  /** What happened before the doors were in was not seen. A backend that is away remembers this for its return. */
  private async restamp({ catalog }: ObservedDataSource): Promise<void> {
    const tokens = [...catalog.relations].map(({ id }) => tableToken(id));
    await this.services.invalidator.restamp(tokens).catch(() => undefined);
  }
}
