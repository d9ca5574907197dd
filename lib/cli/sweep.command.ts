import { CacheOpsConfigError } from '../cacheops.errors.js';
import type { Command } from './command.js';

/** `cacheops sweep`: frees what has run out in the directory of a `FileStore`. */
export const sweepCommand: Command = {
  name: 'sweep',
  usage: `cacheops sweep --directory <path> [--min-age <duration>]
  Frees what has run out, was replaced or was left by killed processes in the directory of a FileStore. The application
  may go on meanwhile. Run it from time to time, or the directory grows.
  --directory    what FileStore was given
  --min-age      bytes that are younger and belong to no entry are left alone (10m)`,
  options: { directory: { type: 'string' }, 'min-age': { type: 'string' } },
  async run({ directory, 'min-age': minAge }, { out }) {
    const { FileStore } = await import('../integrations/file.js');
    const store = new FileStore({ directory: directory as string });
    if (!(await store.exists()))
      throw new CacheOpsConfigError('--directory', 'the directory of a FileStore that was used', directory);
    const { kept, removed, freed } = await store.sweep({ minAge: minAge as string | undefined });
    out(`removed ${removed} entries, freed ${freed} bytes, kept ${kept} entries`);
  },
};
