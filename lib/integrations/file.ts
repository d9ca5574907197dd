import { access, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import cacache from 'cacache';
import { CacheOpsConfigError } from '../cacheops.errors.js';
import type { EntryStore } from '../drivers/entry-store.interface.js';
import { type Duration, parseDuration, parseRecord } from '../options/parse.js';
import { removeEntry, sweepDirectory, type SweepReport } from './file.sweep.js';

export type { SweepReport } from './file.sweep.js';

export interface FileStoreOptions {
  /** Made if it is not there, for its owner only. Processes may share it. */
  readonly directory: string;
  /** Part of the keys; processes that share the directory must use the same. Default `'file'`. */
  readonly name?: string | undefined;
}

export interface SweepOptions {
  readonly minAge?: Duration | undefined;
}

/** A folder of its own: sweeping removes what it takes for rubbish. */
const FOLDER = 'cacheops-entries';

const NOTHING_THERE = new Set(['ENOENT', 'EINTEGRITY', 'EBADSIZE']);

/**
 * Entries in files, for `CacheOpsService.storedIn`. Any number of processes may write and read the directory, and be
 * killed while they do: what is read is a whole entry that was stored under this key, or nothing (cacache: content by
 * its hash, which is checked with every read; an index whose lines carry a hash of their own).
 *
 * Reading an entry that has run out does not remove it. `sweep`, or the command `cacheops sweep`, does: run it from time
 * to time, or the directory grows.
 */
export class FileStore implements EntryStore {
  readonly name: string;
  private readonly directory: string;
  private made: Promise<unknown> | undefined;

  /** @throws CacheOpsConfigError */
  constructor(options: FileStoreOptions) {
    const { directory, name = 'file' } = parseRecord('FileStore', options, ['directory', 'name']);
    if (typeof directory !== 'string' || directory === '')
      throw new CacheOpsConfigError('FileStore.directory', 'the path of a directory', directory);
    if (typeof name !== 'string' || name === '')
      throw new CacheOpsConfigError('FileStore.name', 'a text that is not empty', name);
    this.directory = join(directory, FOLDER);
    this.name = name;
  }

  async get(key: string): Promise<Buffer | undefined> {
    const entry = await cacache.get.info(this.directory, key);
    if (!entry || !isLive(entry)) return undefined;
    try {
      return await cacache.get.byDigest(this.directory, entry.integrity, { memoize: false });
    } catch (error) {
      // Swept since, or damaged.
      if (NOTHING_THERE.has((error as NodeJS.ErrnoException).code ?? '')) return undefined;
      throw error;
    }
  }

  async set(key: string, entry: Buffer, ttl: number): Promise<void> {
    this.made ??= mkdir(this.directory, { recursive: true, mode: 0o700 });
    await this.made;
    await cacache.put(this.directory, key, entry, { metadata: { expires: Date.now() + ttl } });
  }

  async delete(keys: readonly string[]): Promise<number> {
    const found = await Promise.all(
      keys.map(async (key) => {
        const entry = await cacache.get.info(this.directory, key);
        if (entry) await removeEntry(this.directory, key);
        return entry && isLive(entry) ? 1 : 0;
      }),
    );
    return found.reduce<number>((sum, each) => sum + each, 0);
  }

  /**
   * Frees what has run out, was replaced or deleted, and what killed processes have left. It may run beside readers and
   * writers: what they store meanwhile may be lost, which costs a miss. Nothing where nothing was stored.
   *
   * @param options `minAge`: bytes that are younger and belong to no entry are left alone, because a writer may be about
   * to make their entry. Default `'10m'`
   * @throws CacheOpsConfigError
   */
  async sweep(options: SweepOptions = {}): Promise<SweepReport> {
    const { minAge = '10m' } = parseRecord('sweep', options, ['minAge']);
    const age = parseDuration('sweep.minAge', minAge);
    return (await this.exists())
      ? sweepDirectory(this.directory, isLive, age)
      : { kept: 0, removed: 0, freed: 0 };
  }

  /** Whether anything was ever stored. */
  exists(): Promise<boolean> {
    return access(this.directory).then(
      () => true,
      () => false,
    );
  }
}

const isLive = (entry: { readonly metadata?: unknown }): boolean => {
  const { expires } = (entry.metadata ?? {}) as { readonly expires?: unknown };
  return typeof expires === 'number' && expires > Date.now();
};
