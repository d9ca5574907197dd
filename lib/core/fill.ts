import { CacheOpsError } from '../cacheops.errors.js';
import type { CacheDriver, TableShape, TokenState } from '../drivers/cache-driver.interface.js';
import type { CacheContext } from './cache-context.js';
import type { Clock } from './clock.js';
import { encodeEntry } from './entry.js';
import type { Instrumentation } from './instrumentation.js';
import type { Landed, Lookup } from './lookup.js';
import { lifeOf } from './refill.js';
import { ShapeKnowledge } from './shape-knowledge.js';
import type { Flight } from './single-flight.js';
import type { Stamp } from './stamp.js';
import { within } from './within.js';

export interface FillParts {
  readonly driver: CacheDriver;
  readonly context: CacheContext;
  readonly instrumentation: Instrumentation;
  readonly clock: Clock;
  /** Orders the beginning of a load among the events of this process. */
  readonly tick: () => number;
  /** Milliseconds, for lookups that say nothing else. */
  readonly loadTimeout: number;
  readonly onShapes: ((shapes: readonly TableShape[]) => void) | undefined;
}

/** Reads the source, and stores what it has read: pin, compute, store if unchanged. */
export class Filler {
  private readonly knowledge = new ShapeKnowledge();

  constructor(private readonly parts: FillParts) {}

  /**
   * The only way into the cache.
   * @param seen states of the tokens as the caller has read them
   */
  async fill<T>(
    lookup: Lookup<T>,
    seen: readonly TokenState[],
    flight: Flight<Landed<unknown>>,
  ): Promise<Landed<T>> {
    const { context, clock, tick } = this.parts;
    const stamps = await this.pin(lookup, seen);
    flight.stamps = stamps;
    flight.loadStartedAt = tick();
    const began = clock.monotonic();
    const { value, tainted } = await context.filling(() => this.load(lookup));
    if (tainted) {
      this.refuse(lookup, 'transaction');
      return { value, payload: undefined, tainted };
    }
    const cost = clock.monotonic() - began;
    const payload = lookup.codec.encode(value);
    if (payload === undefined) this.refuse(lookup, 'unserialisable');
    else if (stamps) await this.store(lookup, payload, stamps, cost);
    return { value, payload };
  }

  /** Abandons a load that hangs: its late result is dropped, never stored. */
  load<T>(lookup: Lookup<T>): Promise<T> {
    if (lookup.patient) return lookup.load();
    const ms = this.patienceOf(lookup);
    return within(lookup.load(), ms, () => {
      throw new CacheOpsError('LOAD_TIMEOUT', `${lookup.label}: no result within ${ms} ms`);
    });
  }

  /** Milliseconds for which others wait for the load. */
  patienceOf({ loadTimeout }: Pick<Lookup<unknown>, 'loadTimeout'>): number {
    return loadTimeout ?? this.parts.loadTimeout;
  }

  /** @returns the stamps to store under, or `undefined` when nothing may be stored */
  private async pin<T>(
    lookup: Lookup<T>,
    seen: readonly TokenState[],
  ): Promise<readonly Stamp[] | undefined> {
    const { dependencies } = lookup;
    const { driver, instrumentation, onShapes } = this.parts;
    const shapes = this.knowledge.unknown(dependencies, seen);
    if (shapes.length === 0 && allStamped(seen)) return seen;
    try {
      const { tokens, shapes: used } = dependencies;
      const states = await driver.pin({ tokens, shapes: used, ttl: longestLife(lookup) });
      if (allStamped(states)) {
        this.knowledge.learn(dependencies, states);
        onShapes?.(shapes);
        return states;
      }
      this.refuse(lookup, 'pending');
    } catch (error) {
      instrumentation.error('pin', error);
      this.refuse(lookup, 'unavailable');
    }
    return undefined;
  }

  private async store<T>(
    lookup: Lookup<T>,
    payload: Buffer,
    stamps: readonly Stamp[],
    cost: number,
  ): Promise<void> {
    const { key, label, dependencies, recorded, refill } = lookup;
    const { driver, instrumentation, clock } = this.parts;
    const life = lifeOf(lookup.ttl, refill);
    const grace = refill?.grace ?? 0;
    const facts = { createdAt: clock.now(), life, hasGrace: grace > 0, cost };
    const { tokens } = dependencies;
    const entry = encodeEntry(payload, stamps, facts, recorded ? tokens : undefined);
    try {
      const stored = await driver.write({ key, entry, tokens, stamps, ttl: life + grace });
      if (stored) instrumentation.store(key, label, entry.length);
      else this.refuse(lookup, 'changed');
    } catch (error) {
      instrumentation.error('write', error);
      this.refuse(lookup, 'unavailable');
    }
  }

  private refuse<T>({ key, label }: Lookup<T>, reason: Parameters<Instrumentation['refuse']>[2]): void {
    this.parts.instrumentation.refuse(key, label, reason);
  }
}

/** Milliseconds: an entry in grace is of use only while its stamps are there. */
const longestLife = <T>({ ttl, refill }: Lookup<T>): number => ttl + (refill?.grace ?? 0);

function allStamped(states: readonly TokenState[]): states is readonly Stamp[] {
  return states.every((state) => state !== undefined && state !== 'pending');
}
