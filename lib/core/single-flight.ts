import type { TokenState } from '../drivers/cache-driver.interface.js';
import type { Stamp } from './stamp.js';

/** One load in progress. */
export interface Flight<T> {
  readonly result: Promise<T>;
  /** Set when the load begins; `undefined` while stamps are still being pinned. */
  loadStartedAt: number | undefined;
  /** Stamps pinned for the load, `undefined` while pinning or when nothing may be stored. */
  stamps: readonly Stamp[] | undefined;
}

/**
 * In-process duplicate suppression that is safe beside invalidation.
 *
 * Plain single-flight would hand a reader that began after a commit the result of a load that began before it:
 *
 *     R1 misses, loads the old row | W commits, settles | R2 misses, joins R1's load, returns the old row
 *
 * So a reader joins a flight only if the load began after the reader did, or if the tokens still carry exactly the
 * stamps under which the flight was pinned (then nothing changed since).
 */
export class SingleFlight<T> {
  private readonly flights = new Map<string, Flight<T>>();
  private sequence = 0;

  /** Order of events within this process: a logical clock, so that equal milliseconds cannot tie. */
  tick(): number {
    return ++this.sequence;
  }

  /** A flight that a reader which began at `startedAt` and saw `states` may join. */
  find(key: string, startedAt: number, states: readonly TokenState[]): Promise<T> | undefined {
    const flight = this.flights.get(key);
    if (!flight) return undefined;
    const beganLater = flight.loadStartedAt === undefined || flight.loadStartedAt > startedAt;
    return beganLater || sameStamps(flight.stamps, states) ? flight.result : undefined;
  }

  /** The flight under way, whether or not it may be joined. */
  current(key: string): Promise<T> | undefined {
    return this.flights.get(key)?.result;
  }

  /** Starts a flight that others may join for at most `joinable` milliseconds: a load that hangs holds nobody up. */
  run(key: string, joinable: number, work: (flight: Flight<T>) => Promise<T>): Promise<T> {
    const flight: { -readonly [K in keyof Flight<T>]: Flight<T>[K] } = {
      result: undefined as unknown as Promise<T>,
      loadStartedAt: undefined,
      stamps: undefined,
    };
    const leave = (): void => {
      clearTimeout(timer);
      if (this.flights.get(key) === flight) this.flights.delete(key);
    };
    const timer = setTimeout(leave, joinable);
    timer.unref();
    flight.result = work(flight).finally(leave);
    this.flights.set(key, flight);
    return flight.result;
  }
}

function sameStamps(stamps: readonly Stamp[] | undefined, states: readonly TokenState[]): boolean {
  return stamps !== undefined && stamps.length === states.length && stamps.every((s, i) => s === states[i]);
}
