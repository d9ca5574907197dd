import type { LeaseEnd } from './lock-driver.interface.js';

interface About {
  readonly names: readonly string[];
}

/** What happens to locks. Times in milliseconds. */
export type LockEvent =
  | (About & { readonly type: 'acquire'; readonly waited: number; readonly fencingToken: number | undefined })
  | (About & { readonly type: 'busy'; readonly waited: number })
  | (About & { readonly type: 'release'; readonly held: number })
  | (About & { readonly type: 'lost'; readonly held: number; readonly reason: LeaseEnd })
  | { readonly type: 'error'; readonly operation: LockOperation; readonly error: unknown };

/** A call of the backend that failed. */
export type LockOperation = 'acquire' | 'renew' | 'release';

export type LockListener = (event: LockEvent) => void;

export interface LockStats {
  /** Locks that are held now. */
  readonly held: number;
  /** Calls that wait for a lock now. */
  readonly waiting: number;
  readonly acquired: number;
  /** Calls that went without the lock because it was not free. */
  readonly busy: number;
  readonly lost: number;
  /** Milliseconds that the acquired locks were waited for, all together and at most. */
  readonly waited: { readonly total: number; readonly longest: number };
  /** Calls of the backend that failed. */
  readonly errors: number;
}

/** The one seam through which locks tell what happens; counts always, builds events only while somebody listens. */
export class LockInstrumentation {
  private readonly counts = { waiting: 0, acquired: 0, busy: 0, lost: 0, errors: 0 };
  private readonly waited = { total: 0, longest: 0 };
  private listeners: readonly LockListener[] = [];

  /** @returns a function that removes the listener */
  subscribe(listener: LockListener): () => void {
    this.listeners = [...this.listeners, listener];
    return () => {
      this.listeners = this.listeners.filter((each) => each !== listener);
    };
  }

  /** @param held number of locks that are held now */
  stats(held: number): LockStats {
    return { held, ...this.counts, waited: { ...this.waited } };
  }

  begin(): void {
    this.counts.waiting++;
  }

  end(): void {
    this.counts.waiting--;
  }

  acquire(names: readonly string[], waited: number, fencingToken: number | undefined): void {
    this.counts.acquired++;
    this.waited.total += waited;
    if (waited > this.waited.longest) this.waited.longest = waited;
    this.emit(() => ({ type: 'acquire', names, waited, fencingToken }));
  }

  busy(names: readonly string[], waited: number): void {
    this.counts.busy++;
    this.emit(() => ({ type: 'busy', names, waited }));
  }

  release(names: readonly string[], held: number): void {
    this.emit(() => ({ type: 'release', names, held }));
  }

  lost(names: readonly string[], held: number, reason: LeaseEnd): void {
    this.counts.lost++;
    this.emit(() => ({ type: 'lost', names, held, reason }));
  }

  error(operation: LockOperation, error: unknown): void {
    this.counts.errors++;
    this.emit(() => ({ type: 'error', operation, error }));
  }

  private emit(build: () => LockEvent): void {
    if (this.listeners.length === 0) return;
    const event = build();
    for (const listener of this.listeners) {
      try {
        listener(event);
      } catch {
        // A listener's failure must not become a failure of the lock it watches.
        this.counts.errors++;
      }
    }
  }
}
