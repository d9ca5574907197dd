export { CacheOpsModule } from './cacheops.module.js';
export {
  type CacheOpsModuleExtras,
  type CacheOpsOptionsFactory,
  RECORD_VERSIONS,
} from './cacheops.module-definition.js';
export {
  type CacheOpsLogger,
  type CacheOpsOptions,
  DEFAULTS,
  type TimeoutOptions,
} from './cacheops.options.js';
export {
  CacheOpsConfigError,
  CacheOpsDependencyError,
  CacheOpsError,
  type CacheOpsErrorCode,
  CacheOpsSerializationError,
  ERROR_CODES,
} from './cacheops.errors.js';
export type { EntityClass, EntityLike, EntitySchemaLike, QueryExplanation } from './core/entity-model.js';
export type { Inspection, TokenFate } from './core/inspection.js';
export type {
  CacheEvent,
  CacheSource,
  CacheStats,
  RefreshOutcome,
  RefuseReason,
} from './core/instrumentation.js';
export type { OutboxStats } from './core/outbox.js';
export type { BusLoss } from './drivers/bus.interface.js';
export type { NearLoss, NearStats } from './drivers/near-entries.interface.js';
export { CACHE_OPS, type CacheOp } from './core/profile.js';
export type { RedisClient } from './drivers/redis.client.js';
export type { RedisConnectionOptions, RedisOption } from './drivers/redis.connection.js';
export { FileLockDriver, type FileLockDriverOptions } from './locks/drivers/file.lock-driver.js';
export { FenceError } from './locks/fence.error.js';
export type { EntitiesOption, EntityProfile, EntityRule } from './options/entity-rules.js';
export type { Duration } from './options/parse.js';
export type { NearOption } from './options/near.js';
export type { OutboxOptions } from './options/outbox.js';
export type { RefillOptions } from './options/refill.js';
export type { EntityVersioning, EntityVersioningRule, VersioningOptions } from './options/version-rules.js';
export type { CallRequest } from './core/call-request.js';
export { CacheKey } from './decorators/cache-key.decorator.js';
export { Cached, CachedAs, type DependenciesByCall } from './decorators/cached-as.decorator.js';
export type {
  CachedAsOptions,
  CachedOptions,
  HitEvent,
  MissEvent,
  Vary,
  VaryBy,
} from './decorators/cached-as.options.js';
export type { AnyArguments, AnyResult, ByCall, CallContext } from './decorators/call-context.js';
export { InvalidateOn } from './decorators/invalidate-on.decorator.js';
export { Invalidates, NoCache, NoInvalidation } from './decorators/invalidates.decorator.js';
export type { HttpOptions } from './options/http.js';
export type { CachedMethod, MethodArguments, MethodNames, MethodResult } from './service/bound-method.js';
export type { CachedResponses } from './service/cached-responses.js';
export { CacheOpsService, type QueryReport, type ServiceStats } from './service/cacheops.service.js';
export type { CachedValues, ValueExplanation } from './service/cached-values.js';
export type { EntryStore } from './drivers/entry-store.interface.js';
export type { ValueOptions } from './service/value-options.js';
export {
  type ConditionValue,
  dep,
  type Dependency,
  type RowCondition,
  type RowsDependency,
} from './core/entity-dependency.js';
export type { ByArguments, WrapOptions, Wrapped, WrappedEntry } from './service/wrapped.js';
export { VersionedCache, VersionVector } from './service/versioned-cache.js';
export { type Conflict, RecordModifiedError } from './versioning/record-modified.error.js';
export type { ReadRecord, RecordVersions } from './versioning/record-versions.interface.js';
export type { ConflictKind, RecordVersion, VersionedOperation } from './versioning/record-version.js';
export {
  type VersionSubject,
  WithoutVersionCheck,
  withoutVersionCheck,
  withoutVersionIncrement,
} from './versioning/version-checks.js';
export { VersionFields } from './versioning/version-fields.decorator.js';
export type { VersionKind } from './versioning/version-policy.js';
export {
  RETRY_DEFAULTS,
  RetryOnConflict,
  retryOnConflict,
  type RetryOptions,
  type RetryPacing,
} from './versioning/retry/retry-on-conflict.js';
export { type TokenSubject, VersionTokenError, VersionTokens } from './versioning/version-tokens.js';
export { EntityLock, type EntityLockOptions } from './locks/entity-lock.js';
export type {
  LeaseEnd,
  LockBusy,
  LockCapabilities,
  LockDriver,
  LockGrant,
  LockHolder,
  LockLease,
  LockMode,
  LockPatience,
  LockRenewal,
  LockRequest,
  LockState,
  LockTurn,
  LockWatch,
  ReleaseOutcome,
  RenewOutcome,
} from './locks/lock-driver.interface.js';
export { MemoryLockDriver, type MemoryLockDriverOptions } from './locks/drivers/memory.lock-driver.js';
export {
  RedisQuorumLockDriver,
  type RedisQuorumLockDriverOptions,
} from './locks/drivers/redis-quorum.lock-driver.js';
export { RedisLockDriver, type RedisLockDriverOptions } from './locks/drivers/redis.lock-driver.js';
export { LockBusyError, type LockLoss, LockLostError } from './locks/lock.errors.js';
export type { LockedSection, LockHandle, LockRelease } from './locks/lock-handle.js';
export type { LockHolderInfo, LockInfo } from './locks/lock-holder.js';
export type { LockEvent, LockOperation, LockStats } from './locks/lock.instrumentation.js';
export type { LockNames, LockOptions } from './locks/lock.options.js';
export type { LocksOptions } from './locks/locks.options.js';
export {
  type LockCall,
  Lock,
  type LockDecoratorOptions,
  LockEntity,
  type LockEntityDecoratorOptions,
} from './locks/lock.decorators.js';
export { LockBusyFilter, type LockBusyStatus } from './locks/lock-busy.filter.js';
export { LockService } from './locks/lock.service.js';
export { MergeConflictError } from './versioning/merge/merge-conflict.error.js';
export type { ConflictResolver, FieldConflict } from './versioning/merge/three-way.js';
export { HttpCacheInterceptor } from './interceptors/http/http-cache.interceptor.js';
export { type Problem, ProblemException } from './interceptors/problem.js';
export { RecordModifiedFilter } from './interceptors/record-modified.filter.js';
export type { ShownValues } from './interceptors/shown-values.js';
export { IfMatch, VersionedResource } from './interceptors/versioned-resource.decorator.js';
export type {
  VersionedRequest,
  VersionedResourceOptions,
} from './interceptors/versioned-resource.metadata.js';
