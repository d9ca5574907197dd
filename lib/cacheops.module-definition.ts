import { ConfigurableModuleBuilder, type DynamicModule } from '@nestjs/common';
import { type CacheOpsOptions, DEFAULTS } from './cacheops.options.js';

/** What `forRootAsync` makes its options with, as a class. */
export interface CacheOpsOptionsFactory {
  createCacheOpsOptions(): CacheOpsOptions | Promise<CacheOpsOptions>;
}

/** What must be known before the options are: it decides how the module stands among others. */
export interface CacheOpsModuleExtras {
  /** Whether `CacheOpsService` can be injected without importing the module. Default `true`. */
  isGlobal?: boolean | undefined;
  /** Nest names of the DataSources to observe from their very first write. Default: `['default']`, and all others later. */
  dataSources?: readonly string[] | undefined;
}

/** Token of the `RecordVersions` of the application; `null` while the option `enabled` is `false`. */
export const RECORD_VERSIONS = Symbol('cacheops.record-versions');

/** The extras as the module sees them. */
export const EXTRAS = Symbol('cacheops.extras');

export const {
  ConfigurableModuleClass,
  MODULE_OPTIONS_TOKEN: RAW_OPTIONS,
  OPTIONS_TYPE,
  ASYNC_OPTIONS_TYPE,
} = new ConfigurableModuleBuilder<CacheOpsOptions>({ moduleName: 'CacheOps' })
  .setClassMethodName('forRoot')
  .setFactoryMethodName('createCacheOpsOptions')
  .setExtras<CacheOpsModuleExtras>({ isGlobal: undefined, dataSources: undefined }, withExtras)
  .build();

function withExtras(
  definition: DynamicModule,
  { isGlobal, dataSources }: CacheOpsModuleExtras,
): DynamicModule {
  return {
    ...definition,
    global: isGlobal ?? DEFAULTS.isGlobal,
    providers: [...(definition.providers ?? []), { provide: EXTRAS, useValue: { isGlobal, dataSources } }],
  };
}
