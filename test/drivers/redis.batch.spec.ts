import { once } from 'node:events';
import { setImmediate } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { WriteBatch } from '../../lib/drivers/redis.batch.js';
import { RedisDriver } from '../../lib/drivers/redis.driver.js';
import { dropPrefix, redisUrl, uniquePrefix } from '../support/redis.js';

class Socket {
  corked = 0;
  cork(): void {
    this.corked++;
  }
  uncork(): void {
    this.corked--;
  }
}

describe('batched writes', () => {
  it('cork a socket once until the turn ends', async () => {
    const batch = new WriteBatch();
    const socket = new Socket();
    batch.open(socket);
    batch.open(socket);
    expect(socket.corked).toBe(1);
    await Promise.resolve().then(() => batch.open(socket));
    await setImmediate();
    expect(socket.corked).toBe(0);
    batch.open(socket);
    expect(socket.corked).toBe(1);
    await setImmediate();
    expect(socket.corked).toBe(0);
  });

  it('leave no socket corked when the client changes sockets within the turn', async () => {
    const batch = new WriteBatch();
    const [old, next] = [new Socket(), new Socket()];
    for (const socket of [old, next, old, next]) batch.open(socket);
    await setImmediate();
    expect([old.corked, next.corked]).toEqual([0, 0]);
  });

  it('do without a socket', () => {
    expect(() => new WriteBatch().open(undefined)).not.toThrow();
  });

  it('send what is asked for together in one write, in order, with what the application sends', async () => {
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
      const replies = [driver.read('a', ['x']), client.echo('between'), driver.read('b', ['x'])];
      await Promise.all(replies);
      expect(writes).toHaveLength(1);
      const order = [`${prefix}e:a`, 'between', `${prefix}e:b`].map((text) => writes[0]?.indexOf(text));
      expect(order).toEqual([...order].sort((a, b) => Number(a) - Number(b)));
      expect(order).not.toContain(-1);
    } finally {
      await dropPrefix(client, prefix);
      await driver.close();
      client.disconnect();
    }
  });
});
