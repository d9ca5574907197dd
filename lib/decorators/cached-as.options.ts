import type { CacheSource } from '../core/instrumentation.js';
import type { Duration } from '../options/parse.js';
import type { RefillOptions } from '../options/refill.js';
import type { AnyArguments, AnyResult, ByCall, CallContext } from './call-context.js';

/**
 * What results vary by beside the arguments:
 *
 * - `'user'`, `'tenant'`, `'language'`: of the request; the module option `http` says how they are told,
 * - any other text: a header of the request, by its name,
 * - a function of the call,
 * - a list of these; the empty list says that all callers may share the results.
 */
export type Vary<A extends readonly unknown[] = AnyArguments, R = AnyResult> =
  VaryBy<A, R> | readonly VaryBy<A, R>[];

export type VaryBy<A extends readonly unknown[], R> = string | ((context: CallContext<A, R>) => unknown);

/** A hit, with the key under which the result is stored. */
export interface HitEvent<A extends readonly unknown[], R> extends CallContext<A, R> {
  readonly key: string;
  /** `undefined`: it came from a load that was under way already. */
  readonly source: CacheSource | undefined;
}

/** A miss: the method is about to run. */
export interface MissEvent<A extends readonly unknown[], R> extends CallContext<A, R> {
  readonly key: string;
}

/** How the results of a method are kept. */
export interface CachedOptions<
  A extends readonly unknown[] = AnyArguments,
  R = AnyResult,
> extends RefillOptions {
  /** Default: the option `ttl` of the module. */
  readonly ttl?: Duration | undefined;
  /** After which a call is abandoned with `LOAD_TIMEOUT`. Default: `timeouts.load`. */
  readonly timeout?: Duration | undefined;
  /** Part of the key beside the arguments: whatever else decides about the result. */
  readonly extra?: ByCall<unknown, A, R>;
  /** Names by which `invalidate` reaches the results. */
  readonly tags?: ByCall<readonly string[], A, R> | undefined;
  /** `false`: the method runs for this call, and nothing is looked up or stored. Default: always `true`. */
  readonly when?: ((context: CallContext<A, R>) => boolean) | undefined;
  /**
   * What the results vary by. A request-scoped provider must say it, because its instances know their request.
   * Default: nothing else.
   */
  readonly vary?: Vary<A, R> | undefined;
  /** Called after each hit. What it throws is an event of the cache, not an error of the call. */
  readonly onHit?: ((event: HitEvent<A, R>) => void) | undefined;
  /** Called before the method runs; otherwise as `onHit`. */
  readonly onMiss?: ((event: MissEvent<A, R>) => void) | undefined;
  /** Whether the method returns an Observable. Default: as TypeScript's `emitDecoratorMetadata` says, else `false`. */
  readonly observable?: boolean | undefined;
}

/** How the results of a method that depend on entities or tags are kept. */
export interface CachedAsOptions<
  A extends readonly unknown[] = AnyArguments,
  R = AnyResult,
> extends CachedOptions<A, R> {
  /** Whether the queries that run inside are dependencies as well. Default `true`. */
  readonly track?: boolean | undefined;
}
