import { EVERYTHING } from '../core/token.js';
import { isNone } from '../invalidation/changes-tokens.js';
import { TransactionFrames, type Changes } from '../invalidation/transaction-frames.js';
import { commitsImplicitly, type SessionChange } from '../sql/index.js';
import type { StatementAnalysis, TransactionAnalysis } from '../sql/sql.types.js';
import type { ConnectionContext } from './connection-context.js';
import { SessionState } from './session-state.js';
import type { Execute, Statement } from './statement.js';

/**
 * The transaction of one connection, followed by the SQL text that controls it, so that those of TypeORM and those that
 * the application writes by hand are the same thing.
 *
 * Protocol (DESIGN section 6): effects collect in frames; before COMMIT their tokens are marked (pend), after it the
 * marks are taken away (settle). A failed COMMIT may have succeeded and lost its reply, so it settles all the same.
 */
export class ConnectionTransaction {
  readonly frames = new TransactionFrames();
  /** What must not fail before the outermost COMMIT; runs inside the transaction. */
  readonly beforeCommit: (() => Promise<void>)[] = [];
  /** What is read once the transaction is rolled back: inside it, the connection shows a snapshot or nothing. */
  readonly afterRollback: (() => Promise<void>)[] = [];
  private readonly session: SessionState;

  constructor(
    private readonly shared: ConnectionContext,
    private readonly execute: Execute,
    connect: () => Promise<object>,
  ) {
    this.session = new SessionState(shared, connect);
  }

  /** What the connection reads now is what was last committed, or its own. */
  get readsCommitted(): boolean {
    return this.session.readsCommitted(this.frames.active);
  }

  /**
   * Outside a transaction: a session without autocommit begins one with its first write.
   * @returns `undefined`: there is nothing to wait for
   */
  beforeWrite(): Promise<void> | undefined {
    return this.session.manual()?.then((isManual) => {
      if (isManual) this.frames.begin();
    });
  }

  /** The connection goes away with what is open: neither committed nor rolled back by us. */
  async abandon(release: () => Promise<void>): Promise<void> {
    await this.published(this.frames.changes(), () => {
      this.frames.rollback();
      return release();
    });
  }

  /**
   * Marks, work, settle: the marks go whatever became of the work, which comes right after them: there is no moment in
   * which they may get lost unnoticed. The outbox's row goes when the settle is delivered; one that was rolled back is
   * not there to go.
   */
  async published<T>(changes: Changes, work: () => Promise<T>): Promise<T> {
    const { invalidator, outbox, late } = this.shared;
    // Outside a transaction the rows are not locked, and nothing is written yet.
    const complete = this.frames.active
      ? (each: Changes): Promise<Changes> => late.complete(each, this.execute).catch(() => each)
      : undefined;
    if (isNone(changes)) return work();
    const row = outbox && (await outbox.add(changes, this.execute));
    const pending = await invalidator.pend(changes, complete);
    try {
      return await work();
    } finally {
      const told = invalidator.settle(pending, row === undefined ? undefined : () => outbox?.delivered(row));
      if (told) await told;
    }
  }

  control(analysis: TransactionAnalysis, statement: Statement): Promise<unknown> {
    if (analysis.action === 'begin') return this.begin(analysis.isolation, statement);
    if (analysis.action !== 'commit') return this.follow(analysis, statement);
    const committed = this.commit(statement);
    if (!analysis.chain) return committed;
    return committed.then((result) => {
      this.frames.begin();
      return result;
    });
  }

  private async follow(analysis: TransactionAnalysis, statement: Statement): Promise<unknown> {
    const { frames } = this;
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

  private begin(level: string | undefined, statement: Statement): Promise<unknown> {
    const { sql, params, structured } = statement;
    // MySQL commits what is open; the others refuse, or warn and go on with it.
    const commits = this.frames.active && this.shared.dialect === 'mysql';
    const nested = this.frames.active && !commits;
    const done = commits ? this.commit(statement) : this.execute(sql, params, structured);
    return nested ? done : done.then((result) => this.begun(level, result));
  }

  private begun(level: string | undefined, result: unknown): unknown {
    const opened = (): unknown => {
      this.frames.begin();
      return result;
    };
    const waits = this.session.begin(level);
    return waits ? waits.then(opened) : opened();
  }

  /** UNLOCK TABLES commits only under LOCK TABLES, which has ended our frames itself. */
  commitsImplicitly(sql: string): boolean {
    return commitsImplicitly(sql, this.shared.dialect) && !/^\s*UNLOCK/i.test(sql);
  }

  async changeSession(change: SessionChange, statement: Statement): Promise<unknown> {
    // Switching autocommit on commits what is open.
    const commits = change.kind === 'autocommit' && change.on && this.frames.active;
    const result = commits
      ? await this.commit(statement)
      : await this.execute(statement.sql, statement.params, statement.structured);
    await this.session.apply(change, this.frames.active);
    return result;
  }

  /** Runs what ends the transaction, which may be a statement that changes something itself (MySQL's DDL). */
  commit(statement: Statement, analysis?: StatementAnalysis): Promise<unknown> {
    const recorded = this.frames.changes();
    const changes = analysis ? together(recorded, coarseChanges(analysis)) : recorded;
    return this.beforeCommit.length > 0
      ? this.checked().then(() => this.committed(changes, statement))
      : this.committed(changes, statement);
  }

  private async checked(): Promise<void> {
    for (const check of this.beforeCommit.splice(0)) await check();
  }

  private committed(changes: Changes, { sql, params, structured }: Statement): Promise<unknown> {
    return this.published(changes, () => this.execute(sql, params, structured)).then(
      (result) => {
        this.frames.end();
        this.afterRollback.length = 0;
        return result;
      },
      (error: unknown) => {
        // Whether it was committed cannot be told; an entity that looks older than its row is refused, not lost.
        this.frames.rollback();
        throw error;
      },
    );
  }

  /** Makes one transaction of the locking look at the rows and the statement. */
  async inTransaction<T>(work: () => Promise<T>): Promise<T> {
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

export const NO_TOKENS: ReadonlySet<string> = new Set();
const COMMIT: Statement = { sql: 'COMMIT', params: [], structured: false };

const together = (one: Changes, other: Changes): Changes => ({
  effects: [...one.effects, ...other.effects],
  tokens: new Set([...one.tokens, ...other.tokens]),
});

/** Changes of whole tables, for statements whose rows are not followed. */
export function coarseChanges(analysis: StatementAnalysis): Changes {
  if (analysis.kind === 'opaque') return { effects: [], tokens: new Set([EVERYTHING]) };
  if (analysis.kind !== 'write') return { effects: [], tokens: NO_TOKENS };
  const effects = analysis.effects.map(({ table }) => ({ table, columns: '*' as const, images: undefined }));
  return { effects, tokens: NO_TOKENS };
}
