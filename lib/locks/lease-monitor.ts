import type { Clock, Scheduler } from '../core/clock.js';
import type { Lease } from './lease.js';
import type { LockBackend } from './lock-backend.js';

/** Parts of the ttl: when a lease is renewed, and how soon it is tried again when that failed. */
const RENEW_AFTER = 1 / 3;
const RETRY_AFTER = 1 / 12;

/**
 * Renews the leases of a process, those that are due together in one call, and tells their holders when one is lost.
 *
 * A renewal that fails is no loss: the lease lasts, and is tried again. A lease that cannot be renewed until its
 * deadline is lost, whether or not the backend answers; the first timer after a blocked event loop says so.
 */
export class LeaseMonitor {
  readonly #leases: Lease[] = [];
  #wakeAt = Infinity;
  #cancel: (() => void) | undefined;

  constructor(
    private readonly backend: LockBackend,
    private readonly clock: Clock,
    private readonly scheduler: Scheduler,
  ) {}

  /** Number of leases. */
  get size(): number {
    return this.#leases.length;
  }

  add(lease: Lease): void {
    if (lease.place < 0) lease.place = this.#leases.push(lease) - 1;
    this.#planRenewal(lease);
  }

  /** The timer stays: most often there is a new lease before it is due. */
  remove(lease: Lease): void {
    if (lease.place < 0) return;
    const last = this.#leases.pop() as Lease;
    if (last !== lease) {
      this.#leases[lease.place] = last;
      last.place = lease.place;
    }
    lease.place = -1;
  }

  /**
   * Renews one lease, whether or not it is due.
   * @throws CacheOpsError `DRIVER` when the backend does not say
   */
  async renewNow(lease: Lease): Promise<void> {
    await this.#renew([lease], this.clock.monotonic());
  }

  close(): void {
    for (const lease of this.#leases.splice(0)) lease.place = -1;
    this.#cancel?.();
    this.#wakeAt = Infinity;
  }

  #look(): void {
    this.#wakeAt = Infinity;
    const now = this.clock.monotonic();
    const due: Lease[] = [];
    for (const lease of [...this.#leases]) {
      if (!lease.isHeld()) this.remove(lease);
      // A little early, so that leases that are due one after the other go in one call.
      else if (lease.renewAt <= now + lease.ttl * RETRY_AFTER) {
        lease.renewAt = Infinity;
        due.push(lease);
      }
    }
    if (due.length > 0) this.#renew(due, now).catch(() => this.#retry(due));
    for (const { renewAt, validUntil } of this.#leases) this.#wakeUpAt(Math.min(renewAt, validUntil));
  }

  async #renew(leases: readonly Lease[], since: number): Promise<void> {
    // Its ttl may be changed while the reply is under way.
    const asked = leases.map(({ names, owner, ttl }) => ({ names, owner, ttl }));
    const outcomes = await this.backend.renew(asked);
    for (const [i, lease] of leases.entries()) {
      const outcome = outcomes[i];
      if (outcome === 'renewed') this.#renewed(lease, since, asked[i]?.ttl ?? lease.ttl);
      else if (outcome !== undefined && lease.place >= 0) lease.lose(outcome);
    }
  }

  #renewed(lease: Lease, since: number, ttl: number): void {
    // The holder was told that it is lost; what the backend keeps for it now is in everybody's way.
    if (lease.state === 'lost') return this.backend.giveBack(lease);
    if (lease.place < 0) return;
    lease.renewed(since, ttl);
    this.#planRenewal(lease);
  }

  #retry(leases: readonly Lease[]): void {
    for (const lease of leases) {
      if (lease.place < 0) continue;
      lease.state = 'unknown';
      lease.renewAt = this.clock.monotonic() + lease.ttl * RETRY_AFTER;
      this.#wakeUpAt(lease.renewAt);
    }
  }

  #planRenewal(lease: Lease): void {
    const { extend, validUntil, ttl } = lease;
    lease.renewAt = extend ? validUntil - ttl * (1 - RENEW_AFTER) : Infinity;
    this.#wakeUpAt(Math.min(lease.renewAt, validUntil));
  }

  #wakeUpAt(time: number): void {
    if (time >= this.#wakeAt) return;
    this.#cancel?.();
    this.#wakeAt = time;
    this.#cancel = this.scheduler.schedule(time - this.clock.monotonic(), () => this.#look(), true);
  }
}
