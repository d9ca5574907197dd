import type { SessionChange } from '../sql/index.js';

/** The only level whose reads are of the committed present: others read a snapshot, or rows that may be rolled back. */
const READ_COMMITTED = 'read committed';

/** What the application changed about a database session. */
export interface Session {
  readonly isolation?: string | undefined;
  /** MySQL without autocommit: every statement is in a transaction. */
  readonly manual?: boolean;
}

/** By physical connection, because a pool hands it, as it was left, to the next QueryRunner. */
export class Sessions {
  private readonly changed = new WeakMap<object, Session>();
  private used = false;

  /** Whether no session was ever changed: then nobody need ask for a connection to look it up. */
  get areUntouched(): boolean {
    return !this.used;
  }

  get(connection: object): Session {
    return this.changed.get(connection) ?? {};
  }

  change(connection: object, change: Session): void {
    this.used = true;
    this.changed.set(connection, { ...this.get(connection), ...change });
  }
}

export interface SessionDefaults {
  /** Isolation level of a transaction that names none, in lower case. */
  readonly defaultIsolation: string;
  readonly sessions: Sessions;
}

/** Isolation and transaction mode of one connection, followed through its statements. */
export class SessionState {
  private isolation: string;
  private next: string | undefined;

  constructor(
    private readonly defaults: SessionDefaults,
    /** Gives the physical connection. */
    private readonly connect: () => Promise<object>,
  ) {
    this.isolation = defaults.defaultIsolation;
  }

  /** Whether a read now sees what is committed and nothing else. */
  readsCommitted(inTransaction: boolean): boolean {
    if (inTransaction) return this.isolation === READ_COMMITTED;
    return (this.next ?? this.defaults.defaultIsolation) !== 'read uncommitted';
  }

  /** A transaction begins. @returns `undefined`: there is nothing to wait for */
  begin(level: string | undefined): Promise<void> | undefined {
    if (this.defaults.sessions.areUntouched) return this.enter(level, undefined);
    return this.session().then(({ isolation }) => this.enter(level, isolation));
  }

  private enter(level: string | undefined, isolation: string | undefined): undefined {
    this.isolation = level ?? this.next ?? isolation ?? this.defaults.defaultIsolation;
    this.next = undefined;
  }

  /** `SET TRANSACTION`: of the open transaction, else of the next one. */
  setTransaction(level: string | undefined, inTransaction: boolean): void {
    if (inTransaction) this.isolation = level ?? this.isolation;
    else this.next = level;
  }

  async apply(change: SessionChange, inTransaction: boolean): Promise<void> {
    if (change.kind === 'autocommit') return this.keep({ manual: !change.on });
    if (change.scope === 'global') return;
    if (change.scope === 'session') await this.keep({ isolation: change.level });
    // PostgreSQL's `SET transaction_isolation` reads like MySQL's for the session, and is for the open transaction.
    if (inTransaction) this.setTransaction(change.level, true);
    else if (change.scope === 'transaction') this.setTransaction(change.level, false);
  }

  /** Whether the session is without autocommit; `undefined`: certainly not. */
  manual(): Promise<boolean> | undefined {
    if (this.defaults.sessions.areUntouched) return undefined;
    return this.session().then(({ manual }) => manual ?? false);
  }

  private async session(): Promise<Session> {
    return this.defaults.sessions.get(await this.connect());
  }

  private async keep(change: Session): Promise<void> {
    this.defaults.sessions.change(await this.connect(), change);
  }
}
