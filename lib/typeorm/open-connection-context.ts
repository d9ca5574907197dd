import type { DataSource } from 'typeorm';
import type { Cache } from '../core/cache.js';
import type { CacheContext } from '../core/cache-context.js';
import type { Instrumentation } from '../core/instrumentation.js';
import type { OutboxSettings } from '../core/outbox.js';
import type { Invalidator } from '../invalidation/invalidator.js';
import type { SqlAnalyser } from '../sql/index.js';
import type { TypeOrmCatalog } from './catalog.js';
import type { ConnectionContext } from './connection-context.js';
import { ForeignKeys } from './foreign-keys.js';
import { defaultIsolation } from './isolation.js';
import { LateColumns } from './late-columns.js';
import { createLockScope } from './mutex.js';
import { openOutbox } from './outbox/open-outbox.js';
import type { Outbox } from './outbox/outbox.js';
import { RowImages } from './row-images.js';
import { RowReads } from './row-reads.js';
import { Sessions } from './session-state.js';
import { UpsertImages } from './upsert-images.js';
import { WriteObserver } from './write-observer.js';

export interface ConnectionServices {
  readonly cache: Cache;
  readonly context: CacheContext;
  readonly invalidator: Invalidator;
  readonly instrumentation: Instrumentation;
  /** Where changes are kept in the database itself until they are delivered. */
  readonly outbox?: OutboxSettings | undefined;
}

export type OpenedConnectionContext = ConnectionContext & { readonly outbox: Outbox | undefined };

/** What all connections of a DataSource work with. */
export async function openConnectionContext(
  dataSource: DataSource,
  catalog: TypeOrmCatalog,
  analyser: SqlAnalyser,
  services: ConnectionServices,
): Promise<OpenedConnectionContext> {
  const { invalidator, context, cache, instrumentation } = services;
  const { dialect } = catalog;
  const reads = new RowReads(dialect);
  const images = new RowImages(reads, dialect);
  const foreignKeys = new ForeignKeys(dataSource, catalog, invalidator.registries, reads, dialect);
  const upserts = new UpsertImages(reads, foreignKeys, dialect);
  const writes = new WriteObserver(catalog, invalidator, images, upserts, foreignKeys);
  const parts = { dataSource, catalog, writes, invalidator, instrumentation };
  return {
    dialect,
    analyser,
    invalidator,
    writes,
    late: new LateColumns(catalog, invalidator.registries, reads, dialect),
    outbox: services.outbox && (await openOutbox(services.outbox, parts)),
    context,
    cache,
    catalog,
    defaultIsolation: await defaultIsolation(dataSource, dialect),
    sessions: new Sessions(),
    locks: createLockScope(() =>
      dataSource.subscribers.some((each) => 'beforeQuery' in each || 'afterQuery' in each),
    ),
  };
}
