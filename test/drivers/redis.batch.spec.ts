import { once } from 'node:events';
import { setImmediate } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { WriteBatch } from '../../lib/drivers/redis.batch.js';
import { RedisDriver } from '../../lib/drivers/redis.driver.js';
import { dropPrefix, redisUrl, uniquePrefix } from '../support/redis.js';

class Socket {
  corked = 0;
  /** Commands in each write. */
  readonly writes: number[] = [];
  #held = 0;

  cork(): void {
    this.corked++;
  }

  uncork(): void {
    this.corked--;
    if (this.#held > 0) this.writes.push(this.#held);
    this.#held = 0;
  }

  write(): void {
    if (this.corked > 0) this.#held++;
    else this.writes.push(1);
  }
}

describe('batched writes', () => {
  it('send a command at once while the server has nothing to do, and the others by sixteen', async () => {
    const batch = new WriteBatch();
    const socket = new Socket();
    const send = (): void => {
      batch.begin(socket);
      socket.write();
    };
    send();
    expect(socket.writes).toEqual([1]);
    for (let i = 0; i < 20; i++) send();
    await Promise.resolve().then(send);
    expect(socket.writes).toEqual([1, 16]);
    await setImmediate();
    expect(socket.writes).toEqual([1, 16, 5]);
    send();
    send();
    await setImmediate();
    expect(socket.writes).toEqual([1, 16, 5, 2]);
    for (let i = 0; i < 24; i++) batch.end();
    send();
    expect(socket.writes).toEqual([1, 16, 5, 2, 1]);
    await setImmediate();
    expect(socket.corked).toBe(0);
  });

  it('let what the caller does next go first where nobody waits for the reply', async () => {
    const batch = new WriteBatch();
    const socket = new Socket();
    batch.begin(socket, true);
    socket.write();
    await Promise.resolve();
    expect(socket.writes).toEqual([]);
    // In the order in which they were sent.
    batch.begin(socket);
    socket.write();
    await setImmediate();
    expect(socket.writes).toEqual([2]);
    expect(socket.corked).toBe(0);
  });

  it('leave no socket corked when the client changes sockets within the turn', async () => {
    const batch = new WriteBatch();
    const [old, next] = [new Socket(), new Socket()];
    for (const socket of [old, old, next, next, old, old, next, next]) batch.begin(socket);
    await setImmediate();
    expect([old.corked, next.corked]).toEqual([0, 0]);
  });

  it('do without a socket', () => {
    expect(() => new WriteBatch().begin(undefined)).not.toThrow();
  });

  it('send what follows the first in one write, in order, with what the application sends', async () => {
    const client = new Redis(redisUrl());
    const prefix = uniquePrefix();
    const driver = await RedisDriver.create({ redis: client, prefix });
    try {
      await once(client, 'ready');
      const writes: string[] = [];
      const { stream } = client;
      const single = stream._write.bind(stream);
      const several = stream._writev!.bind(stream);
      stream._write = (chunk, encoding, done) => (writes.push(String(chunk)), single(chunk, encoding, done));
      stream._writev = (chunks, done) => (
        writes.push(chunks.map(({ chunk }) => String(chunk)).join('')),
        several(chunks, done)
      );
      const reads = ['a', 'b', 'c'].map((key) => `${prefix}e:${key}`);
      const replies = [
        driver.read('a', ['x']),
        driver.read('b', ['x']),
        client.echo('between'),
        driver.read('c', ['x']),
      ];
      await Promise.all(replies);
      expect(writes).toHaveLength(2);
      const sent = writes.join('');
      const order = [reads[0], reads[1], 'between', reads[2]].map((text) => sent.indexOf(text as string));
      expect(order).toEqual([...order].sort((a, b) => a - b));
      expect(order).not.toContain(-1);
    } finally {
      await dropPrefix(client, prefix);
      await driver.close();
      client.disconnect();
    }
  });
});
