import { randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import { Mutex } from 'redis-semaphore';
import { systemClock, systemScheduler } from '../lib/core/clock.js';
import { acquireIdleScript } from '../lib/locks/drivers/redis.lock-acquire.js';
import { RedisLockDriver } from '../lib/locks/drivers/redis.lock-driver.js';
import { storedFor } from '../lib/locks/drivers/redis.lock-layout.js';
import { releaseUnwantedScript } from '../lib/locks/drivers/redis.lock-lease-scripts.js';
import { NO_LOCKABLE_ENTITIES, NO_TRANSACTIONS } from '../lib/locks/lock.ports.js';
import { LockService } from '../lib/locks/lock.service.js';
import { CommandCounter } from './counters.js';
import { openRedlock } from './redlock.mjs';

/** Milliseconds. */
const TTL = 10_000;
const WAIT = 60_000;

/** One way to take a lock in Redis, on a connection of its own. */
export interface Contender {
  readonly name: string;
  readonly commands: CommandCounter;
  /** Waits for the lock; resolves to what lets go of it. */
  acquire(name: string): Promise<() => Promise<unknown>>;
  close(): Promise<void>;
}

const COMPARE_AND_DELETE = `if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0`;

/** As short as a lock can be that does not release another's: no waiting. */
export async function bareLock(url: string): Promise<Contender> {
  const { client, commands } = connected(url);
  const release = (await client.script('LOAD', COMPARE_AND_DELETE)) as string;
  return {
    name: 'bare SET NX, compare and delete',
    commands,
    acquire: async (name) => {
      const owner = randomUUID();
      const set = await client.set(`bare:${name}`, owner, 'PX', TTL, 'NX');
      if (set === null) throw new Error(`${name} was not free`);
      return () => client.evalsha(release, 1, `bare:${name}`, owner);
    },
    close: async () => client.disconnect(),
  };
}

const QUEUE_UP = `
if redis.call('EXISTS', KEYS[1]) == 0 and redis.call('LLEN', KEYS[2]) == 0 then
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  return 1
end
redis.call('RPUSH', KEYS[2], ARGV[1])
return 0`;
const HAND_OVER = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
local next = redis.call('LPOP', KEYS[2])
if next then
  redis.call('SET', KEYS[1], next, 'PX', ARGV[2])
  redis.call('PUBLISH', ARGV[3], next)
else
  redis.call('DEL', KEYS[1])
end
return 1`;

/** As short as a line can be: nobody may die, be late, or give up. */
export async function bareLine(url: string): Promise<Contender> {
  const { client, commands } = connected(url);
  const listener = new Redis(url);
  const channel = 'bare:bus';
  const waiting = new Map<string, () => void>();
  listener.on('message', (_, owner) => waiting.get(owner)?.());
  await listener.subscribe(channel);
  const queueUp = (await client.script('LOAD', QUEUE_UP)) as string;
  const handOver = (await client.script('LOAD', HAND_OVER)) as string;
  return {
    name: 'bare line, handed over',
    commands,
    acquire: async (name) => {
      const owner = randomUUID();
      const [lock, line] = [`line:${name}`, `line:${name}:q`];
      const turn = new Promise<void>((resolve) => waiting.set(owner, resolve));
      if ((await client.evalsha(queueUp, 2, lock, line, owner, TTL)) === 0) await turn;
      waiting.delete(owner);
      return () => client.evalsha(handOver, 2, lock, line, owner, TTL, channel);
    },
    close: async () => {
      client.disconnect();
      listener.disconnect();
    },
  };
}

/** This package, as the module wires it. */
export async function lockService(url: string): Promise<Contender> {
  const { client, commands } = connected(url);
  const driver = await RedisLockDriver.create({ redis: client, prefix: 'bench:' });
  const locks = new LockService({
    open: async () => driver,
    defaults: { ttl: TTL, wait: WAIT },
    timeout: 1_000,
    entities: NO_LOCKABLE_ENTITIES,
    transactions: NO_TRANSACTIONS,
    clock: systemClock,
    scheduler: systemScheduler,
  });
  return {
    name: 'LockService',
    commands,
    acquire: async (name) => {
      const lock = await locks.acquire(name);
      return () => lock.release();
    },
    close: async () => {
      await locks.close();
      client.disconnect();
    },
  };
}

/** What of the time of `lockService` is Redis and its client: the same two scripts, sent by hand. */
export async function lockScripts(url: string): Promise<Contender> {
  const { client, commands } = connected(url);
  const [take, letGo] = [acquireIdleScript, releaseUnwantedScript];
  for (const { source } of [take, letGo]) await client.script('LOAD', source);
  return {
    name: 'the two scripts of LockService alone',
    commands,
    acquire: async (name) => {
      const key = `scripts:${name}`;
      const request = {
        names: [name],
        owner: randomUUID(),
        mode: 'exclusive',
        limit: 1,
        ttl: TTL,
        metadata: '',
      } as const;
      const granted = await client.evalsha(take.sha, 1, key, ...take.args(request));
      if (granted === null) throw new Error(`${name} was not free`);
      const stored = storedFor(request, granted as string);
      return () => client.evalsha(letGo.sha, 1, key, ...letGo.args({ names: [name], stored }));
    },
    close: async () => client.disconnect(),
  };
}

/** With its defaults, but for the number of attempts: it has to get the lock in the end. */
export async function redlock(url: string): Promise<Contender> {
  const { client, commands } = connected(url);
  const locks = openRedlock(client, { retryCount: 1_000 });
  return {
    name: 'redlock',
    commands,
    acquire: async (name) => {
      const lock = await locks.acquire([`redlock:${name}`], TTL);
      return () => lock.release();
    },
    close: async () => client.disconnect(),
  };
}

export async function redisSemaphore(url: string): Promise<Contender> {
  const { client, commands } = connected(url);
  return {
    name: 'redis-semaphore',
    commands,
    acquire: async (name) => {
      const mutex = new Mutex(client, name, { acquireTimeout: WAIT });
      await mutex.acquire();
      return () => mutex.release();
    },
    close: async () => client.disconnect(),
  };
}

function connected(url: string): { client: Redis; commands: CommandCounter } {
  const client = new Redis(url);
  return { client, commands: new CommandCounter(client) };
}
