// Whoever releases a lock gives it to the next in line. What may happen between that and the moment it hears of it.
import { Redis } from 'ioredis';
import { systemClock, type Clock } from '../../lib/core/clock.js';
import { RedisLockDriver } from '../../lib/locks/drivers/redis.lock-driver.js';
import type { LockRequest } from '../../lib/locks/lock-driver.interface.js';
import { dropPrefix, redisUrl, uniquePrefix } from '../support/redis.js';
import { inLine, request } from './requests.js';

/** A client whose news are held back as long as the gate is shut. */
class Gate {
  readonly client: Redis;
  readonly subscribers: Redis[] = [];
  readonly held: (() => void)[] = [];
  isShut = true;

  constructor(real: Redis) {
    this.client = Object.assign(Object.create(real) as Redis, {
      duplicate: (options: object) => this.#gated(real.duplicate(options)),
    });
  }

  /** Resolves when so many news have arrived. */
  async holds(count: number): Promise<void> {
    while (this.held.length < count) await new Promise((resolve) => setImmediate(resolve));
  }

  open(): void {
    this.isShut = false;
    for (const deliver of this.held.splice(0)) deliver();
  }

  #gated(subscriber: Redis): Redis {
    this.subscribers.push(subscriber);
    const on = subscriber.on.bind(subscriber) as (
      event: string,
      listener: (...args: unknown[]) => void,
    ) => Redis;
    const gated = (event: string, listener: (...args: unknown[]) => void): Redis =>
      on(
        event,
        event !== 'message'
          ? listener
          : (...args) => {
              if (this.isShut) this.held.push(() => listener(...args));
              else listener(...args);
            },
      );
    return Object.assign(subscriber, { on: gated });
  }
}

const prefix = uniquePrefix();
const client = new Redis(redisUrl());
let gate: Gate;
let near: RedisLockDriver;
/** Hears nothing before the gate is opened. */
let far: RedisLockDriver;
let ahead = 0;
const clock: Clock = { now: systemClock.now, monotonic: () => systemClock.monotonic() + ahead };

beforeEach(async () => {
  ahead = 0;
  gate = new Gate(client);
  near = await RedisLockDriver.create({ redis: redisUrl(), prefix });
  far = await RedisLockDriver.create({ redis: gate.client, prefix, clock });
});
afterEach(async () => {
  await Promise.all([near.close(), far.close()]);
  await dropPrefix(client, prefix);
});
afterAll(() => client.disconnect());

/** Resolves when so many stand in line, and all of them listen. */
async function listening(count: number): Promise<void> {
  for (;;) {
    const line = await client.hvals(`${prefix}w:{:a}`);
    if (line.length === count && line.every((entry) => entry.includes(` ${prefix}lock:`))) return;
  }
}

/** The lock, and somebody far who waits for it. */
async function contended(waiter: LockRequest, patience: { wait?: number; signal?: AbortSignal } = {}) {
  const held = request();
  await near.acquire(held);
  const turn = far.acquireInTurn(waiter, { wait: 60_000, ...patience });
  await listening(1);
  return { held, turn };
}
const holderOf = async (): Promise<string | undefined> => (await near.inspect('a')).holders[0]?.owner;

it('gives it in the release itself, with a greater token, and never leaves it free in between', async () => {
  const waiter = request();
  const { held, turn } = await contended(waiter);
  await near.release(held);
  expect(await holderOf()).toBe(waiter.owner);
  expect((await near.acquire(request())).granted).toBe(false);
  gate.open();
  const [holder] = (await near.inspect('a')).holders;
  expect(await turn).toMatchObject({ granted: true, fencingToken: holder?.fencingToken });
});

it('hands it on when the next one gives up before it hears that it has it', async () => {
  const control = new AbortController();
  const { held, turn } = await contended(request(), { signal: control.signal });
  const outcome = turn.catch((error: unknown) => error);
  const last = request();
  const lastTurn = near.acquireInTurn(last, { wait: 60_000 });
  await inLine(near, 2);
  await near.release(held);
  await gate.holds(1);
  const reason = new Error('enough');
  control.abort(reason);
  expect(await outcome).toBe(reason);
  expect((await lastTurn).granted).toBe(true);
  gate.open();
  expect(await holderOf()).toBe(last.owner);
});

it('finds the lease by a last look when the time is over before it hears of it', async () => {
  const { held, turn } = await contended(request(), { wait: 400 });
  await near.release(held);
  await gate.holds(1);
  const outcome = await turn;
  // Either way nothing is left behind: it has the lease, or has let go of it.
  if (outcome.granted) expect((await near.inspect('a')).holders).toHaveLength(1);
  else while ((await holderOf()) !== undefined) await client.ping();
});

it('asks, and finds the lease, when the news are lost with the connection', async () => {
  const waiter = request();
  const { held, turn } = await contended(waiter);
  await near.release(held);
  await gate.holds(1);
  gate.held.length = 0;
  for (const subscriber of gate.subscribers) subscriber.disconnect();
  expect((await turn).granted).toBe(true);
  expect(await holderOf()).toBe(waiter.owner);
});

it('does not believe news of an earlier grant of the same owner', async () => {
  const waiter = request();
  const { held, turn } = await contended(waiter);
  await near.release(held);
  await gate.holds(1);
  for (const subscriber of gate.subscribers) subscriber.disconnect();
  expect((await turn).granted).toBe(true);
  await far.release(waiter);
  const again = await contended(waiter);
  gate.open();
  let settled = false;
  void again.turn.then(() => (settled = true));
  expect((await near.inspect('a')).holders[0]?.owner).toBe(again.held.owner);
  // Its look after the old news: it still stands in line, in its place.
  await inLine(near, 1);
  expect(settled).toBe(false);
  await near.release(again.held);
  expect((await again.turn).granted).toBe(true);
});

it('counts the lease from when it began, not from when the news arrive', async () => {
  const { held, turn } = await contended(request({ ttl: 60_000 }));
  const before = clock.monotonic();
  await near.release(held);
  await gate.holds(1);
  const after = clock.monotonic();
  ahead = 50_000; // The process stood still.
  gate.open();
  const { validUntil } = (await turn) as { validUntil: number };
  expect(validUntil).toBeLessThanOrEqual(after + 60_000);
  expect(validUntil).toBeGreaterThan(before + 60_000 - 1_000);
});

it('lets all of a process ask again when the first of them finds that the line was lost', async () => {
  gate.open();
  await near.acquire(request({ ttl: 300 }));
  const first = far.acquireInTurn(request(), { wait: 60_000 });
  await listening(1);
  const second = far.acquireInTurn(request(), { wait: 60_000 });
  await listening(2);
  await dropPrefix(client, prefix);
  expect((await first).granted).toBe(true);
  await inLine(near, 1);
  await near.release({ names: ['a'], owner: (await holderOf()) ?? '' });
  expect((await second).granted).toBe(true);
});

it('keeps the keys of a name for as long as the lease of whoever is handed it, however long that is', async () => {
  const hours = 3_600_000;
  const first = request();
  await near.acquire(first);
  gate.open();
  const next = far.acquireInTurn(request({ ttl: 9 * hours }), { wait: 60_000 });
  await listening(1);
  await near.release(first);
  expect((await next).granted).toBe(true);
  for (const key of ['l', 'h']) expect(await client.pttl(`${prefix}${key}:{:a}`)).toBeGreaterThan(9 * hours);
});

it('ends the exclusive lease of an owner that asks for a shared one instead', async () => {
  const writer = request();
  await near.acquire(writer);
  // Somebody else has asked, so that the lease is not in its short form any more.
  await near.acquire(request());
  const reader = { ...writer, mode: 'shared' } as const;
  expect((await near.acquire(reader)).granted).toBe(true);
  expect((await near.acquire(request({ mode: 'shared' }))).granted).toBe(true);
  expect((await near.inspect('a')).holders.map(({ mode }) => mode)).toEqual(['shared', 'shared']);
});
