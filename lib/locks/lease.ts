import type { Clock } from '../core/clock.js';
import type { LeaseEnd, LockLease, LockRequest, LockTurn } from './lock-driver.interface.js';
import { LockLostError } from './lock.errors.js';

/**
 * - `held`: granted, or renewed; the backend said so.
 * - `unknown`: it could not be renewed so far; the lease still lasts, and renewing goes on.
 * - `lost`: it ran out, or somebody else has it.
 * - `released`: by its holder.
 */
export type LeaseState = 'held' | 'unknown' | 'lost' | 'released';

/** Clocks that run at different speeds, and a timer of the backend that is early, must not make two holders. */
export const driftOf = (ttl: number): number => Math.min(2 + ttl / 100, ttl / 10);

/**
 * A lease as its holder may believe in it. The truth is in the backend; here is what is known of it, counted from
 * before each request was sent, so that the belief ends before the lease does.
 */
export class Lease implements LockLease {
  readonly names: readonly string[];
  readonly owner: string;
  readonly fencingToken: number | undefined;
  ttl: number;
  state: LeaseState = 'held';
  /** Monotonic time from which it may not be believed in. */
  validUntil: number;
  /** Monotonic time of the next renewal; `Infinity` while one is under way, and if it is not renewed by itself. */
  renewAt = Infinity;
  /** Where the monitor has it; -1: it does not watch it. */
  place = -1;
  #controller: AbortController | undefined;
  #loss: LockLostError | undefined;

  /**
   * @param extend whether it is renewed by itself
   * @param acquiredAt monotonic time of the grant
   */
  constructor(
    request: LockRequest,
    { fencingToken, validUntil }: LockTurn,
    readonly extend: boolean,
    readonly acquiredAt: number,
    private readonly clock: Clock,
    private readonly onLost: (lease: Lease, reason: LeaseEnd) => void,
  ) {
    this.names = request.names;
    this.owner = request.owner;
    this.ttl = request.ttl;
    this.fencingToken = fencingToken;
    this.validUntil = validUntil - driftOf(request.ttl);
  }

  /** What it was lost by; `undefined` as long as it was not. */
  get loss(): LockLostError | undefined {
    return this.#loss;
  }

  /** Made when it is asked for: most holders never look at it. */
  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController();
      if (this.#loss) this.#controller.abort(this.#loss);
    }
    return this.#controller.signal;
  }

  /** Finds out by the clock, whatever the timers did. */
  isHeld(): boolean {
    if (this.isOver) return false;
    if (this.remaining > 0) return true;
    this.lose('expired');
    return false;
  }

  get isOver(): boolean {
    return this.state === 'lost' || this.state === 'released';
  }

  /** Milliseconds. */
  get remaining(): number {
    return this.validUntil - this.clock.monotonic();
  }

  get age(): number {
    return this.clock.monotonic() - this.acquiredAt;
  }

  /**
   * @param since monotonic time before the renewal was sent
   * @param ttl what it asked for
   */
  renewed(since: number, ttl: number): void {
    this.state = 'held';
    this.validUntil = since + ttl - driftOf(ttl);
  }

  lose(reason: LeaseEnd): void {
    if (this.state === 'lost') return;
    this.state = 'lost';
    this.#loss = new LockLostError(this.names, reason, this.fencingToken);
    this.onLost(this, reason);
    this.#controller?.abort(this.#loss);
  }

  /** @throws LockLostError unless it is held */
  assertHeld(): void {
    if (!this.isHeld()) throw this.#loss ?? new LockLostError(this.names, 'released', this.fencingToken);
  }
}
