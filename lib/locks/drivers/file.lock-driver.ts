import { isAbsolute } from 'node:path';
import { CacheOpsConfigError } from '../../cacheops.errors.js';
import { RecordLockDriver } from './record-lock-driver.js';
import { FileRecords } from './file.records.js';

export interface FileLockDriverOptions {
  /**
   * Absolute path of a folder for nothing else, on a local disk; made if it is missing. Whoever is to be kept out uses
   * the same one. Not on a network file system.
   */
  readonly folder: string;
}

/**
 * Locks among the processes of one machine and one user, in a folder. Needs no server. A lock whose process ended
 * without releasing it is free at once where that can be seen (Linux, outside of other containers), and at the end of
 * its ttl elsewhere.
 */
export class FileLockDriver extends RecordLockDriver {
  /** @throws CacheOpsConfigError when `folder` is no absolute path */
  constructor({ folder }: FileLockDriverOptions) {
    if (typeof folder !== 'string' || !isAbsolute(folder)) {
      throw new CacheOpsConfigError('folder', 'an absolute path', folder);
    }
    super(
      {
        scope: 'host',
        fencing: true,
        ordering: 'none',
        wakeUp: 'poll',
        modes: ['exclusive', 'shared', 'semaphore'],
        resolution: 1,
        serverTime: true,
      },
      new FileRecords(folder),
    );
  }
}
