import { setTimeout as sleep } from 'node:timers/promises';
import { Cluster, Redis } from 'ioredis';
import { freePort, OwnRedis } from '../nest/redis-server.js';

const SLOTS = 16_384;
const NODES = 3;
const ENABLED = ['--cluster-enabled', 'yes', '--cluster-node-timeout', '2000'];

/** A Redis Cluster of three masters, from the binary of the system. */
export class RedisCluster {
  private constructor(private readonly servers: readonly OwnRedis[]) {}

  static async start(): Promise<RedisCluster> {
    const servers: OwnRedis[] = [];
    for (let i = 0; i < NODES; i++) servers.push(new OwnRedis(await freePort(), ENABLED));
    const cluster = new RedisCluster(servers);
    await Promise.all(servers.map((server) => server.start()));
    await cluster.join();
    return cluster;
  }

  get nodes(): { host: string; port: number }[] {
    return this.servers.map(({ port }) => ({ host: '127.0.0.1', port }));
  }

  client(): Cluster {
    return new Cluster(this.nodes, { redisOptions: { disconnectTimeout: 100 } });
  }

  async stop(): Promise<void> {
    for (const server of this.servers) await server.remove();
  }

  private async join(): Promise<void> {
    const clients = this.servers.map(({ port }) => new Redis(port, { disconnectTimeout: 100 }));
    const share = Math.ceil(SLOTS / NODES);
    for (const [i, client] of clients.entries()) {
      const last = Math.min(SLOTS, (i + 1) * share) - 1;
      await client.call('CLUSTER', 'ADDSLOTSRANGE', String(i * share), String(last));
      // Each node must know who it is before it hears of the others.
      await client.call('CLUSTER', 'SET-CONFIG-EPOCH', String(i + 1));
    }
    for (const { port } of this.servers.slice(1)) await clients[0]?.cluster('MEET', '127.0.0.1', port);
    for (const client of clients) {
      while (!(await knowsAll(client))) await sleep(20);
      client.disconnect();
    }
  }
}

async function knowsAll(client: Redis): Promise<boolean> {
  const info = String(await client.cluster('INFO'));
  return /cluster_state:ok/.test(info) && new RegExp(`cluster_known_nodes:${NODES}`).test(info);
}
