import { CacheOpsConfigError } from './cacheops.errors.js';
import type { OutboxSettings } from './core/outbox.js';
import type { ProfileRule } from './core/profile.js';
import type { RedisOption } from './drivers/redis.connection.js';
import {
  LOCKS_DEFAULTS,
  type LocksOptions,
  parseLocks,
  type ResolvedLocksOptions,
} from './locks/locks.options.js';
import { type EntitiesOption, parseEntityRules } from './options/entity-rules.js';
import {
  type Duration,
  isPlainObject,
  parseBoolean,
  parseBytes,
  parseChoice,
  parseDuration,
  parseRecord,
  parseTimeout,
  ROOT,
} from './options/parse.js';
import { type NearOption, type NearSettings, parseNear } from './options/near.js';
import { type OutboxOptions, parseOutbox } from './options/outbox.js';
import { type HttpOptions, parseHttp, type ResolvedHttp } from './options/http.js';
import { parseVersioning, type VersioningOptions } from './options/version-rules.js';
import type { VersioningSettings } from './versioning/version-policy.js';

/** What is written to: Nest's `LoggerService`, or anything like it. */
export interface CacheOpsLogger {
  log(message: string): void;
  warn(message: string): void;
  error(message: string): void;
}

/** Time limits of single operations. */
export interface TimeoutOptions {
  /** For what a reader waits for in the backend. Default `'250ms'`. */
  readonly read?: Duration | undefined;
  /** For storing an entry. Default `'1s'`. */
  readonly write?: Duration | undefined;
  /** For each of the two attempts at an invalidation. Default `'1s'`. */
  readonly invalidation?: Duration | undefined;
  /** After which a load (query, factory) is abandoned with `LOAD_TIMEOUT`. Default `'30s'`. */
  readonly load?: Duration | undefined;
}

/** Options of `CacheOpsModule.forRoot`. A value of `undefined` is the same as none. */
export interface CacheOpsOptions {
  /** `false`: every feature passes through, nothing is connected or observed. Default `true`. */
  readonly enabled?: boolean | undefined;
  /** URL, options of ioredis, or a client (which stays open at shutdown). Default: memory of the process. */
  readonly redis?: RedisOption | undefined;
  /** The memory driver, for when `redis` is absent. */
  readonly memory?: {
    /** Number of bytes, or text such as `'64mb'`. Default `'64mb'`. */
    readonly maxBytes?: number | string | undefined;
  };
  /**
   * Keeps decoded results in this process too, in front of the backend: a hit there costs no command (`'tracked'`) or a
   * small one (`'checked'`). Default `false`: a tracked hit may be a moment behind a commit of another process.
   */
  readonly near?: false | NearOption | undefined;
  /**
   * Put before every key in the backend. As a function (per tenant, say) it is called at each read, and its text
   * becomes a part of the entry's key only: a write invalidates for all. Default `'cacheops:'`.
   */
  readonly prefix?: string | (() => string) | undefined;
  /** How long a result may be kept, where neither profile nor call says otherwise. Default `'1h'`. */
  readonly ttl?: Duration | undefined;
  /** Profiles by entity; the first rule that matches wins. Default: everything by hand only. */
  readonly entities?: EntitiesOption | undefined;
  /** Nest names of the DataSources to observe (`'default'` for the unnamed one). Default: all that are found. */
  readonly dataSources?: readonly string[] | undefined;
  readonly timeouts?: TimeoutOptions | undefined;
  /**
   * What happens to a write whose invalidation cannot be announced: `'degrade'` lets it go ahead and makes the
   * invalidation good before anything is served again, `'fail'` refuses it. Default `'degrade'`.
   */
  readonly onRedisFailure?: 'degrade' | 'fail' | undefined;
  /** How long a writer's marks live if its process dies before it settles. Must outlast any COMMIT. Default `'30s'`. */
  readonly pendTtl?: Duration | undefined;
  /**
   * By how much a replica may be behind from which factories or other connections read: for so long after a commit what
   * it changed is not stored. Default: none; queries that are cached are read from the primary.
   */
  readonly replicaLag?: Duration | undefined;
  /**
   * Writes of entities that have a version are refused when the row was modified since it was read
   * (`RecordModifiedError`). Default: writes are as TypeORM makes them. `{}` guards all such entities.
   */
  readonly versioning?: VersioningOptions | undefined;
  /**
   * Writes what a transaction changed into a table of the same transaction, so that no invalidation is lost if process
   * and Redis fail together; a relay in each process delivers what is left, and what triggers put there. Default: none.
   */
  readonly outbox?: boolean | OutboxOptions | undefined;
  /** Locks (`LockService`). They work where `enabled` is `false`, too. */
  readonly locks?: LocksOptions | undefined;
  /** What cached routes, and cached methods that are given a request, may vary by. */
  readonly http?: HttpOptions | undefined;
  /** Default: Nest's `Logger` with the context `CacheOps`. */
  readonly logger?: CacheOpsLogger | undefined;
  /** Whether `CacheOpsService` can be injected without importing the module. Default `true`. */
  readonly isGlobal?: boolean | undefined;
}

/** The default of every option that has one; `docs/options.md` says the same, and a test compares them. */
export const DEFAULTS = {
  enabled: true,
  memory: { maxBytes: '64mb' },
  near: false,
  prefix: 'cacheops:',
  ttl: '1h',
  timeouts: { read: '250ms', write: '1s', invalidation: '1s', load: '30s' },
  onRedisFailure: 'degrade',
  pendTtl: '30s',
  locks: LOCKS_DEFAULTS,
  outbox: false,
  isGlobal: true,
} as const satisfies CacheOpsOptions;

/** Options as everything behind the module sees them: complete, in milliseconds and bytes. */
export interface ResolvedOptions {
  readonly enabled: boolean;
  readonly redis: RedisOption | undefined;
  readonly memory: { readonly maxBytes: number };
  readonly near: NearSettings | undefined;
  readonly prefix: string;
  /** Part of the entry keys that is asked for at each read. */
  readonly keyspace: (() => string) | undefined;
  readonly ttl: number;
  readonly entities: readonly ProfileRule[];
  readonly dataSources: readonly string[] | undefined;
  readonly timeouts: Readonly<Record<'read' | 'write' | 'invalidation' | 'load', number>>;
  readonly onRedisFailure: 'degrade' | 'fail';
  readonly pendTtl: number;
  /** 0: none. */
  readonly replicaLag: number;
  /** `undefined`: nothing is guarded. */
  readonly versioning: VersioningSettings | undefined;
  readonly outbox: OutboxSettings | undefined;
  readonly locks: ResolvedLocksOptions;
  readonly http: ResolvedHttp;
  readonly logger: CacheOpsLogger | undefined;
  readonly isGlobal: boolean;
}

const OPTION_NAMES = [
  'enabled',
  'redis',
  'memory',
  'near',
  'prefix',
  'ttl',
  'entities',
  'dataSources',
  'timeouts',
  'onRedisFailure',
  'pendTtl',
  'replicaLag',
  'versioning',
  'outbox',
  'locks',
  'http',
  'logger',
  'isGlobal',
] as const satisfies readonly (keyof CacheOpsOptions)[];

const NO_DEFAULTS = {
  redis: undefined,
  entities: [],
  dataSources: undefined,
  replicaLag: undefined,
  versioning: undefined,
  logger: undefined,
};

/**
 * Checks the options and completes them with `DEFAULTS`.
 * @throws CacheOpsConfigError that names the option, what was expected and what was given
 */
export function resolveOptions(options: CacheOpsOptions = {}): ResolvedOptions {
  const chosen = parseRecord(ROOT, options, OPTION_NAMES);
  const given = { ...NO_DEFAULTS, ...DEFAULTS, ...chosen };
  const ttl = parseDuration('ttl', given.ttl);
  if (chosen.redis !== undefined && chosen.memory !== undefined) {
    throw new CacheOpsConfigError('memory', 'no memory options beside redis', given.memory);
  }
  return Object.freeze({
    enabled: parseBoolean('enabled', given.enabled),
    redis: given.redis === undefined ? undefined : parseRedis(given.redis),
    memory: parseMemory(given.memory),
    near: given.near === false ? undefined : parseNear(given.near),
    prefix: typeof given.prefix === 'function' ? DEFAULTS.prefix : parsePrefix(given.prefix),
    keyspace: typeof given.prefix === 'function' ? (given.prefix as () => string) : undefined,
    ttl,
    entities: Object.freeze(parseEntityRules('entities', given.entities, ttl)),
    dataSources: given.dataSources === undefined ? undefined : parseNames('dataSources', given.dataSources),
    timeouts: parseTimeouts(given.timeouts),
    onRedisFailure: parseChoice('onRedisFailure', given.onRedisFailure, ['degrade', 'fail']),
    pendTtl: parseDuration('pendTtl', given.pendTtl),
    replicaLag: given.replicaLag === undefined ? 0 : parseTimeout('replicaLag', given.replicaLag),
    versioning: given.versioning === undefined ? undefined : parseVersioning(given.versioning),
    outbox: parseOutbox(given.outbox),
    locks: parseLocks(given.locks, given.redis !== undefined),
    http: parseHttp(chosen.http),
    logger: given.logger === undefined ? undefined : parseLogger(given.logger),
    isGlobal: parseBoolean('isGlobal', given.isGlobal),
  });
}

function parseMemory(value: unknown): ResolvedOptions['memory'] {
  const { maxBytes = DEFAULTS.memory.maxBytes } = parseRecord('memory', value, ['maxBytes']);
  return Object.freeze({ maxBytes: parseBytes('memory.maxBytes', maxBytes) });
}

function parseTimeouts(value: unknown): ResolvedOptions['timeouts'] {
  const given = {
    ...DEFAULTS.timeouts,
    ...parseRecord('timeouts', value, ['read', 'write', 'invalidation', 'load']),
  };
  return Object.freeze({
    read: parseTimeout('timeouts.read', given.read),
    write: parseTimeout('timeouts.write', given.write),
    invalidation: parseTimeout('timeouts.invalidation', given.invalidation),
    load: parseTimeout('timeouts.load', given.load),
  });
}

function parsePrefix(value: unknown): string {
  if (typeof value === 'string') return value;
  throw new CacheOpsConfigError('prefix', 'a text, or a function that returns one', value);
}

const REDIS_EXPECTED =
  'a URL such as "redis://localhost:6379/1", the path of a socket, ioredis options or an ioredis client';

function parseRedis(value: unknown): RedisOption {
  if (typeof value === 'string') {
    if (value.startsWith('/') || /^rediss?:$/.test(protocolOf(value) ?? '')) return value;
    // A password must not reach the log.
    throw new CacheOpsConfigError('redis', REDIS_EXPECTED, value.replace(/\/\/.*@/, '//***@'));
  }
  const isClient = typeof (value as { mgetBuffer?: unknown } | null)?.mgetBuffer === 'function';
  if (isClient || isPlainObject(value)) return value as RedisOption;
  throw new CacheOpsConfigError('redis', REDIS_EXPECTED, value);
}

function protocolOf(url: string): string | undefined {
  return URL.canParse(url) ? new URL(url).protocol : undefined;
}

function parseNames(option: string, value: unknown): readonly string[] {
  const isName = (name: unknown): boolean => typeof name === 'string' && name !== '';
  if (Array.isArray(value) && value.every(isName)) return Object.freeze([...new Set(value as string[])]);
  throw new CacheOpsConfigError(option, 'a list of DataSource names such as ["default"]', value);
}

function parseLogger(value: unknown): CacheOpsLogger {
  const logger = value as Partial<CacheOpsLogger> | null;
  const has = (['log', 'warn', 'error'] as const).every((method) => typeof logger?.[method] === 'function');
  if (has) return logger as CacheOpsLogger;
  throw new CacheOpsConfigError('logger', 'an object with log, warn and error', value);
}
