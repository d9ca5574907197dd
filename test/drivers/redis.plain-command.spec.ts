/*
 * Commands that are made here and sent by ioredis: they must be to it, to those who trace it, and to the server what its
 * own are. With both versions of ioredis.
 */
import { tracingChannel } from 'node:diagnostics_channel';
import { setImmediate } from 'node:timers/promises';
import * as ioredis5 from 'ioredis';
import * as ioredis6 from 'ioredis6';
import { MgetCall, ScriptCall } from '../../lib/drivers/redis.call.js';
import { RedisCalls } from '../../lib/drivers/redis.calls.js';
import type { RedisClient } from '../../lib/drivers/redis.client.js';
import { connectRedis } from '../../lib/drivers/redis.connection.js';
import { PlainCommand, takesPlainCommands } from '../../lib/drivers/redis.plain-command.js';
import { WriteBatch } from '../../lib/drivers/redis.batch.js';
import { defineScript } from '../../lib/drivers/redis.script.js';
import { dropPrefix, redisUrl, uniquePrefix } from '../support/redis.js';

type Client = ioredis5.Redis;
type Script = Parameters<typeof call>[0];

const prefix = uniquePrefix();

const scriptOf = (source: string, keys: string[] = [], args: (string | number | Buffer)[] = []) =>
  defineScript<void, unknown>({
    name: 'test',
    source,
    keys: () => keys,
    args: () => args,
    reply: (raw) => raw,
  });
const call = (script: ReturnType<typeof scriptOf>) =>
  new ScriptCall<void, unknown, unknown>(script, undefined, prefix, (reply) => reply);

describe.each([
  ['5', ioredis5],
  ['6', ioredis6 as unknown as typeof ioredis5],
])('ioredis %s', (_version, ioredis) => {
  let client: Client;
  let batch: WriteBatch & { readonly ended: () => number };

  beforeEach(() => {
    client = new ioredis.Redis(redisUrl());
    expect(takesPlainCommands(client, ioredis)).toBe(true);
    let ends = 0;
    batch = Object.assign(new WriteBatch(), { ended: () => ends, end: () => void ends++ });
  });
  afterEach(async () => {
    await dropPrefix(client, prefix);
    client.disconnect();
  });

  const asClient = (): RedisClient => client;
  const plainly = (script: Script): Promise<unknown> => {
    const command = new PlainCommand(call(script), asClient(), batch);
    client.sendCommand(command as never);
    return command.promise;
  };
  const byClient = async (script: Script): Promise<unknown> => {
    const made = call(script);
    return made.reply(await made.sendBy(asClient()));
  };

  it.each([
    ['a text', `return 'é€'`],
    ['a number', 'return 9007199254740991'],
    ['nothing', 'return nil'],
    ['a status', `return redis.status_reply('FINE')`],
    ['a list of all of them', `return { 1, 'two', { 'three', { 4 } }, false, '' }`],
  ])('replies with %s as to a command of its own', async (_what, source) => {
    const script = scriptOf(source);
    await client.script('LOAD', script.source);
    expect(await plainly(script)).toEqual(await byClient(script));
  });

  it('sends keys, numbers and bytes as they are', async () => {
    const bytes = Buffer.from([0, 255, 13, 10, 128]);
    const source = `redis.call('SET', KEYS[1], ARGV[1]) return { ARGV[2], #ARGV[1] }`;
    expect(await plainly(scriptOf(source, ['bytes'], [bytes, 12.5]))).toEqual(['12.5', 5]);
    expect(await client.getBuffer(`${prefix}bytes`)).toEqual(bytes);
    const mget = new PlainCommand(
      new MgetCall([`${prefix}bytes`, `${prefix}none`]),
      asClient(),
      new WriteBatch(),
    );
    client.sendCommand(mget as never);
    expect(await mget.promise).toEqual([bytes, null]);
  });

  it('gives a server that does not know the script its source', async () => {
    const script = scriptOf(`return '${prefix}${Math.random()}'`);
    const reply = await plainly(script);
    expect(await byClient(script)).toBe(reply);
  });

  it('fails as a command of its own does, and says which it was', async () => {
    const script = scriptOf(`return redis.error_reply('ODD it is')`);
    await client.script('LOAD', script.source);
    await expect(plainly(script)).rejects.toMatchObject({
      message: expect.stringContaining('ODD it is'),
      command: { name: 'evalsha', args: [script.sha, '0'] },
    });
    expect(batch.ended()).toBe(1);
  });

  it('fails when the reply cannot be understood', async () => {
    const script = defineScript<void, unknown>({
      ...scriptOf('return 1'),
      reply: () => {
        throw new Error('not understood');
      },
    });
    await client.script('LOAD', script.source);
    await expect(plainly(script)).rejects.toThrow('not understood');
  });

  it('fails when the connection breaks', async () => {
    const script = scriptOf('return 1');
    const frail = new ioredis.Redis(redisUrl(), {
      autoResendUnfulfilledCommands: false,
      retryStrategy: () => null,
    });
    await frail.script('LOAD', script.source);
    const command = new PlainCommand(call(script), frail, batch);
    frail.sendCommand(command as never);
    frail.stream.destroy();
    await expect(command.promise).rejects.toThrow(/closed|lost/i);
    expect(batch.ended()).toBe(1);
  });

  it('waits, as its own do, while the client is not connected yet', async () => {
    const script = scriptOf('return 1');
    const late = new ioredis.Redis(redisUrl());
    const command = new PlainCommand(call(script), late, batch);
    late.sendCommand(command as never);
    expect(await command.promise).toBe(1);
    late.disconnect();
  });

  it('is seen by those who replace what ends a command, as OpenTelemetry does', async () => {
    const seen: unknown[] = [];
    const send = client.sendCommand.bind(client) as (command: unknown) => unknown;
    client.sendCommand = ((command: PlainCommand<unknown>) => {
      const { resolve } = command;
      command.resolve = (raw) => {
        seen.push([command.name, command.args.length]);
        resolve(raw);
      };
      return send(command);
    }) as never;
    const script = scriptOf('return 1');
    await client.script('LOAD', script.source);
    seen.length = 0;
    expect(await plainly(script)).toBe(1);
    expect(seen).toEqual([['evalsha', 2]]);
  });

  it('is seen on the diagnostics channel of ioredis', async () => {
    const script = scriptOf('return 1');
    await client.script('LOAD', script.source);
    const seen: unknown[] = [];
    const channel = tracingChannel<unknown, { command: string }>('ioredis:command');
    const listeners = { asyncStart: ({ command }: { command: string }) => seen.push(command) };
    channel.subscribe(listeners as never);
    expect(await plainly(script)).toBe(1);
    await setImmediate();
    channel.unsubscribe(listeners as never);
    expect(seen).toEqual(['evalsha']);
  });

  it.each([
    { keyPrefix: 'app:' },
    { commandTimeout: 1_000 },
    { enableAutoPipelining: true },
    { showFriendlyErrorStack: true },
  ])('makes its own commands with the options %p', (options) => {
    const particular = new ioredis.Redis(redisUrl(), { ...options, lazyConnect: true });
    expect(takesPlainCommands(particular, ioredis)).toBe(false);
    particular.disconnect();
  });

  it.each(['evalsha', 'mgetBuffer'])('makes its own commands when %s is replaced', (method) => {
    const replaced = Object.assign(Object.create(client) as Client, { [method]: () => undefined });
    expect(takesPlainCommands(replaced, ioredis)).toBe(false);
  });
});

it('leaves the commands of other clients to them', async () => {
  const other = { mgetBuffer: async () => ['other'], evalsha: async () => 'other', status: 'ready' };
  const calls = new RedisCalls(await connectRedis(other), prefix);
  expect(await calls.run(scriptOf('return 1'), undefined)).toBe('other');
  expect(await calls.mget(['a'])).toEqual(['other']);
});
