import { CacheOpsConfigError } from '../../cacheops.errors.js';
import type { Instrumentation } from '../../core/instrumentation.js';
import type { OutboxSettings, OutboxStats } from '../../core/outbox.js';
import { newStamp } from '../../core/stamp.js';
import type { Invalidator } from '../../invalidation/invalidator.js';
import type { Changes } from '../../invalidation/transaction-frames.js';
import type { Execute, StructuredResult } from '../statement.js';
import type { OutboxChanges } from './outbox-changes.js';
import { appPayload } from './outbox.payload.js';
import type { BoundStatement, OutboxSql } from './outbox.sql.js';

/** What the connections need of an outbox. */
export interface OutboxWriter {
  /** Writes what changed, through the connection whose transaction changed it. @returns the row's id */
  add(changes: Changes, execute: Execute): Promise<string>;
  /** The cache has it: the row goes, some time later. */
  delivered(id: string): void;
}

/** Runs work on a connection of our own, inside a transaction; `undefined` when none can be had just now. */
export type RunInTransaction = <T>(work: (execute: Execute) => Promise<T>) => Promise<T | undefined>;

export interface OutboxParts extends OutboxSettings {
  /** Of the DataSource. */
  readonly name: string;
  readonly sql: OutboxSql;
  readonly run: RunInTransaction;
  readonly changes: OutboxChanges;
  readonly invalidator: Invalidator;
  readonly instrumentation: Instrumentation;
}

/** Rows that a relay takes at a time. */
const BATCH = 200;
/** A row of an application that is alive goes with its settle; only one that nobody removed for so long is relayed. */
const ORPHANED_AFTER_SECONDS = 5;
/** Rows are removed together, so that a busy application does not pay a statement for each. */
const REMOVE_AFTER = 50;
const MOST_REMOVED = 500;

/**
 * The transactional outbox (https://microservices.io/patterns/data/transactional-outbox.html): what a transaction
 * changed is a row of the same transaction, so that it is known exactly if the transaction was committed, whatever
 * becomes of the process and of the cache backend. A relay in each process delivers what is left lying.
 */
export class Outbox implements OutboxWriter {
  private readonly removals = new Set<string>();
  private removing: Promise<void> | undefined;
  private removeTimer: NodeJS.Timeout | undefined;
  private relayTimer: NodeJS.Timeout | undefined;
  private relaying: Promise<void> | undefined;
  private counts = { pending: 0, oldest: 0, relayed: 0 };

  constructor(private readonly parts: OutboxParts) {}

  async add(changes: Changes, execute: Execute): Promise<string> {
    const id = newStamp();
    await execute(...this.parts.sql.insert(id, appPayload(changes)));
    return id;
  }

  delivered(id: string): void {
    this.removals.add(id);
    if (this.removals.size >= MOST_REMOVED) void this.remove();
    else this.removeTimer ??= setTimeout(() => void this.remove(), REMOVE_AFTER).unref();
  }

  /** @throws CacheOpsConfigError when the DataSource has no such table */
  async assertTable(): Promise<void> {
    const { run, sql, table, name } = this.parts;
    await run((execute) => execute(...sql.pending())).catch((error: unknown) => {
      throw new CacheOpsConfigError(
        'outbox',
        `a table ${table} in DataSource ${name}`,
        error,
        'Run the migration CreateCacheOpsOutbox, or add outboxEntity() to the entities and synchronize',
      );
    });
  }

  start(): void {
    this.relayTimer = setInterval(() => void this.relay(), this.parts.interval).unref();
  }

  /** Removes and delivers what can be; for shutdown, while the DataSource is still open. */
  async drain(): Promise<void> {
    await this.remove();
    await this.relay();
  }

  stop(): void {
    clearInterval(this.relayTimer);
    clearTimeout(this.removeTimer);
  }

  stats(): OutboxStats {
    return { dataSource: this.parts.name, ...this.counts };
  }

  /** One look at the table. Never rejects: what is not delivered stays for the next one. */
  relay(): Promise<void> {
    this.relaying ??= this.pass()
      .catch((error: unknown) => this.parts.instrumentation.error('outbox', error))
      .finally(() => (this.relaying = undefined));
    return this.relaying;
  }

  private async pass(): Promise<void> {
    for (;;) {
      const taken = await this.parts.run((execute) => this.deliver(execute));
      if (taken === undefined || taken < BATCH) return;
    }
  }

  /** @returns how many rows were delivered */
  private async deliver(execute: Execute): Promise<number> {
    const { sql, changes, invalidator } = this.parts;
    const [state] = await this.rows<{ pending: unknown; oldest: unknown }>(execute, sql.pending());
    const pending = Number(state?.pending ?? 0);
    this.counts = { ...this.counts, pending, oldest: Math.max(0, Number(state?.oldest ?? 0)) };
    if (pending === 0) return 0;
    const rows = await this.rows<{ id: string; payload: string }>(
      execute,
      sql.take(ORPHANED_AFTER_SECONDS, BATCH),
    );
    if (rows.length === 0) return 0;
    await invalidator.deliver(changes.of(rows.map(({ payload }) => payload)));
    await execute(...sql.delete(rows.map(({ id }) => id)));
    const relayed = this.counts.relayed + rows.length;
    this.counts = { ...this.counts, pending: pending - rows.length, relayed };
    return rows.length;
  }

  /** A row whose removal fails is relayed later, which costs some misses. */
  private remove(): Promise<void> {
    clearTimeout(this.removeTimer);
    this.removeTimer = undefined;
    const ids = [...this.removals];
    this.removals.clear();
    const before = this.removing ?? Promise.resolve();
    const done = before.then(async () => {
      if (ids.length > 0) await this.parts.run((execute) => execute(...this.parts.sql.delete(ids)));
    });
    this.removing = done.catch((error: unknown) => this.parts.instrumentation.error('outbox', error));
    return this.removing;
  }

  private async rows<T>(execute: Execute, [sql, params]: BoundStatement): Promise<T[]> {
    const { records = [] } = (await execute(sql, params, true)) as StructuredResult;
    return records as T[];
  }
}
