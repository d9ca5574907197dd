import { setTimeout as wait } from 'node:timers/promises';
import type { Cluster } from 'ioredis';
import type { BusSource } from '../../lib/drivers/bus.interface.js';
import type { CacheDriver } from '../../lib/drivers/cache-driver.interface.js';
import { RedisDriver } from '../../lib/drivers/redis.driver.js';
import { NearDriver } from '../../lib/near-cache/near.driver.js';
import { cacheDriverContract, type CacheDriverContract } from '../../lib/testing/cache-driver.contract.js';
import { RedisCluster } from '../support/redis-cluster.js';

/* What has one connection elsewhere has several here: the same contract, and a bus between the nodes. */

let servers: RedisCluster;
let client: Cluster;
let created = 0;

beforeAll(async () => {
  servers = await RedisCluster.start();
  client = servers.client();
});
afterAll(async () => {
  client.disconnect();
  await servers.stop();
});

/** Each prefix is a slot of its own, so that the nodes take turns. */
const create = (): Promise<RedisDriver> => RedisDriver.create({ redis: client, prefix: `{c${created++}}:` });

const onCluster: CacheDriverContract = {
  create: async () => {
    const driver = await create();
    return { driver, elapse: (ms) => wait(ms), dispose: () => driver.close() };
  },
};

const near: CacheDriverContract = {
  create: async () => {
    const { driver: inner, elapse } = await onCluster.create();
    const bus = inner as CacheDriver & BusSource;
    const driver = new NearDriver(inner, { maxBytes: 1_000_000, bus });
    return { driver, elapse, dispose: () => driver.close() };
  },
};

cacheDriverContract('redis cluster', onCluster);
cacheDriverContract('near redis cluster, tracked', near);

describe('the bus of a cluster', () => {
  it('is heard on every node, whichever one the keys are on', async () => {
    const counts = new Map<string, number>();
    for (let i = 0; i < 12; i++) {
      const driver = await create();
      const heard: string[] = [];
      let wake: () => void = () => undefined;
      const next = (text: string) =>
        new Promise<void>((resolve) => (wake = () => (heard.includes(text) ? resolve() : undefined)));
      const hear = (text: string): void => {
        heard.push(text);
        wake();
      };
      const joined = next('joined');
      const bus = driver.openBus(
        {
          joined: () => hear('joined'),
          invalidated: (tokens) => tokens.forEach((token) => token && hear(token)),
          lost: (reason) => hear(`lost: ${reason}`),
        },
        { maxLag: 3_600_000 },
      );
      await joined;
      const told = next('g:b');
      await driver.pend({ writer: 'w', tokens: ['g:a'], registries: new Map(), ttl: 60_000 });
      await driver.settle({ writer: 'w', tokens: ['g:a'], tables: [] });
      await driver.restamp(['g:b']);
      await told;
      expect(heard).toEqual(['joined', 'g:a', 'g:b']);
      await bus.close();
      const slot = await client.cluster('KEYSLOT', `{c${created - 1}}:bus`);
      const node = String(Math.floor(slot / 5_462));
      counts.set(node, (counts.get(node) ?? 0) + 1);
    }
    // The prefixes were on all of the nodes.
    expect(counts.size).toBe(3);
  });

  it('is told when a node ends the subscription', async () => {
    const driver = await create();
    const lost = new Promise((resolve) => {
      const joinedAgain = { count: 0 };
      const bus = driver.openBus(
        {
          joined: () => {
            if (joinedAgain.count++ > 0) resolve(bus.close());
            else void killSubscribers();
          },
          invalidated: () => undefined,
          lost: (reason) => expect(reason).toBe('disconnected'),
        },
        { maxLag: 3_600_000 },
      );
    });
    await lost;
  });
});

it('needs a hash tag in the prefix', async () => {
  await expect(RedisDriver.create({ redis: client, prefix: 'shop:' })).rejects.toThrow('{shop}:');
});

async function killSubscribers(): Promise<void> {
  for (const node of client.nodes('master')) await node.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
}
