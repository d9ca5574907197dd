import {
  type BeforeApplicationShutdown,
  type DynamicModule,
  Inject,
  type InjectionToken,
  Module,
  type OnApplicationShutdown,
  type OnModuleInit,
  type Provider,
} from '@nestjs/common';
import { ApplicationConfig, HttpAdapterHost, ModulesContainer } from '@nestjs/core';
import { CacheOpsFeatureModule, collectFeatureRules } from './cacheops.feature-module.js';
import {
  type ASYNC_OPTIONS_TYPE,
  type CacheOpsModuleExtras,
  ConfigurableModuleClass,
  EXTRAS,
  RAW_OPTIONS,
  RECORD_VERSIONS,
} from './cacheops.module-definition.js';
import { type CacheOpsOptions, resolveOptions } from './cacheops.options.js';
import { type CacheOpsRuntime, createRuntime } from './cacheops.runtime.js';
import { CacheOpsConfigError } from './cacheops.errors.js';
import { DEFAULT_DATA_SOURCE, dataSourceToken, findDataSources } from './discovery/data-sources.js';
import { placeFirst } from './interceptors/http/http-cache.interceptor.js';
import type { EntityRule } from './options/entity-rules.js';
import { LockService } from './locks/lock.service.js';
import { CacheOpsService } from './service/cacheops.service.js';
import { VersionedCache } from './service/versioned-cache.js';

const RUNTIME = Symbol('cacheops.runtime');

/** Caching of TypeORM queries and of values; import it once, with `forRoot` or `forRootAsync`. */
@Module({})
export class CacheOpsModule
  extends ConfigurableModuleClass
  implements OnModuleInit, BeforeApplicationShutdown, OnApplicationShutdown
{
  constructor(
    @Inject(RUNTIME) private readonly runtime: CacheOpsRuntime,
    @Inject(ModulesContainer) private readonly modules: ModulesContainer,
  ) {
    super();
  }

  /**
   * @param options see `CacheOpsOptions`; all have defaults
   * @throws CacheOpsConfigError at start, when an option is unknown, malformed or contradicts another
   */
  static override forRoot(options: CacheOpsOptions = {}): DynamicModule {
    return wired(super.forRoot(options), options.dataSources);
  }

  /**
   * With options that are made while the application starts. Besides `inject` and `useFactory`, `useClass` or
   * `useExisting`, `isGlobal` and `dataSources` are given here and not by the factory: Nest asks for them before.
   */
  static override forRootAsync(options: typeof ASYNC_OPTIONS_TYPE): DynamicModule {
    return wired(super.forRootAsync(options), options.dataSources);
  }

  /**
   * Profiles beside their entities: `forFeature([[Article, { ops: 'get' }]])`. They give way to a rule of `forRoot`
   * that names the entity, and win over one that matches it by a glob.
   * @throws CacheOpsConfigError when a rule is malformed, or at start when an entity has two of them
   */
  static forFeature(rules: readonly EntityRule[]): DynamicModule {
    return CacheOpsFeatureModule.with(rules);
  }

  /** @internal */
  async onModuleInit(): Promise<void> {
    const { options, sources, logger, binder } = this.runtime;
    binder.start();
    const found = findDataSources(this.modules);
    const missing = options.dataSources?.find((name) => found.every((each) => each.name !== name));
    if (options.enabled && missing !== undefined) {
      const names = found.map(({ name }) => name).join(', ') || 'none';
      throw new CacheOpsConfigError(
        'dataSources',
        `names of DataSources of the application (${names})`,
        missing,
      );
    }
    for (const each of found) {
      // Other modules may have used it already: `dataSources` names those that must be observed earlier.
      if (isObserved(each.name, options.dataSources)) await sources.attach(each, true);
    }
    sources.assertProfiles();
    logger.log(topology(this.runtime));
  }

  /** @internal Before TypeORM's module closes the DataSources, for what has to be told to them. */
  async beforeApplicationShutdown(): Promise<void> {
    await this.runtime.drain();
  }

  /** @internal After everybody else's hooks, whose writes still count. */
  async onApplicationShutdown(): Promise<void> {
    await this.runtime.close();
  }
}

/** Adds what the module consists of. A DataSource that is named here is observed before anybody can write to it. */
function wired(definition: DynamicModule, dataSources: CacheOpsModuleExtras['dataSources']): DynamicModule {
  const names = Array.isArray(dataSources) ? (dataSources as readonly string[]) : [DEFAULT_DATA_SOURCE];
  const tokens = names.flatMap((name) => dataSourceToken(name) ?? []);
  const runtime: Provider = {
    provide: RUNTIME,
    inject: [
      RAW_OPTIONS,
      EXTRAS,
      ModulesContainer,
      HttpAdapterHost,
      ApplicationConfig,
      ...tokens.map((token) => ({ token, optional: true })),
    ],
    useFactory: async (
      raw: CacheOpsOptions,
      extras: CacheOpsModuleExtras,
      modules: ModulesContainer,
      host: HttpAdapterHost,
      config: ApplicationConfig,
      ...found: (object | undefined)[]
    ) => {
      const options = resolveOptions({ ...raw, ...definedOf(extras) });
      const rules = collectFeatureRules(modules, options.ttl, CacheOpsModule);
      const created = await createRuntime(options, rules, modules, host);
      // Before Nest looks at the methods of anybody.
      created.binder.run();
      // Other routes would pay for it, so it is there only where it has work.
      if (created.routes.found) placeFirst(config);
      for (const [i, dataSource] of found.entries()) {
        const name = names[i] as string;
        if (dataSource && isObserved(name, options.dataSources))
          await created.sources.attach({ name, dataSource }, false);
      }
      return created;
    },
  };
  const parts = [
    part(CacheOpsService, (created) => created.service),
    part(LockService, (created) => created.locks),
    part(VersionedCache, (created) => created.versionedCache),
    part(RECORD_VERSIONS, ({ options, sources }) => (options.enabled ? sources.versions : null)),
  ];
  const providers = [...(definition.providers ?? []), runtime, ...parts];
  const exports = [...(definition.exports ?? []), ...parts.map(({ provide }) => provide)];
  return { ...definition, providers, exports };
}

/** A provider of what the runtime consists of. */
const part = (provide: InjectionToken, of: (runtime: CacheOpsRuntime) => unknown) => ({
  provide,
  inject: [RUNTIME],
  useFactory: of,
});

const isObserved = (name: string, names: readonly string[] | undefined): boolean =>
  names?.includes(name) ?? true;

const definedOf = (extras: CacheOpsModuleExtras): CacheOpsModuleExtras =>
  Object.fromEntries(Object.entries(extras).filter(([, value]) => value !== undefined));

function topology({ options, sources }: CacheOpsRuntime): string {
  if (!options.enabled) return 'Switched off: everything passes through';
  const backend =
    options.redis === undefined ? `memory of this process (${options.memory.maxBytes} bytes)` : 'Redis';
  const prefix = options.redis === undefined ? '' : ` under ${JSON.stringify(options.prefix)}`;
  const observed = sources.describe().join(', ') || 'none';
  const near = options.near && `; near cache of ${options.near.maxBytes} bytes, ${options.near.mode}`;
  return `Cache in ${backend}${prefix}${near ?? ''}; default ttl ${options.ttl} ms; DataSources: ${observed}`;
}
