import { EventEmitter } from 'node:events';
import { CacheOpsConfigError } from '../cacheops.errors.js';
import type { Dependency } from '../core/entity-dependency.js';
import { parseRecord } from '../options/parse.js';
import type { CacheOpsService } from '../service/cacheops.service.js';

export interface KeyvAdapterOptions {
  /**
   * Keys of Keyv that begin with it and a colon are this adapter's; `clear` forgets no others. Keyv sets it. Default
   * none.
   */
  readonly namespace?: string | undefined;
  /** Names by which `cacheOps.invalidate` reaches what is stored under a key (as the application gave it). */
  readonly tags?: ((key: string) => readonly string[]) | undefined;
  /** What a value was made from: when one of them changes it is gone. */
  readonly deps?: ((key: string) => readonly Dependency[]) | undefined;
}

/**
 * A store for Keyv, and so for cache-manager and the `CACHE_MANAGER` of Nest, over `CacheOpsService`: with its near
 * cache, its failure policy, tags, and `clear` in one command. Values without a time to live have that of the option
 * `ttl`. One adapter for each Keyv.
 */
export class KeyvAdapter extends EventEmitter {
  /** As Keyv wants it. */
  readonly opts: Record<string, unknown>;
  namespace: string | undefined;
  private readonly tags: (key: string) => readonly string[];
  private readonly deps: (key: string) => readonly Dependency[];

  /** @throws CacheOpsConfigError */
  constructor(
    private readonly cacheOps: CacheOpsService,
    options: KeyvAdapterOptions = {},
  ) {
    super();
    const { namespace, tags, deps } = parseRecord('KeyvAdapter', options, ['namespace', 'tags', 'deps']);
    if (namespace !== undefined && typeof namespace !== 'string')
      throw new CacheOpsConfigError('KeyvAdapter.namespace', 'a text', namespace);
    this.namespace = namespace;
    this.tags = byKey('tags', tags);
    this.deps = byKey('deps', deps);
    this.opts = { dialect: 'cacheops', ...options };
  }

  async get(key: string): Promise<unknown> {
    return this.cacheOps.get(nameOf(key));
  }

  getMany(keys: readonly string[]): Promise<unknown[]> {
    return Promise.all(keys.map((key) => this.get(key)));
  }

  /** @param ttl milliseconds */
  async set(key: string, value: unknown, ttl?: number): Promise<boolean> {
    const own = this.ownKey(key);
    await this.cacheOps.set(nameOf(key), value, {
      ttl: ttl === undefined || ttl <= 0 ? undefined : ttl,
      tags: [clearTag(this.namespace), ...this.tags(own)],
      deps: this.deps(own),
    });
    return true;
  }

  async has(key: string): Promise<boolean> {
    return (await this.get(key)) !== undefined;
  }

  /** @returns whether there was anything */
  async delete(key: string): Promise<boolean> {
    const existed = await this.has(key);
    await this.cacheOps.delete(nameOf(key));
    return existed;
  }

  async deleteMany(keys: readonly string[]): Promise<boolean> {
    const existed = await Promise.all(keys.map((key) => this.delete(key)));
    return existed.includes(true);
  }

  clear(): Promise<void> {
    return this.cacheOps.invalidate(clearTag(this.namespace));
  }

  /** The cache is closed with the application. */
  async disconnect(): Promise<void> {}

  private ownKey(key: string): string {
    const prefix = `${this.namespace ?? ''}:`;
    return key.startsWith(prefix) ? key.slice(prefix.length) : key;
  }
}

/** Apart from the keys of `getOrSet`. */
const nameOf = (key: string): string => `keyv:${key}`;

const clearTag = (namespace = ''): string => `keyv:${namespace}`;

function byKey<T>(option: string, value: unknown): (key: string) => readonly T[] {
  if (value === undefined) return () => [];
  if (typeof value === 'function') return value as (key: string) => readonly T[];
  throw new CacheOpsConfigError(`KeyvAdapter.${option}`, 'a function of the key', value);
}
