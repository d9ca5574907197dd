import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as elapse } from 'node:timers/promises';
import { FileLockDriver } from '../../../lib/locks/drivers/file.lock-driver.js';
import type { LockDriverContract } from '../../../lib/testing/lock-driver.contract.js';
import { ownedName } from '../../support/servers/owner.mjs';

export const file: LockDriverContract = {
  async create() {
    const folder = await mkdtemp(join(tmpdir(), ownedName()));
    const [driver, other] = [new FileLockDriver({ folder }), new FileLockDriver({ folder })];
    return {
      driver,
      other,
      elapse,
      dispose: async () => {
        await Promise.all([driver.close(), other.close()]);
        await rm(folder, { recursive: true });
      },
    };
  },
};
