import { lstat, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import cacache from 'cacache';

/** What a sweep has done. */
export interface SweepReport {
  /** Entries that are still of use. */
  readonly kept: number;
  /** Entries that had run out. */
  readonly removed: number;
  /** Bytes that were freed. */
  readonly freed: number;
}

/** An entry of the index. */
export interface IndexEntry {
  readonly key: string;
  readonly path: string;
  readonly metadata?: unknown;
}

/**
 * Removes what is of no more use: entries that have run out, older lines of the index, and the bytes that no entry
 * points to. It may run beside anybody: a line that is written while its file is replaced is lost, and what it replaced
 * may come back, which is a miss or an entry with stamps of its own.
 *
 * Not `cacache.verify`, which reads all content, and removes the files that writers are about to put in place.
 *
 * @param isLive whether an entry is of use
 * @param age milliseconds: bytes that are younger may be about to be pointed to
 */
export async function sweepDirectory(
  directory: string,
  isLive: (entry: IndexEntry) => boolean,
  age: number,
): Promise<SweepReport> {
  const live = new Set<string>();
  let removed = 0;
  for await (const each of cacache.ls.stream(directory)) {
    const entry = each as unknown as IndexEntry;
    if (isLive(entry)) {
      live.add(entry.path);
      await cacache.index.compact(directory, entry.key, (one, other) => one.key === other.key);
    } else {
      removed++;
      await removeEntry(directory, entry.key);
    }
  }
  const before = Date.now() - age;
  let freed = 0;
  for (const folder of ['content-v2', 'tmp']) {
    for await (const file of filesOf(join(directory, folder))) {
      if (!live.has(file)) freed += await removeFile(file, before);
    }
  }
  return { kept: live.size, removed, freed };
}

/** Removes the file of the index, and not only adds a line that says so. */
export async function removeEntry(directory: string, key: string): Promise<void> {
  await remove(directory, key, { removeFully: true });
}

/** Its declaration lacks the options. */
const remove = cacache.rm.entry as (
  directory: string,
  key: string,
  options: { readonly removeFully: boolean },
) => Promise<unknown>;

async function* filesOf(folder: string): AsyncGenerator<string> {
  const found = await readdir(folder, { withFileTypes: true }).catch(ifThere);
  for (const each of found ?? []) {
    const path = join(folder, each.name);
    if (each.isDirectory()) yield* filesOf(path);
    else yield path;
  }
}

async function removeFile(file: string, before: number): Promise<number> {
  const found = await lstat(file).catch(ifThere);
  if (!found || found.mtimeMs > before) return 0;
  await rm(file, { force: true });
  return found.size;
}

/** What another sweep has removed already. */
function ifThere(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error;
}
