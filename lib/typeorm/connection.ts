import type { Cache } from '../core/cache.js';
import type { CacheContext } from '../core/cache-context.js';
import { EVERYTHING } from '../core/token.js';
import type { Invalidator } from '../invalidation/invalidator.js';
import { TransactionFrames, type Changes } from '../invalidation/transaction-frames.js';
import { commitsImplicitly, sessionChangeOf, type SessionChange, type SqlAnalyser } from '../sql/index.js';
import type { SqlDialect, StatementAnalysis, TransactionAnalysis, WriteEffect } from '../sql/sql.types.js';
import type { TypeOrmCatalog } from './catalog.js';
import { noteTransaction } from '../versioning/retry/open-transactions.js';
import { Mutex, type LockScope } from './mutex.js';
import { dependenciesOfRead } from './read-dependencies.js';
import { SessionState, type SessionDefaults } from './session-state.js';
import type { OutboxWriter } from './outbox/outbox.js';
import type { Execute, Statement, StructuredResult } from './statement.js';
import type { LateColumns } from './late-columns.js';
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

type Release = () => Promise<void>;

const READ = /^\s*(?:SELECT|SHOW)\b/i;

const MAY_CHANGE_SESSION = /^\s*(?:SET|RESET|DISCARD)\b/i;

/** One plain SELECT neither writes nor changes the transaction: it is not worth a look at the analyser's memo. */
const isPlainRead = (sql: string): boolean => READ.test(sql) && !sql.includes(';');

/**
 * The one place where statements of a connection pass. Transactions are followed by their SQL text, so that those of
 * TypeORM and those that the application writes by hand are the same thing.
 *
 * Protocol (DESIGN section 6): effects collect in frames; before COMMIT their tokens are marked (pend), after it the
 * marks are taken away (settle). A failed COMMIT may have succeeded and lost its reply, so it settles all the same.
 */
export class ObservedConnection {
  readonly frames = new TransactionFrames();
  /** What must not fail before the outermost COMMIT; runs inside the transaction. */
  readonly beforeCommit: (() => Promise<void>)[] = [];
  /** What is read once the transaction is rolled back: inside it, the connection shows a snapshot or nothing. */
  readonly afterRollback: (() => Promise<void>)[] = [];
  private readonly session: SessionState;
  /**
   * One write at a time per connection. TypeORM runs updates of one `save()` at the same time on one connection, and
   * all tasks share the single connection of a SQLite driver: without the lock another statement could run between
   * the look at the old row and the write, or two of our transactions could open inside each other.
   */
  private readonly lock: Mutex;

  constructor(
    private readonly shared: ConnectionContext,
    private readonly execute: Execute,
    connect: () => Promise<object>,
  ) {
    this.session = new SessionState(shared, connect);
    this.lock = new Mutex(shared.locks);
  }

  /** Reads of this connection must go to the database, and what they return must not be stored (law 7). */
  get bypass(): boolean {
    return this.frames.dirty || !this.readsCommitted;
  }

  /** What this connection reads now is what was last committed, or its own. */
  get readsCommitted(): boolean {
    return this.session.readsCommitted(this.frames.active);
  }

  query(sql: string, params: readonly unknown[] = [], structured = false): Promise<unknown> {
    if (this.bypass) this.shared.context.taint();
    const witnessed = this.witness(sql, params);
    if (witnessed) return witnessed.then(() => this.pass(sql, params, structured));
    return this.pass(sql, params, structured);
  }

  private pass(sql: string, params: readonly unknown[], structured: boolean): Promise<unknown> {
    if (isPlainRead(sql)) return this.execute(sql, params, structured);
    const statement = { sql, params, structured };
    const change = MAY_CHANGE_SESSION.test(sql) ? sessionChangeOf(sql) : undefined;
    if (change) return this.lock.run(() => this.changeSession(change, statement));
    const analysis = this.shared.analyser.analyse(sql);
    if (this.frames.active && analysis.kind !== 'transaction' && this.commitsImplicitly(sql)) {
      return this.lock.run(() => this.commit(statement, analysis));
    }
    switch (analysis.kind) {
      case 'read':
      case 'session':
        return this.execute(sql, params, structured);
      case 'transaction':
        return this.lock.run(() => this.control(analysis, statement));
      default:
        return this.lock.run(() => this.write(analysis, statement));
    }
  }

  /** A load that reads past the cache depends on what it reads all the same. `undefined`: no load wants to know. */
  private witness(sql: string, params: readonly unknown[]): Promise<void> | undefined {
    const { analyser, cache, catalog } = this.shared;
    if (!this.shared.context.trace) return undefined;
    const analysis = analyser.analyse(sql);
    if (analysis.kind !== 'read' && analysis.kind !== 'opaque') return undefined;
    return cache.witness(() => {
      const dependencies = dependenciesOfRead(analysis, params, catalog);
      return typeof dependencies === 'string' ? undefined : dependencies;
    });
  }

  /** For those who want to try again: whether the transaction in which an error came up is still open. */
  note(error: unknown): void {
    // SQLite has one connection for everybody: whose transaction it is cannot be told.
    if (this.shared.dialect !== 'sqlite') noteTransaction(error, () => this.frames.active);
  }

  /** A stream may write (`INSERT ... RETURNING`): its rows are not followed, its tables are. */
  async beforeStream(sql: string, params: readonly unknown[] = []): Promise<() => void> {
    if (this.bypass) this.shared.context.taint();
    await this.witness(sql, params);
    const analysis = this.shared.analyser.analyse(sql);
    if (analysis.kind !== 'write' && analysis.kind !== 'opaque') return () => undefined;
    const changes = coarseChanges(analysis);
    if (this.frames.active) {
      this.frames.record(changes.effects, changes.tokens);
      return () => undefined;
    }
    const pending = await this.shared.invalidator.pend(changes);
    return () => this.shared.invalidator.settle(pending);
  }

  /**
   * The connection goes back to its pool. What is still open was neither committed nor rolled back by us. SQLite has
   * no pool: every task holds the one connection, and the release of one leaves the transaction of another open.
   */
  release(release: Release): Promise<void> {
    const open = this.frames.active && this.shared.dialect !== 'sqlite';
    return open ? this.releaseOpen(release) : release();
  }

  private async releaseOpen(release: Release): Promise<void> {
    await this.published(this.frames.changes(), () => {
      this.frames.rollback();
      return release();
    });
  }

  /**
   * Marks, work, settle: the marks go whatever became of the work. The outbox's row goes when the settle is delivered;
   * one that was rolled back is not there to go.
   */
  private async published<T>(changes: Changes, work: () => Promise<T>): Promise<T> {
    const { invalidator, outbox, late } = this.shared;
    // Outside a transaction the rows are not locked, and nothing is written yet.
    const complete = this.frames.active
      ? (each: Changes): Promise<Changes> => late.complete(each, this.execute).catch(() => each)
      : undefined;
    const pending = await invalidator.pend(changes, complete);
    let delivered: (() => void) | undefined;
    try {
      if (pending && outbox) {
        const row = await outbox.add(changes, this.execute);
        delivered = () => outbox.delivered(row);
      }
      return await work();
    } finally {
      invalidator.settle(pending, delivered);
    }
  }

  /**
   * Runs work of our own on this connection between the statements of others. For SQLite, whose one connection is
   * everybody's.
   * @returns `undefined` when a transaction is open
   */
  whenIdle<T>(work: (execute: Execute) => Promise<T>): Promise<T | undefined> {
    return this.lock.run(async () => (this.frames.active ? undefined : work(this.execute)));
  }

  private async control(analysis: TransactionAnalysis, statement: Statement): Promise<unknown> {
    const { frames } = this;
    if (analysis.action === 'commit') {
      const done = await this.commit(statement);
      if (analysis.chain) frames.begin();
      return done;
    }
    if (analysis.action === 'begin') return this.begin(analysis.isolation, statement);
    const result = await this.execute(statement.sql, statement.params, statement.structured);
    switch (analysis.action) {
      case 'isolation':
        this.session.setTransaction(analysis.isolation, frames.active);
        break;
      case 'savepoint':
        // SQLite: a savepoint outside a transaction begins one.
        if (!frames.active) frames.begin();
        frames.savepoint(analysis.name ?? '');
        break;
      case 'release':
        frames.release(analysis.name ?? '');
        break;
      case 'rollback-to':
        frames.rollbackTo(analysis.name ?? '');
        break;
      default:
        await this.rolledBack();
        if (analysis.chain) frames.begin();
    }
    return result;
  }

  private async rolledBack(): Promise<void> {
    this.frames.rollback();
    this.beforeCommit.length = 0;
    for (const task of this.afterRollback.splice(0)) await task();
  }

  private async begin(level: string | undefined, statement: Statement): Promise<unknown> {
    const { sql, params, structured } = statement;
    // MySQL commits what is open; the others refuse, or warn and go on with it.
    const commits = this.frames.active && this.shared.dialect === 'mysql';
    const nested = this.frames.active && !commits;
    const result = commits ? await this.commit(statement) : await this.execute(sql, params, structured);
    if (nested) return result;
    await this.session.begin(level);
    this.frames.begin();
    return result;
  }

  /** UNLOCK TABLES commits only under LOCK TABLES, which has ended our frames itself. */
  private commitsImplicitly(sql: string): boolean {
    return commitsImplicitly(sql, this.shared.dialect) && !/^\s*UNLOCK/i.test(sql);
  }

  private async changeSession(change: SessionChange, statement: Statement): Promise<unknown> {
    // Switching autocommit on commits what is open.
    const commits = change.kind === 'autocommit' && change.on && this.frames.active;
    const result = commits
      ? await this.commit(statement)
      : await this.execute(statement.sql, statement.params, statement.structured);
    await this.session.apply(change, this.frames.active);
    return result;
  }

  /** Runs what ends the transaction, which may be a statement that changes something itself (MySQL's DDL). */
  private async commit(
    { sql, params, structured }: Statement,
    analysis: StatementAnalysis = NO_CHANGE,
  ): Promise<unknown> {
    const own = coarseChanges(analysis);
    const { effects, tokens } = this.frames.changes();
    const changes = {
      effects: [...effects, ...own.effects],
      tokens: new Set([...tokens, ...own.tokens]),
    };
    for (const check of this.beforeCommit.splice(0)) await check();
    return this.published(changes, async () => {
      try {
        const result = await this.execute(sql, params, structured);
        this.frames.end();
        this.afterRollback.length = 0;
        return result;
      } catch (error) {
        // Whether it was committed cannot be told; an entity that looks older than its row is refused, not lost.
        this.frames.rollback();
        throw error;
      }
    });
  }

  private async write(
    analysis: Exclude<StatementAnalysis, { kind: 'transaction' }>,
    statement: Statement,
  ): Promise<unknown> {
    const { sql, params, structured } = statement;
    if (!this.frames.active && (await this.session.isManual())) this.frames.begin();
    if (this.shared.invalidator.silent) {
      this.frames.record([]);
      return this.execute(sql, params, structured);
    }
    if (analysis.kind !== 'write') return this.announced(coarseChanges(analysis), statement);
    if (analysis.effects.length === 0) return this.execute(sql, params, structured);
    return this.observed(analysis.effects, statement);
  }

  private async observed(effects: readonly WriteEffect[], statement: Statement): Promise<unknown> {
    const { writes } = this.shared;
    const prepared = await writes.prepare(effects, statement.params);
    if (!prepared.needsImages)
      return this.announced({ effects: writes.effects(prepared), tokens: NO_TOKENS }, statement);
    const run = async (): Promise<StructuredResult> => {
      const observed = await writes.run(prepared, statement, this.execute);
      this.frames.record(observed.effects);
      return observed.result;
    };
    this.frames.record([]);
    const result = this.frames.active ? await run() : await this.inTransaction(run);
    return statement.structured ? result : result.raw;
  }

  /** What changes is known beforehand: inside a transaction it is recorded, outside it is marked around the statement. */
  private async announced(changes: Changes, { sql, params, structured }: Statement): Promise<unknown> {
    if (this.frames.active) {
      this.frames.record(changes.effects, changes.tokens);
      return this.execute(sql, params, structured);
    }
    const run = (): Promise<unknown> => this.execute(sql, params, structured);
    // The outbox's row must be committed with the change, so a statement that stands alone gets a transaction.
    if (!this.shared.outbox || this.commitsImplicitly(sql) || changes.tokens.has(EVERYTHING))
      return this.published(changes, run);
    return this.inTransaction(() => {
      this.frames.record(changes.effects, changes.tokens);
      return run();
    });
  }

  /** Makes one transaction of the locking look at the rows and the statement. */
  private async inTransaction<T>(work: () => Promise<T>): Promise<T> {
    await this.execute(this.shared.dialect === 'sqlite' ? 'BEGIN IMMEDIATE' : 'START TRANSACTION');
    this.frames.begin();
    try {
      const result = await work();
      await this.commit(COMMIT);
      return result;
    } catch (error) {
      this.frames.rollback();
      // The first error is the one to report; a connection that cannot roll back is broken and says so itself.
      await this.execute('ROLLBACK').catch(() => undefined);
      throw error;
    }
  }
}

const NO_TOKENS: ReadonlySet<string> = new Set();
const NO_CHANGE: StatementAnalysis = { kind: 'session' };
const COMMIT: Statement = { sql: 'COMMIT', params: [], structured: false };

function coarseChanges(analysis: StatementAnalysis): Changes {
  if (analysis.kind === 'opaque') return { effects: [], tokens: new Set([EVERYTHING]) };
  if (analysis.kind !== 'write') return { effects: [], tokens: NO_TOKENS };
  const effects = analysis.effects.map(({ table }) => ({ table, columns: '*' as const, images: undefined }));
  return { effects, tokens: NO_TOKENS };
}
