import { CacheOpsError } from '../cacheops.errors.js';
import type { CacheDriver, TableShape, TokenState } from '../drivers/cache-driver.interface.js';
import type { CacheContext } from './cache-context.js';
import type { Clock } from './clock.js';
import { mergeDependencies, type Dependencies } from './dependencies.js';
import { encodeEntry } from './entry.js';
import type { Instrumentation, RefuseReason } from './instrumentation.js';
import { isOpenEnded, type Landed, type Lookup } from './lookup.js';
import { ReadTrace, type StampedTokens } from './read-trace.js';
import { lifeOf } from './refill.js';
import { ShapeKnowledge } from './shape-knowledge.js';
import type { Flight } from './single-flight.js';
import { isStamp, type Stamp } from './stamp.js';
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

type Named = Pick<Lookup<unknown>, 'key' | 'label'>;

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
    const { dependencies, late } = lookup;
    const life = longestLife(lookup);
    const stamps = await this.pin(lookup, dependencies, life, seen);
    const around = late && stamps && (await this.pin(lookup, late.within, life));
    // Of a value whose dependencies are not all known yet, these stamps cannot tell that nothing has changed.
    if (!isOpenEnded(lookup)) flight.stamps = stamps;
    flight.loadStartedAt = tick();
    const began = clock.monotonic();
    const trace = lookup.trace && new ReadTrace(life, lookup.trace === 'exact');
    const { value, tainted } = await context.filling(() => this.load(lookup), trace);
    if (tainted) {
      this.refuse(lookup, 'transaction');
      return { value, payload: undefined, tainted };
    }
    const cost = clock.monotonic() - began;
    const payload = lookup.codec.encode(value);
    if (payload === undefined) this.refuse(lookup, 'unserialisable');
    const own = stamps && { tokens: dependencies.tokens, stamps };
    const basis = own && (await this.basis(lookup, value, own, trace, around));
    if (typeof basis === 'string') {
      this.refuse(lookup, basis);
      return { value, payload };
    }
    if (payload && basis) await this.store(lookup, payload, basis, cost);
    return { value, payload, basis };
  }

  /**
   * Makes a read that does not pass through the cache part of what the load around it depends on. Call it before.
   * @param dependencies `undefined` when nobody can tell them
   */
  async witness(trace: ReadTrace, dependencies: Dependencies | undefined): Promise<void> {
    if (!dependencies) return trace.addUntold();
    if (trace.covers(dependencies)) return;
    const stamps = await this.pin(WITNESS, dependencies, trace.ttl);
    if (stamps) trace.add(dependencies.tokens, stamps);
    else trace.lose('pending');
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
  async pin(
    named: Named,
    dependencies: Dependencies,
    ttl: number,
    seen: readonly TokenState[] = unseen(dependencies),
  ): Promise<readonly Stamp[] | undefined> {
    const { driver, instrumentation, onShapes } = this.parts;
    const shapes = this.knowledge.unknown(dependencies, seen);
    if (shapes.length === 0 && seen.every(isStamp)) return seen;
    try {
      const { tokens, shapes: used } = dependencies;
      const states = await driver.pin({ tokens, shapes: used, ttl });
      if (states.every(isStamp)) {
        this.knowledge.learn(dependencies, states);
        onShapes?.(shapes);
        return states;
      }
      this.refuse(named, 'pending');
    } catch (error) {
      instrumentation.error('pin', error);
      this.refuse(named, 'unavailable');
    }
    return undefined;
  }

  /** Everything the value depends on, as of before the load; the reason when that cannot be vouched for. */
  private async basis<T>(
    lookup: Lookup<T>,
    value: T,
    own: StampedTokens,
    trace: ReadTrace | undefined,
    around: readonly Stamp[] | undefined,
  ): Promise<StampedTokens | RefuseReason> {
    const { late } = lookup;
    if (!late) return trace ? trace.joinedWith(own) : own;
    const life = longestLife(lookup);
    const dependencies = late.of(value);
    const both = mergeDependencies([dependencies, late.within]);
    const stamps = around && (await this.pin(lookup, both, life));
    if (!stamps) return 'pending';
    const now = new Map(both.tokens.map((token, i) => [token, stamps[i]]));
    if (late.within.tokens.some((token, i) => now.get(token) !== around[i])) return 'changed';
    const all = trace ?? new ReadTrace(life, false);
    all.add(
      dependencies.tokens,
      dependencies.tokens.map((token) => now.get(token)),
    );
    return all.joinedWith(own);
  }

  private async store<T>(
    lookup: Lookup<T>,
    payload: Buffer,
    { tokens, stamps }: StampedTokens,
    cost: number,
  ): Promise<void> {
    const { key, label, recorded, refill } = lookup;
    const { driver, instrumentation, clock } = this.parts;
    const life = lifeOf(lookup.ttl, refill);
    const grace = refill?.grace ?? 0;
    const facts = { createdAt: clock.now(), life, hasGrace: grace > 0, cost };
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

  private refuse({ key, label }: Named, reason: RefuseReason): void {
    this.parts.instrumentation.refuse(key, label, reason);
  }
}

/** Milliseconds: an entry in grace is of use only while its stamps are there. */
const longestLife = <T>({ ttl, refill }: Lookup<T>): number => ttl + (refill?.grace ?? 0);

const WITNESS: Named = { key: '', label: 'query' };

/** States before anything was read: every token must be pinned. */
export const unseen = ({ tokens }: Dependencies): readonly TokenState[] => tokens.map(() => undefined);
