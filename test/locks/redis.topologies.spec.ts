// The Redis driver on a real Cluster of three masters, behind real Sentinels, and with the other version of ioredis.
import { Cluster, Redis } from 'ioredis';
import { Redis as Redis6 } from 'ioredis6';
import { setTimeout as elapse } from 'node:timers/promises';
import { RedisLockDriver } from '../../lib/locks/drivers/redis.lock-driver.js';
import { lockDriverContract } from '../../lib/testing/lock-driver.contract.js';
import { ownServer } from '../support/own-server.js';
import { dropPrefix, redisUrl, uniquePrefix } from '../support/redis.js';
import type { StartedServer } from '../support/servers/find.mjs';
import { redis, sentinel } from '../support/servers/redis.mjs';
import { request } from './requests.js';

const portOf = ({ url }: StartedServer): number => Number(new URL(url).port);

describe('on a Cluster', () => {
  let servers: StartedServer[];
  const clusters: Cluster[] = [];
  const connect = (): Cluster => {
    const nodes = servers.map((server) => ({ host: '127.0.0.1', port: portOf(server) }));
    const cluster = new Cluster(nodes, { clusterRetryStrategy: () => 50 });
    cluster.on('error', () => undefined);
    clusters.push(cluster);
    return cluster;
  };

  beforeAll(async () => {
    const enabled = ['--cluster-enabled', 'yes', '--cluster-node-timeout', '2000'];
    servers = await Promise.all([0, 1, 2].map(() => ownServer(redis, ...enabled)));
    const nodes = servers.map(({ url }) => new Redis(url));
    for (const [i, node] of nodes.entries()) {
      await node.call(
        'CLUSTER',
        'ADDSLOTSRANGE',
        Math.ceil((16_384 * i) / 3),
        Math.ceil((16_384 * (i + 1)) / 3) - 1,
      );
      await node.call('CLUSTER', 'SET-CONFIG-EPOCH', i + 1);
      await nodes[0]?.call('CLUSTER', 'MEET', '127.0.0.1', portOf(servers[i] as StartedServer));
    }
    for (const node of nodes) {
      while (!String(await node.call('CLUSTER', 'INFO')).includes('cluster_state:ok')) await elapse(20);
      node.disconnect();
    }
  });
  afterAll(async () => {
    for (const cluster of clusters) cluster.disconnect();
    for (const { stop } of servers) await stop();
  });

  // Several names at once need a slot in common.
  lockDriverContract('redis, on a Cluster', {
    create: async () => {
      const prefix = `{${uniquePrefix()}}`;
      const [driver, other] = await Promise.all(
        [connect(), connect()].map((cluster) => RedisLockDriver.create({ redis: cluster, prefix })),
      );
      if (!driver || !other) throw new Error('no driver');
      const dispose = async () => void (await Promise.all([driver.close(), other.close()]));
      return { driver, other, elapse, dispose };
    },
  });

  it('spreads names over the slots, keeps those with a hash tag together, and wakes waiters up in any', async () => {
    const prefix = uniquePrefix();
    const [near, far] = await Promise.all(
      [connect(), connect()].map((cluster) => RedisLockDriver.create({ redis: cluster, prefix })),
    );
    if (!near || !far) throw new Error('no driver');
    for (const names of [...'abcdefgh'].map((name) => [name])) {
      const held = request({ names });
      await near.acquire(held);
      const turn = far.acquireInTurn(request({ names }), { wait: 20_000 });
      while ((await near.inspect(names[0] as string)).waiting === 0);
      await near.release(held);
      expect((await turn).granted).toBe(true);
    }
    const together = request({ names: ['{order}:1', '{order}:2'] });
    expect((await near.acquire(together)).granted).toBe(true);
    expect(await near.release(together)).toBe('released');
    await expect(near.acquire(request({ names: ['x', 'y'] }))).rejects.toThrow(/slot/i);
    const spread = [request({ names: ['p'], ttl: 5_000 }), request({ names: ['q'], ttl: 5_000 })];
    for (const each of spread) await near.acquire(each);
    expect(await near.renew(spread)).toEqual(['renewed', 'renewed']);
    await Promise.all([near.close(), far.close()]);
  });
});

describe('behind Sentinels', () => {
  it('goes on with the replica when the master dies, and gives a greater token', async () => {
    const master = await ownServer(redis);
    const replica = await ownServer(redis, '--replicaof', '127.0.0.1', String(portOf(master)));
    const watching = await Promise.all([0, 1, 2].map(() => ownServer(sentinel('locks', portOf(master), 2))));
    const eye = new Redis(watching[0]?.url ?? '');
    const known = async (): Promise<string> =>
      [
        await eye.call('SENTINEL', 'SLAVES', 'locks'),
        await eye.call('SENTINEL', 'SENTINELS', 'locks'),
      ].join();
    // Each has to know the replica and the two others.
    while (!(await known()).includes(String(portOf(replica))) || (await known()).split('runid').length < 4)
      await elapse(50);
    const sentinels = watching.map((server) => ({ host: '127.0.0.1', port: portOf(server) }));
    const driver = await RedisLockDriver.create({
      redis: { sentinels, name: 'locks' },
      prefix: uniquePrefix(),
    });
    const before = await driver.acquire(request());
    await master.stop();
    const lease = request({ names: ['b'] });
    let after = await driver.acquire(lease).catch(() => undefined);
    while (!after) {
      await elapse(50);
      after = await driver.acquire(lease).catch(() => undefined);
    }
    expect(after.granted && before.granted && (after.fencingToken ?? 0) > (before.fencingToken ?? 0)).toBe(
      true,
    );
    expect(await driver.release(lease)).toBe('released');
    await driver.close();
    eye.disconnect();
    for (const { stop } of [...watching, replica]) await stop();
  }, 60_000);
});

lockDriverContract('redis, with ioredis 6', {
  create: async () => {
    const prefix = uniquePrefix();
    const client = new Redis6(redisUrl());
    const driver = await RedisLockDriver.create({ redis: client, prefix });
    const other = await RedisLockDriver.create({ redis: redisUrl(), prefix });
    const dispose = async (): Promise<void> => {
      await Promise.all([driver.close(), other.close()]);
      await dropPrefix(client as unknown as Redis, prefix);
      client.disconnect();
    };
    return { driver, other, elapse, dispose };
  },
});
