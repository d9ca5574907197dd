import { EVERYTHING } from '../core/token.js';
import type { TransactionFrames, Changes } from '../invalidation/transaction-frames.js';
import { sessionChangeOf } from '../sql/index.js';
import type { StatementAnalysis, WriteEffect } from '../sql/sql.types.js';
import { noteTransaction } from '../versioning/retry/open-transactions.js';
import type { ConnectionContext } from './connection-context.js';
import { coarseChanges, ConnectionTransaction, NO_TOKENS } from './connection-transaction.js';
import { Mutex } from './mutex.js';
import { dependenciesOfRead } from './read-dependencies.js';
import type { Execute, Statement, StructuredResult } from './statement.js';
import type { PreparedWrite } from './write-observer.js';

type Release = () => Promise<void>;
type WritingAnalysis = Exclude<StatementAnalysis, { kind: 'transaction' }>;

const READ = /^\s*(?:SELECT|SHOW)\b/i;

const MAY_CHANGE_SESSION = /^\s*(?:SET|RESET|DISCARD)\b/i;

/** SQLite: what was written before the error stays. */
const KEEPS_SOME = /\bOR\s+FAIL\b/i;

/** One plain SELECT neither writes nor changes the transaction: it is not worth a look at the analyser's memo. */
const isPlainRead = (sql: string): boolean => READ.test(sql) && !sql.includes(';');

/** The one place where statements of a connection pass. */
export class ObservedConnection {
  readonly transaction: ConnectionTransaction;
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
    this.transaction = new ConnectionTransaction(shared, execute, connect);
    this.lock = new Mutex(shared.locks);
  }

  /** Reads of this connection must go to the database, and what they return must not be stored (law 7). */
  get bypass(): boolean {
    return this.frames.dirty || !this.readsCommitted;
  }

  /** What this connection reads now is what was last committed, or its own. */
  get readsCommitted(): boolean {
    return this.transaction.readsCommitted;
  }

  get frames(): TransactionFrames {
    return this.transaction.frames;
  }

  query(sql: string, params: readonly unknown[] = [], structured = false): Promise<unknown> {
    if (this.bypass) this.shared.context.taint();
    const witnessed = this.witness(sql, params);
    if (witnessed) return witnessed.then(() => this.pass(sql, params, structured));
    return this.pass(sql, params, structured);
  }

  private pass(sql: string, params: readonly unknown[], structured: boolean): Promise<unknown> {
    if (isPlainRead(sql)) return this.read(sql, params, structured);
    const statement = { sql, params, structured };
    const change = MAY_CHANGE_SESSION.test(sql) ? sessionChangeOf(sql) : undefined;
    if (change) return this.alone(() => this.transaction.changeSession(change, statement));
    const analysis = this.shared.analyser.analyse(sql);
    if (this.frames.active && analysis.kind !== 'transaction' && this.transaction.commitsImplicitly(sql)) {
      return this.alone(() => this.transaction.commit(statement, analysis));
    }
    switch (analysis.kind) {
      case 'read':
      case 'session':
        return this.read(sql, params, structured);
      case 'transaction':
        return this.alone(() => this.transaction.control(analysis, statement));
      default:
        return this.alone(() => this.write(analysis, statement));
    }
  }

  private read(sql: string, params: readonly unknown[], structured: boolean): Promise<unknown> {
    const result = this.execute(sql, params, structured);
    // Outside a transaction there is nothing to tell of an error.
    if (!this.frames.active) return result;
    return result.catch((error: unknown) => {
      this.note(error);
      throw error;
    });
  }

  private alone(work: () => Promise<unknown>): Promise<unknown> {
    return this.lock.run(work, (error) => this.note(error));
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
    return () => void this.shared.invalidator.settle(pending);
  }

  /**
   * The connection goes back to its pool. What is still open was neither committed nor rolled back by us. SQLite has
   * no pool: every task holds the one connection, and the release of one leaves the transaction of another open.
   */
  release(release: Release): Promise<void> {
    const open = this.frames.active && this.shared.dialect !== 'sqlite';
    return open ? this.transaction.abandon(release) : release();
  }

  /**
   * Runs work of our own on this connection between the statements of others. For SQLite, whose one connection is
   * everybody's.
   * @returns `undefined` when a transaction is open
   */
  whenIdle<T>(work: (execute: Execute) => Promise<T>): Promise<T | undefined> {
    return this.lock.run(async () => (this.frames.active ? undefined : work(this.execute)));
  }

  /* From here on without `async` where nothing is waited for: each promise costs more than the work between two. */

  private write(analysis: WritingAnalysis, statement: Statement): Promise<unknown> {
    const waits = this.frames.active ? undefined : this.transaction.beforeWrite();
    return waits ? waits.then(() => this.run(analysis, statement)) : this.run(analysis, statement);
  }

  private run(analysis: WritingAnalysis, statement: Statement): Promise<unknown> {
    const { sql, params, structured } = statement;
    if (this.shared.invalidator.silent) {
      this.frames.record([]);
      return this.execute(sql, params, structured);
    }
    if (analysis.kind !== 'write') return this.announced(coarseChanges(analysis), statement);
    if (analysis.effects.length === 0) return this.execute(sql, params, structured);
    return this.observed(analysis.effects, statement);
  }

  private observed(effects: readonly WriteEffect[], statement: Statement): Promise<unknown> {
    const prepared = this.shared.writes.prepare(effects, statement.params);
    return prepared instanceof Promise
      ? prepared.then((each) => this.prepared(each, statement))
      : this.prepared(prepared, statement);
  }

  private prepared(prepared: PreparedWrite, statement: Statement): Promise<unknown> {
    const { writes } = this.shared;
    if (!prepared.needsImages) {
      const changes = { effects: writes.effects(prepared), tokens: NO_TOKENS };
      return this.announced(changes, statement, prepared.tellsNone);
    }
    const run = (): Promise<unknown> =>
      writes.run(prepared, statement, this.execute).then(({ result, effects }) => {
        this.frames.record(effects);
        return statement.structured ? result : result.raw;
      });
    this.frames.record([]);
    return this.frames.active ? run() : this.transaction.inTransaction(run);
  }

  /**
   * What changes is known beforehand: inside a transaction it is recorded, outside it is marked around the statement.
   * @param tellsNone a count of 0 says that nothing was changed
   */
  private announced(changes: Changes, statement: Statement, tellsNone = false): Promise<unknown> {
    const run = (): Promise<unknown> => this.recorded(changes, statement, tellsNone);
    if (this.frames.active) return run();
    const { sql, params, structured } = statement;
    return this.deservesTransaction(changes, sql)
      ? this.transaction.inTransaction(run)
      : this.transaction.published(changes, () => this.execute(sql, params, structured));
  }

  /**
   * The outbox's row must be committed with the change, so a statement that stands alone gets a transaction. SQLite
   * makes one in no time, and what it refuses is not announced then.
   */
  private deservesTransaction({ tokens }: Changes, sql: string): boolean {
    const { outbox, dialect } = this.shared;
    if (!outbox && (dialect !== 'sqlite' || KEEPS_SOME.test(sql))) return false;
    return !tokens.has(EVERYTHING) && !this.transaction.commitsImplicitly(sql);
  }

  private recorded(
    { effects, tokens }: Changes,
    { sql, params, structured }: Statement,
    tellsNone: boolean,
  ): Promise<unknown> {
    this.frames.record([]);
    return (this.execute(sql, params, true) as Promise<StructuredResult>).then(
      (result) => {
        if (!tellsNone || result.affected !== 0) this.frames.record(effects, tokens);
        return structured ? result : result.raw;
      },
      (error: unknown) => {
        // Tables without transactions (MyISAM) keep what was written before the error.
        if (this.shared.dialect !== 'sqlite' || KEEPS_SOME.test(sql)) this.frames.record(effects, tokens);
        throw error;
      },
    );
  }
}
