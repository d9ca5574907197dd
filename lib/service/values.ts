import type { Cache } from '../core/cache.js';
import { frozen, nearFrozen, nearValues } from '../core/kept-value.js';
import type { Codec, Lookup } from '../core/lookup.js';
import { type Dependencies, NO_DEPENDENCIES, withToken } from '../core/dependencies.js';
import { freshKeys } from '../core/listing.js';
import type { Inspection } from '../core/inspection.js';
import type { Serializer } from '../core/serializer.js';
import { keyToken, type Token } from '../core/token.js';
import type { CacheDriver } from '../drivers/cache-driver.interface.js';
import type { Invalidator } from '../invalidation/invalidator.js';

/** Values that the application stores under keys of its own. */
export interface ValueServices {
  readonly cache: Cache;
  readonly driver: CacheDriver;
  readonly invalidator: Invalidator;
  readonly serializer: Serializer;
}

/** How a value is kept, and how it is filled. */
export interface Policy extends Pick<Lookup<unknown>, 'ttl' | 'refill' | 'loadTimeout'> {
  /** Callers may share one frozen value. */
  readonly frozen?: boolean;
}

/** One read of a value that is made when it is not there. */
export type ValueRead<T> = Policy &
  Pick<Lookup<T>, 'key' | 'dependencies' | 'load' | 'trace' | 'late' | 'onHit'> &
  Partial<Pick<Lookup<T>, 'codec' | 'label' | 'attended'>>;

const LABEL = 'value';

/**
 * Each entry depends on its own key's token as well. So `delete` and `set` win against a load of that key that is
 * under way anywhere: what it would store is stamped with the token's old stamp.
 */
export class Values {
  private readonly codec: Codec<unknown>;
  private readonly frozenCodec: Codec<unknown>;

  constructor(private readonly services: ValueServices) {
    const { serializer } = services;
    const decode = (payload: Buffer): unknown => serializer.decode(payload);
    // `undefined` says that there is no value.
    const encode = (value: unknown) => (value === undefined ? undefined : serializer.encode(value));
    this.codec = { encode, decode, near: nearValues(decode) };
    this.frozenCodec = { encode, decode: (payload) => frozen(decode(payload)), near: nearFrozen(decode) };
  }

  getOrSet<T>(read: ValueRead<T>): Promise<T> {
    return this.services.cache.getOrSet(this.lookupOf(read));
  }

  /** As `getOrSet`; what is kept in this process comes without a promise. */
  getOrSetNow<T extends object>(read: ValueRead<T>): T | Promise<T> {
    return this.services.cache.getOrSetNow(this.lookupOf(read));
  }

  private lookupOf<T>(read: ValueRead<T>): Lookup<T> {
    const { key, dependencies, codec = read.frozen ? this.frozenCodec : this.codec } = read;
    // Written out: a hit in the near cache costs about as much as it takes to spread an object.
    return {
      key: entryName(key),
      label: read.label ?? LABEL,
      dependencies: withToken(dependencies, this.ownToken(key)),
      codec: codec as Codec<T>,
      recorded: true,
      ttl: read.ttl,
      refill: read.refill,
      loadTimeout: read.loadTimeout,
      load: read.load,
      trace: read.trace,
      late: read.late,
      onHit: read.onHit,
      attended: read.attended ?? false,
    };
  }

  /** What the factory returns, as a hit would return it: the factory may still hold its own objects. */
  async frozen<T>(factory: () => T | Promise<T>): Promise<T> {
    const payload = this.codec.encode(await factory());
    return (payload && this.frozenCodec.decode(payload)) as T;
  }

  get<T = unknown>(key: string, codec?: Codec<T>): Promise<T | undefined> {
    const lookup = this.lookup(key);
    return this.services.cache.peek({ ...lookup, codec: codec ?? (lookup.codec as Codec<T>) });
  }

  async set(key: string, dependencies: Dependencies, policy: Policy, value: unknown): Promise<void> {
    // Before anything changes: a value that cannot be stored must not have removed the old one.
    this.codec.encode(value);
    await this.forget(key);
    await this.services.cache.put({ ...this.lookup(key, dependencies), ...policy }, value);
  }

  async delete(key: string): Promise<void> {
    const { cache, driver, invalidator } = this.services;
    await this.forget(key);
    const place = cache.place(entryName(key));
    // The entry is dead already; this only frees its memory, and the backend may fail at it.
    if (place !== undefined && !invalidator.silent) await driver.delete([place]).catch(() => undefined);
  }

  inspect(key: string): Promise<Inspection | undefined> {
    return this.services.cache.inspect(entryName(key), this.lookup(key).dependencies.tokens);
  }

  /** The keys of the values that depend on a token and are fresh. */
  async *keys(token: Token): AsyncGenerator<string> {
    const { cache, driver } = this.services;
    const before = cache.place(entryName(''));
    if (before === undefined) return;
    for await (const key of freshKeys(driver, token))
      if (key.startsWith(before)) yield key.slice(before.length);
  }

  private lookup(key: string, dependencies = NO_DEPENDENCIES) {
    return {
      key: entryName(key),
      label: LABEL,
      dependencies: withToken(dependencies, this.ownToken(key)),
      codec: this.codec,
      recorded: true,
    };
  }

  /** Now, and with the commit of a transaction around the call once more: others may fill from before it meanwhile. */
  private async forget(key: string): Promise<void> {
    const { invalidator } = this.services;
    const tokens = [this.ownToken(key)];
    await invalidator.restamp(tokens);
    invalidator.withCommit({ effects: [], tokens: new Set(tokens) });
  }

  private ownToken(key: string): string {
    return keyToken(this.services.cache.place(key) ?? key);
  }
}

const entryName = (key: string): string => `v:${key}`;
