import type { CacheContext } from '../core/cache-context.js';
import type { Cache } from '../core/cache.js';
import type { Invalidator } from '../invalidation/invalidator.js';
import type { SqlAnalyser } from '../sql/index.js';
import type { SqlDialect } from '../sql/sql.types.js';
import type { TypeOrmCatalog } from './catalog.js';
import type { LateColumns } from './late-columns.js';
import type { LockScope } from './mutex.js';
import type { OutboxWriter } from './outbox/outbox.js';
import type { SessionDefaults } from './session-state.js';
import type { WriteObserver } from './write-observer.js';

/** What all connections of one DataSource share. */
export interface ConnectionContext extends SessionDefaults {
  readonly dialect: SqlDialect;
  readonly analyser: SqlAnalyser;
  readonly invalidator: Invalidator;
  readonly writes: WriteObserver;
  readonly late: LateColumns;
  readonly context: CacheContext;
  readonly cache: Cache;
  readonly catalog: TypeOrmCatalog;
  readonly locks: LockScope;
  /** Keeps the changes of a transaction in the database until they are delivered; absent unless asked for. */
  readonly outbox: OutboxWriter | undefined;
}
