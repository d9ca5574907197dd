import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { freePort, OwnRedis } from '../nest/redis-server.js';
import { BusProxy } from './bus-proxy.js';

/** A primary and its replica, and the address that leads to the primary of the moment. */
export class RedisPair {
  readonly proxy = new BusProxy();
  private primary!: OwnRedis;
  private replica!: OwnRedis;

  async start(): Promise<void> {
    const [first, second] = [await freePort(), await freePort()];
    const atOnce = ['--repl-diskless-sync-delay', '0'];
    this.primary = new OwnRedis(first, atOnce);
    this.replica = new OwnRedis(second, atOnce);
    await this.primary.start();
    await this.replica.start();
    await this.follow();
    this.proxy.target = first;
    await this.proxy.listen();
  }

  get url(): string {
    return `redis://127.0.0.1:${this.proxy.port}`;
  }

  /** Kills the primary, and starts it again, empty. */
  async restart(): Promise<void> {
    await this.primary.stop();
    await sleep(50);
    await this.primary.start();
  }

  /** The primary stands still for a while; its connections stay open. */
  async stop(ms: number): Promise<void> {
    this.primary.signal('SIGSTOP');
    await sleep(ms);
    this.primary.signal('SIGCONT');
  }

  /** Closes the connections that only listen. @returns how many there were */
  killSubscribers(): Promise<number> {
    return at(this.primary.port, async (client) =>
      Number(await client.call('CLIENT', 'KILL', 'TYPE', 'pubsub')),
    );
  }

  /**
   * The replica takes over, and the primary is gone. What was the primary comes back as the replica of the new one.
   * @param unheard what the primary is still told then, and the replica never hears of
   */
  async promote(unheard: () => Promise<unknown>): Promise<void> {
    await this.inStep();
    await at(this.replica.port, (client) => client.replicaof('NO', 'ONE'));
    await unheard();
    const old = this.primary;
    this.proxy.target = this.replica.port;
    await old.stop();
    this.proxy.cut();
    this.primary = this.replica;
    this.replica = old;
    await old.start();
    await this.follow();
  }

  async close(): Promise<void> {
    await this.proxy.close();
    await this.primary.remove();
    await this.replica.remove();
  }

  private async follow(): Promise<void> {
    await at(this.replica.port, (client) => client.replicaof('127.0.0.1', this.primary.port));
  }

  private async inStep(): Promise<void> {
    await at(this.replica.port, async (client) => {
      while (!(await client.info('replication')).includes('master_link_status:up')) await sleep(20);
    });
    await at(this.primary.port, (client) => client.wait(1, 5_000));
  }
}

async function at<T>(port: number, work: (client: Redis) => Promise<T>): Promise<T> {
  const client = new Redis(port, { disconnectTimeout: 100 });
  try {
    return await work(client);
  } finally {
    client.disconnect();
  }
}
