import { CacheOpsConfigError } from '../cacheops.errors.js';
import type { Dependencies } from '../core/dependencies.js';
import type { EntityModel } from '../core/entity-model.js';
import type { Inspection } from '../core/inspection.js';
import { CallKeys } from './call-key.js';
import type { DependencyResolver } from './dependency-resolver.js';
import { policyOf, traceOf, type ValueOptions } from './value-options.js';
import type { Values } from './values.js';
import { WrapKeys, wrapFunction, type Wrapped, type WrapOptions } from './wrapped.js';

/** What `explain` says about a stored value. */
export interface ValueExplanation extends Partial<Inspection> {
  readonly key: string;
  /** Whether a value is stored that would be served now. */
  readonly stored: boolean;
}

/** What cached values stand on. */
export interface CachedValuesParts {
  readonly values: Values;
  readonly resolver: DependencyResolver;
  readonly model: EntityModel;
  /** `false`: dependencies are not looked at, nothing is stored. */
  readonly enabled: boolean;
  /** Milliseconds. */
  readonly ttl: number;
}

/** Values under keys of the application, in one place: the cache itself, or a store beside it. */
export class CachedValues {
  private readonly values: Values;
  private readonly wrapKeys: WrapKeys;

  /** @internal */
  constructor(private readonly own: CachedValuesParts) {
    this.values = own.values;
    this.wrapKeys = new WrapKeys(new CallKeys(own.model));
  }

  /**
   * The stored value, else what `factory` returns, which is then stored. Calls for one key at the same time share one
   * factory call; each caller gets objects of its own. `undefined` is not stored, `null` is; errors are not.
   *
   * Do not call it inside a transaction with a factory that reads what the transaction has written.
   *
   * @throws CacheOpsConfigError when an option is unknown or malformed
   * @throws CacheOpsDependencyError when a dependency names nothing
   * @throws CacheOpsSerializationError when the value cannot be stored; `path` says where in it
   * @throws CacheOpsError `LOAD_TIMEOUT` when the factory takes longer than `timeout`
   */
  async getOrSet<T>(key: string, factory: () => T | Promise<T>, options: ValueOptions = {}): Promise<T> {
    checkKey(key);
    const policy = policyOf(options, this.own.ttl);
    const load = policy.frozen ? () => this.values.frozen(factory) : async (): Promise<T> => factory();
    if (!this.own.enabled) return load();
    const dependencies = this.reads(options);
    return this.values.getOrSet({
      key,
      dependencies,
      load,
      ...policy,
      trace: traceOf(options),
    });
  }

  /** The stored value, or `undefined`. It is checked against the dependencies that it was stored with. */
  async get<T = unknown>(key: string): Promise<T | undefined> {
    checkKey(key);
    return await this.values.get(key);
  }

  /**
   * Stores a value. Its dependencies are watched from now on: where the value was read from them, a change between
   * that read and this call goes unnoticed, so prefer `getOrSet`. Inside `withoutCache` only the old value goes.
   *
   * @param value not `undefined`, which is no value
   * @throws as `getOrSet`
   */
  async set(key: string, value: unknown, options: ValueOptions = {}): Promise<void> {
    checkKey(key);
    if (value === undefined) throw new CacheOpsConfigError('value', 'a value; null is one', value);
    if (this.own.enabled)
      await this.values.set(key, this.reads(options), policyOf(options, this.own.ttl), value);
  }

  /** Forgets a value, and what a factory that is running now would store under the key. */
  async delete(key: string): Promise<void> {
    checkKey(key);
    await this.values.delete(key);
  }

  /**
   * A function that caches its results by its arguments.
   * @throws CacheOpsConfigError when an option is malformed, or when `key` is needed: the function has no name, or one
   * that is wrapped already
   */
  wrap<F extends (...args: never[]) => unknown>(
    fn: F,
    options: WrapOptions<Parameters<F>> = {},
  ): Wrapped<Parameters<F>, Awaited<ReturnType<F>>> {
    // Inferred from the function alone: options may look at fewer arguments.
    const { key: _key, deps: _deps, tags: _tags, ...rest } = options;
    policyOf(rest, this.own.ttl);
    const call = fn as unknown as (...args: Parameters<F>) => Awaited<ReturnType<F>>;
    return wrapFunction(call, this.wrapKeys.of(call, options.key), options, this);
  }

  /**
   * What is stored under a key, without serving it.
   * @throws CacheOpsError `DRIVER` when the backend fails
   */
  protected async inspect(key: string): Promise<ValueExplanation> {
    const found = await this.values.inspect(key);
    return { key, stored: found?.fresh ?? false, ...found };
  }

  private reads({ deps = [], tags = [] }: ValueOptions): Dependencies {
    return this.own.resolver.reads(deps, tags);
  }
}

function checkKey(key: unknown): void {
  if (typeof key !== 'string' || key === '') {
    throw new CacheOpsConfigError('key', 'a text that is not empty', key);
  }
}
