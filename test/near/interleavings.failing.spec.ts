import { jest } from '@jest/globals';
import { FaultyProxy } from '../drivers/faulty-proxy.js';
import { RedisPair } from '../support/redis-pair.js';
import { redisUrl, uniquePrefix } from '../support/redis.js';
import { startProcess } from './redis-process.js';

/* The known interleavings (see interleavings.spec.ts) in which Redis itself fails: with the whole way to it. */

const closing: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function start(url: string, mode: 'tracked' | 'checked', prefix: string, readTimeout?: number) {
  const process = await startProcess(url, { mode, prefix, ...(readTimeout ? { readTimeout } : {}) });
  closing.push(process.close);
  return process;
}

it('13. a replica is promoted that has not heard of the last invalidation', async () => {
  const pair = new RedisPair();
  await pair.start();
  closing.push(() => pair.close());
  const [reader, writer] = [await start(pair.url, 'tracked', 'p:'), await start(pair.url, 'tracked', 'p:')];
  let row = 'old';
  for (const process of [reader, writer]) expect(await process.read(() => row)).toBe('old');
  const back = [reader.back(), writer.back()];
  await pair.promote(() => writer.write(() => void (row = 'new')));
  for (const process of [reader, writer]) expect(await process.read(() => row)).toBe('new');
  await Promise.all(back);
  for (const process of [reader, writer]) expect(await process.read(() => row)).toBe('new');
});

it('18. Redis accepts what it is asked and never answers', async () => {
  const { hostname, port } = new URL(redisUrl());
  const proxy = new FaultyProxy({ host: hostname, port: Number(port) });
  await proxy.listen();
  closing.push(() => proxy.refuse());
  const reader = await start(`redis://127.0.0.1:${proxy.port}`, 'checked', uniquePrefix(), 50);
  expect(await reader.read(() => 'old')).toBe('old');
  proxy.hang();
  // Each of these comes from the database; nobody waits for the proxy, which hangs to the end.
  for (let i = 0; i < 3; i++) expect(await reader.read(() => `new ${i}`)).toBe(`new ${i}`);
  expect(reader.guard.available()).toBe(false);
  const asked = jest.spyOn(reader.inner, 'read');
  expect(await reader.read(() => 'newest')).toBe('newest');
  expect(asked).not.toHaveBeenCalled();
});
