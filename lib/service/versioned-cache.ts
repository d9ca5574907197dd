import { CacheOpsConfigError, CacheOpsSerializationError } from '../cacheops.errors.js';
import type { Cache } from '../core/cache.js';
import { hashText } from '../core/cache-key.js';
import { type Dependencies, dependenciesOf } from '../core/dependencies.js';
import { nearValues } from '../core/kept-value.js';
import type { Codec } from '../core/lookup.js';
import type { Serializer } from '../core/serializer.js';
import type { Stamp } from '../core/stamp.js';
import { tagToken } from '../core/token.js';
import type { Invalidator } from '../invalidation/invalidator.js';
import { type Duration, parseDuration } from '../options/parse.js';

/** The versions of some keys at one moment. Nothing brings an earlier one back: neither eviction nor a restart. */
export class VersionVector {
  /** Equal for the same versions of the same keys, and only for those. Fit for an `ETag`. */
  readonly text: string;

  /**
   * @internal
   * @param stamps in the order of the tokens; `undefined`: the backend did not tell, and nothing is stored under this
   */
  constructor(
    readonly dependencies: Dependencies,
    readonly stamps: readonly Stamp[] | undefined,
  ) {
    const { tokens } = dependencies;
    this.text = hashText(JSON.stringify(stamps ? [tokens, stamps] : [tokens]));
  }

  toString(): string {
    return this.text;
  }
}

export interface VersionedCacheParts {
  readonly cache: Cache;
  readonly invalidator: Invalidator;
  readonly serializer: Serializer;
  /** Milliseconds. */
  readonly ttl: number;
}

/** A value, and under which versions it was stored. */
type Kept = readonly [version: string, value: unknown];

const LABEL = 'versioned';

/**
 * Values that belong to versions of keys: take the versions, compute, store under them; whoever increments one of the
 * keys meanwhile or later makes the value unreachable. Inject it.
 *
 * A key is a tag, and its version the stamp of the tag: `incr('menu')` and `cacheOps.invalidate('menu')` are the same,
 * and a value of `getOrSet` with the tag `menu` is made stale by either. After django-icache, whose sum of counters
 * could come back to a value that it had before; stamps do not, and they are compared one by one.
 */
export class VersionedCache {
  private readonly codec: Codec<Kept>;

  constructor(private readonly parts: VersionedCacheParts) {
    const { serializer } = parts;
    const decode = (payload: Buffer): Kept => serializer.decode(payload) as Kept;
    this.codec = { encode: (kept) => serializer.encode(kept), decode, near: nearValues(decode) };
  }

  /** Gives a key another version: at once, or with the commit of the transaction around the call. */
  incr(key: string): Promise<void> {
    return this.incrMany([key]);
  }

  /** As `incr`, for all of them in one command. */
  incrMany(keys: readonly string[]): Promise<void> {
    return this.parts.invalidator.announce({ effects: [], tokens: new Set(checkedKeys(keys).map(tagToken)) });
  }

  /**
   * The versions of keys, in one command, whatever their order. A key that was never seen gets its first version. To
   * be called before what is to be stored under them is read.
   */
  async getSum(keys: readonly string[]): Promise<VersionVector> {
    const { cache, ttl } = this.parts;
    const dependencies = dependenciesOf([], checkedKeys(keys));
    return new VersionVector(dependencies, await cache.pin({ key: '', label: LABEL }, dependencies, ttl));
  }

  /**
   * Stores a value that was computed after `getSum` returned `version`; not if one of its keys was incremented since.
   *
   * @param value not `undefined`, which is no value
   * @param options `ttl`, default: the option `ttl`
   * @throws CacheOpsSerializationError when the value cannot be stored
   */
  async setVersioned(
    key: string,
    value: unknown,
    version: VersionVector,
    options: { readonly ttl?: Duration | undefined } = {},
  ): Promise<void> {
    const ttl = options.ttl === undefined ? this.parts.ttl : parseDuration('ttl', options.ttl);
    if (value === undefined)
      throw new CacheOpsSerializationError('value', 'undefined is no value; null is one');
    const { dependencies, stamps } = checkedVersion(version);
    const kept: Kept = [version.text, value];
    this.codec.encode(kept);
    if (stamps) await this.parts.cache.put({ ...this.lookup(key, dependencies), ttl }, kept, stamps);
  }

  /**
   * The value, if it was stored under this version and none of its keys was incremented since; else `undefined`. One
   * command.
   */
  async getVersioned<T = unknown>(key: string, version: VersionVector): Promise<T | undefined> {
    const { dependencies, stamps } = checkedVersion(version);
    const kept = stamps && (await this.parts.cache.peek(this.lookup(key, dependencies)));
    // Fresh is what was stored under the versions of now; those that were asked for may be older.
    return kept?.[0] === version.text ? (kept[1] as T) : undefined;
  }

  private lookup(key: string, dependencies: Dependencies) {
    if (typeof key !== 'string' || key === '')
      throw new CacheOpsConfigError('key', 'a text that is not empty', key);
    return { key: `i:${key}`, label: LABEL, dependencies, codec: this.codec };
  }
}

function checkedKeys(keys: readonly string[]): readonly string[] {
  const given: unknown = keys;
  if (!Array.isArray(given)) throw new CacheOpsConfigError('keys', 'a list of texts', given);
  const bad = keys.findIndex((key) => typeof key !== 'string' || key === '');
  if (bad < 0) return keys;
  throw new CacheOpsConfigError(`keys[${bad}]`, 'a text that is not empty', keys[bad]);
}

function checkedVersion(version: unknown): VersionVector {
  if (version instanceof VersionVector) return version;
  throw new CacheOpsConfigError('version', 'what getSum returned', version);
}
