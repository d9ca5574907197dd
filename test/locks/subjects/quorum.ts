import { setTimeout as elapse } from 'node:timers/promises';
import { RedisQuorumLockDriver } from '../../../lib/locks/drivers/redis-quorum.lock-driver.js';
import type { LockDriverContract } from '../../../lib/testing/lock-driver.contract.js';
import { ownServer } from '../../support/own-server.js';
import { uniquePrefix } from '../../support/redis.js';
import type { StartedServer } from '../../support/servers/find.mjs';
import { redis } from '../../support/servers/redis.mjs';

let masters: Promise<StartedServer[]> | undefined;

/** Three masters of the spec's own, started when they are needed. */
export const quorumMasters = (): Promise<StartedServer[]> =>
  (masters ??= Promise.all([ownServer(redis), ownServer(redis), ownServer(redis)]));

/** Belongs in `afterAll`. */
export async function stopQuorum(): Promise<void> {
  for (const { stop } of (await masters) ?? []) await stop();
}

/** @param killed which of them is dead meanwhile */
export const quorum = (killed?: number): LockDriverContract => ({
  async create() {
    const servers = await quorumMasters();
    if (killed !== undefined) await servers[killed]?.stop();
    const prefix = uniquePrefix();
    const urls = servers.map(({ url }) => url);
    const open = () => RedisQuorumLockDriver.create({ masters: urls, prefix, nodeTimeout: '1s' });
    const [driver, other] = await Promise.all([open(), open()]);
    return {
      driver,
      other,
      elapse,
      dispose: async () => void (await Promise.all([driver.close(), other.close()])),
    };
  },
});
