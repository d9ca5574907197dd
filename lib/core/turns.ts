import type { Clock } from './clock.js';
import type { Filler } from './fill.js';
import type { Lease, Leases } from './lease.js';
import { type Found, isServable, type Landed, type Lookup, type ReadEntry } from './lookup.js';
import type { Flight } from './single-flight.js';

export interface TurnParts {
  readonly filler: Filler;
  readonly leases: Leases;
  readonly read: ReadEntry;
  readonly clock: Clock;
  readonly tick: () => number;
}

/** A load that was waited for and left no entry was of no use; after so many of them the waiter loads itself. */
const MOST_FUTILE = 2;

/**
 * Single flight across processes: one has the lease and loads, the others wait for its entry.
 *
 * What a waiter takes is an entry that it has read, with the states of its tokens, after its wait: it is as fresh as
 * any hit. Nothing depends on the lease but the number of loads: whoever loads without one (the backend fails, its
 * lease ran out, it has waited long enough) stores under stamps of its own pin.
 */
export class Turns {
  constructor(private readonly parts: TurnParts) {}

  async fill<T>(lookup: Lookup<T>, flight: Flight<Landed<unknown>>): Promise<Landed<T>> {
    const { leases, read, clock, tick, filler } = this.parts;
    const until = clock.monotonic() + filler.patienceOf(lookup);
    let futile = 0;
    for (;;) {
      const waiting = leases.expect(lookup.key);
      try {
        const lease = await leases.take(lookup.key).catch(() => undefined);
        // From here on the flight is of no use to those who begin now: they may know of a later commit.
        flight.loadStartedAt = tick();
        const found = await read(lookup);
        const left = until - clock.monotonic();
        if (typeof lease !== 'number') return await this.finish(lookup, flight, found, lease);
        if (isServable(found) || isHopeless(found) || futile >= MOST_FUTILE || left <= 0) {
          return await this.finish(lookup, flight, found, undefined);
        }
        flight.loadStartedAt = undefined;
        if (await waiting.until(Math.min(lease, left))) futile++;
      } finally {
        waiting.end();
      }
    }
  }

  private async finish<T>(
    lookup: Lookup<T>,
    flight: Flight<Landed<unknown>>,
    found: Found<T> | undefined,
    lease: Lease | undefined,
  ): Promise<Landed<T>> {
    const { filler } = this.parts;
    try {
      if (isServable(found)) return found;
      if (found) return await filler.fill(lookup, found.states, flight);
      return { value: await filler.load(lookup), payload: undefined };
    } finally {
      lease?.release();
    }
  }
}

/** The backend is away, or something is being written: whoever loads now can store nothing. */
const isHopeless = (found: Found<unknown> | undefined): boolean =>
  found === undefined || found.states.includes('pending');
