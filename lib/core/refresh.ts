import type { CacheDriver, TokenState } from '../drivers/cache-driver.interface.js';
import type { Clock } from './clock.js';
import type { Filler } from './fill.js';
import type { Instrumentation } from './instrumentation.js';
import type { Lease, Leases } from './lease.js';
import { isServable, type Landed, type Lookup, ownCopy, type ReadEntry, type Servable } from './lookup.js';
import type { SingleFlight } from './single-flight.js';
import { within } from './within.js';

export interface RefreshParts {
  readonly driver: CacheDriver;
  readonly filler: Filler;
  readonly leases: Leases;
  readonly read: ReadEntry;
  readonly clock: Clock;
  readonly instrumentation: Instrumentation;
  readonly flights: SingleFlight<Landed<unknown>>;
}

/** Milliseconds for which a key is left alone after its refresh has failed. */
const PAUSE = 1_000;
const MOST_PAUSES = 1_000;
/** Milliseconds that the end of the application waits for refreshes. */
const FAREWELL = 2_000;

/** Computes entries anew behind the back of those who are served: in grace, or ahead of the entry's end. */
export class Refresher {
  private readonly running = new Map<string, Promise<void>>();
  /** Keys whose refresh has failed, with the monotonic time until which they are left alone. */
  private readonly pauses = new Map<string, number>();
  private closed = false;

  constructor(private readonly parts: RefreshParts) {}

  /** What the caller gets of an entry that is to be refreshed: its value, or within `softTimeout` the new one. */
  async serve<T>(lookup: Lookup<T>, found: Servable<T>, startedAt: number): Promise<T> {
    const { key, codec, refill } = lookup;
    const own = this.start(lookup, found.states);
    if (own && lookup.attended) return this.attended(found, own);
    if (found.condition === 'early' || !refill?.softTimeout) return found.value;
    const { flights } = this.parts;
    const work = own ?? (flights.find(key, startedAt, found.states) as Promise<Landed<T>> | undefined);
    if (!work) return found.value;
    const none = (): undefined => undefined;
    const landed = await within(work.catch(none), refill.softTimeout, none);
    const copy = landed && ownCopy(landed, codec);
    return copy ? copy.value : found.value;
  }

  /** The new value, or the one that there is if it cannot be had. */
  private async attended<T>(found: Servable<T>, work: Promise<Landed<T> | undefined>): Promise<T> {
    const landed = await work.catch(() => undefined);
    return landed ? landed.value : found.value;
  }

  /** Begins no more, and waits for those under way, but not long. */
  async close(): Promise<void> {
    this.closed = true;
    if (this.running.size === 0) return;
    const all = Promise.all(this.running.values());
    await within(all, FAREWELL, () => undefined);
  }

  /** @returns `undefined` when it is not the time to */
  private start<T>(
    lookup: Lookup<T>,
    states: readonly TokenState[],
  ): Promise<Landed<T> | undefined> | undefined {
    const { key, label } = lookup;
    if (this.closed || this.running.has(key) || this.isPaused(key)) return undefined;
    const { instrumentation } = this.parts;
    const work = this.refresh({ ...lookup, load: lookup.detach?.() ?? lookup.load }, states);
    const told = work.then(
      (landed) => {
        this.pauses.delete(key);
        if (landed) instrumentation.refresh(key, label, 'done');
      },
      (error: unknown) => {
        this.pause(key);
        instrumentation.error('refresh', error);
        instrumentation.refresh(key, label, 'failed');
      },
    );
    this.running.set(
      key,
      told.finally(() => this.running.delete(key)),
    );
    return work;
  }

  /** @returns `undefined` when another process does it */
  private async refresh<T>(lookup: Lookup<T>, states: readonly TokenState[]): Promise<Landed<T> | undefined> {
    if (!lookup.refill?.lock) return this.fill(lookup, states);
    const lease = await this.parts.leases.take(lookup.key);
    if (typeof lease === 'number') return undefined;
    return this.refreshAlone(lookup, lease);
  }

  private async refreshAlone<T>(lookup: Lookup<T>, lease: Lease): Promise<Landed<T> | undefined> {
    try {
      const found = await this.parts.read(lookup);
      const isDone = !found || (isServable(found) && found.condition === 'fresh');
      return isDone ? undefined : await this.fill(lookup, found.states);
    } finally {
      lease.release();
    }
  }

  private async fill<T>(lookup: Lookup<T>, states: readonly TokenState[]): Promise<Landed<T>> {
    const { flights, filler, driver } = this.parts;
    const landed = await flights.run(lookup.key, filler.patienceOf(lookup), (flight) =>
      filler.fill(lookup, states, flight),
    );
    // What there is now cannot be stored, so it cannot replace the old value either.
    if (!landed.payload && !landed.tainted) await driver.delete([lookup.key]);
    return landed as Landed<T>;
  }

  private isPaused(key: string): boolean {
    const until = this.pauses.get(key);
    return until !== undefined && this.parts.clock.monotonic() < until;
  }

  private pause(key: string): void {
    this.pauses.delete(key);
    this.pauses.set(key, this.parts.clock.monotonic() + PAUSE);
    if (this.pauses.size > MOST_PAUSES) this.pauses.delete(this.pauses.keys().next().value as string);
  }
}
