/**
 * A place for entries that knows nothing of freshness: a cache of another library, files. It keeps bytes under keys,
 * and may lose them at any time. What it returns for a key must have been stored under that key, whole.
 */
export interface EntryStore {
  /** Part of the keys in the cache that say what is stale: stores of one application need different names. */
  readonly name: string;
  /** @returns `undefined` when there is nothing, or nothing any more */
  get(key: string): Promise<Buffer | undefined>;
  /** @param ttl milliseconds after which the entry is of no more use */
  set(key: string, entry: Buffer, ttl: number): Promise<void>;
  /** @returns how many there were, as far as the store can tell */
  delete(keys: readonly string[]): Promise<number>;
}
