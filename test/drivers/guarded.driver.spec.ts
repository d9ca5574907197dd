import type { SettleRequest } from '../../lib/drivers/cache-driver.interface.js';
import type { ConnectedDriver, ConnectionEvent } from '../../lib/drivers/connected-driver.interface.js';
import { GuardedDriver } from '../../lib/drivers/guarded.driver.js';
import type { GuardOptions, GuardState } from '../../lib/drivers/guard.options.js';
import { MemoryDriver } from '../../lib/drivers/memory.driver.js';
import { ChaosDriver } from '../../lib/testing/chaos.driver.js';

const TTL = 60_000;
/** Long enough that a probe only comes when the test asks for one. */
const NEVER = 1_000_000;

function setUp(options: GuardOptions = {}) {
  const memory = new MemoryDriver();
  const chaos = new ChaosDriver(memory);
  const changes: GuardState[] = [];
  const guard = new GuardedDriver(chaos, {
    breaker: { failures: 3, cooldown: NEVER },
    onStateChange: (state) => changes.push(state),
    ...options,
  });
  return { memory, chaos, guard, changes };
}

const failed = { code: 'DRIVER' };
const state = async (driver: { read: MemoryDriver['read'] }, token: string) =>
  (await driver.read('', [token])).states[0];

describe('timeouts', () => {
  it('gives up a read that hangs, and only that one', async () => {
    const { chaos, guard } = setUp({ readTimeout: 10 });
    chaos.hang('read');
    const hung = guard.read('k', []);
    const served = guard.read('k', []);
    await expect(served).resolves.toEqual({ entry: undefined, states: [] });
    await expect(hung).rejects.toMatchObject(failed);
  });

  it('ignores a reply that comes after the timeout', async () => {
    const { chaos, guard } = setUp({ readTimeout: 5 });
    const barrier = chaos.hold('read');
    await expect(guard.read('k', [])).rejects.toMatchObject(failed);
    barrier.release();
    await expect(guard.read('k', [])).resolves.toBeDefined();
  });

  it('does not take a stall of the event loop for a slow backend', async () => {
    const { guard, chaos } = setUp({ readTimeout: 5 });
    const barrier = chaos.hold('read');
    const read = guard.read('k', []);
    await barrier.reached;
    // Timers come next from here.
    await new Promise((resolve) => setImmediate(resolve));
    // As a socket does it: the reply is delivered by the event loop after the timers.
    setImmediate(() => barrier.release());
    const end = performance.now() + 20;
    while (performance.now() < end);
    await expect(read).resolves.toBeDefined();
  });

  it('uses one timer for many operations', async () => {
    const { guard, chaos } = setUp({ readTimeout: 50 });
    const barriers = Array.from({ length: 100 }, () => chaos.hold('read'));
    const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
    const before = timers();
    const reads = barriers.map(() => guard.read('k', []));
    expect(timers() - before).toBeLessThanOrEqual(1);
    barriers.forEach((barrier) => barrier.release());
    await Promise.all(reads);
  });

  it.each(['pin', 'write', 'registries', 'read', 'states'] as const)(
    '%s rejects when the backend fails',
    async (method) => {
      const { chaos, guard } = setUp();
      chaos.fail(method);
      const calls = {
        read: () => guard.read('k', []),
        states: () => guard.states(['*']),
        pin: () => guard.pin({ tokens: ['*'], shapes: [], ttl: TTL }),
        write: () => guard.write({ key: 'k', entry: Buffer.alloc(1), tokens: [], stamps: [], ttl: TTL }),
        registries: () => guard.registries(['t']),
      };
      await expect(calls[method]()).rejects.toMatchObject(failed);
      expect(guard.available()).toBe(true);
    },
  );

  it.each(['readTimeout', 'writeTimeout', 'invalidationTimeout'])('refuses a %s of 0', (option) => {
    expect(() => new GuardedDriver(new MemoryDriver(), { [option]: 0 })).toThrow(option);
  });
});

describe('breaker', () => {
  it('stops the traffic after failures in a row and says so once', async () => {
    const { chaos, guard, changes } = setUp();
    chaos.fail('read', 3);
    for (let i = 0; i < 5; i++) await expect(guard.read('k', [])).rejects.toMatchObject(failed);
    expect(chaos.calls.read).toBe(3);
    expect(guard.available()).toBe(false);
    expect(changes).toEqual(['down']);
  });

  it('tells at once that what was read before is not to be relied on', async () => {
    const { chaos, guard } = setUp();
    let interrupted = 0;
    const end = guard.outages.watch(() => interrupted++);
    chaos.fail('settle', 2);
    await expect(guard.settle({ writer: 'w', tokens: ['g:x'], tables: [] })).rejects.toMatchObject(failed);
    expect(interrupted).toBe(1);
    await guard.probe();
    end();
    chaos.fail('read', 3);
    for (let i = 0; i < 3; i++) await expect(guard.read('k', [])).rejects.toMatchObject(failed);
    expect(interrupted).toBe(1);
  });

  it('counts only failures in a row', async () => {
    const { chaos, guard } = setUp();
    for (let i = 0; i < 3; i++) {
      chaos.fail('read', 2);
      await expect(guard.read('k', [])).rejects.toMatchObject(failed);
      await expect(guard.read('k', [])).rejects.toMatchObject(failed);
      await guard.read('k', []);
    }
    expect(guard.available()).toBe(true);
  });

  it('comes back by a probe, and says so once', async () => {
    const { chaos, guard, changes } = setUp();
    chaos.fail('read', 4);
    for (let i = 0; i < 3; i++) await expect(guard.read('k', [])).rejects.toMatchObject(failed);
    expect(await guard.probe()).toBe(false);
    expect(await guard.probe()).toBe(true);
    await guard.read('k', []);
    expect(changes).toEqual(['down', 'up']);
  });

  it('comes back by itself, without traffic', async () => {
    let up: () => void = () => undefined;
    const back = new Promise<void>((resolve) => (up = resolve));
    const { chaos, guard } = setUp({
      breaker: { failures: 1, cooldown: 5 },
      onStateChange: (change) => change === 'up' && up(),
    });
    chaos.fail('read', 3);
    await expect(guard.read('k', [])).rejects.toMatchObject(failed);
    await back;
    expect(chaos.calls.read).toBe(4);
  });

  it('does not trust a reply to what began before the backend went down', async () => {
    const { chaos, guard } = setUp();
    const barrier = chaos.hold('read');
    const early = guard.read('k', []);
    await barrier.reached;
    chaos.fail('restamp', 2);
    await expect(guard.restamp(['g:x'])).rejects.toMatchObject(failed);
    await guard.probe();
    barrier.release();
    await expect(early).rejects.toMatchObject(failed);
  });
});

describe('journal', () => {
  it('invalidates on return what could not be expired', async () => {
    const { chaos, guard, memory } = setUp();
    const tokens = ['g:x', 't:{a}', 't:{a}:'];
    await guard.pin({ tokens, shapes: [], ttl: TTL });
    chaos.fail('expire', 2);
    const expiry = { tokens: ['g:x', 't:{a}:'], registries: new Map([['a', '']]) };
    await expect(guard.expire(expiry)).rejects.toMatchObject(failed);
    await guard.probe();
    expect(await memory.states(tokens)).toEqual([undefined, undefined, undefined]);
  });

  it('tries an invalidation twice', async () => {
    const { chaos, guard } = setUp();
    chaos.fail('restamp');
    await guard.restamp(['g:x']);
    expect(chaos.calls.restamp).toBe(2);
    expect(guard.available()).toBe(true);
  });

  it('bypasses the cache from the first lost invalidation until it is delivered', async () => {
    const { chaos, guard, memory } = setUp();
    const [stamp] = await guard.pin({ tokens: ['g:x'], shapes: [], ttl: TTL });
    await guard.write({
      key: 'k',
      entry: Buffer.from('old'),
      tokens: ['g:x'],
      stamps: [stamp as string],
      ttl: TTL,
    });
    chaos.fail('restamp', 3);
    await expect(guard.restamp(['g:x'])).rejects.toMatchObject(failed);
    await expect(guard.read('k', ['g:x'])).rejects.toMatchObject(failed);
    await expect(guard.pin({ tokens: [], shapes: [], ttl: TTL })).rejects.toMatchObject(failed);
    expect(await guard.probe()).toBe(false);
    expect(guard.available()).toBe(false);
    expect(await state(memory, 'g:x')).toBe(stamp);
    expect(await guard.probe()).toBe(true);
    expect((await guard.read('k', ['g:x'])).states).toEqual([undefined]);
  });

  it('serves nothing before a probe under way has delivered', async () => {
    const { chaos, guard } = setUp();
    chaos.fail('restamp', 2);
    await expect(guard.restamp(['g:x'])).rejects.toMatchObject(failed);
    const barrier = chaos.hold('restamp');
    const probe = guard.probe();
    await barrier.reached;
    await expect(guard.read('k', [])).rejects.toMatchObject(failed);
    barrier.release();
    expect(await probe).toBe(true);
    await guard.read('k', []);
  });

  it('delivers what comes in while it delivers', async () => {
    const { chaos, guard, memory } = setUp();
    const [, second] = await memory.pin({ tokens: ['g:1', 'g:2'], shapes: [], ttl: TTL });
    chaos.fail('restamp', 2);
    await expect(guard.restamp(['g:1'])).rejects.toMatchObject(failed);
    const barrier = chaos.hold('restamp');
    const probe = guard.probe();
    await barrier.reached;
    await expect(guard.restamp(['g:2'])).rejects.toMatchObject(failed);
    expect(await state(memory, 'g:2')).toBe(second);
    barrier.release();
    expect(await probe).toBe(true);
    expect(await state(memory, 'g:2')).toBeUndefined();
  });

  it('takes back the mark of a pend whose reply was lost', async () => {
    const { chaos, guard, memory } = setUp();
    chaos.loseReply('pend', 2);
    const request = { writer: 'w', tokens: ['g:x'], registries: new Map([['t', '']]), ttl: TTL };
    await expect(guard.pend(request)).rejects.toMatchObject(failed);
    expect(await state(memory, 'g:x')).toBe('pending');
    await guard.probe();
    expect(await state(memory, 'g:x')).toBeUndefined();
  });

  it('restamps the table after a pend that was never checked against the registry', async () => {
    const { chaos, guard, memory } = setUp();
    const [table] = await memory.pin({ tokens: ['t:{t}'], shapes: [], ttl: TTL });
    expect(table).toBeDefined();
    chaos.fail('pend', 2);
    const request = { writer: 'w', tokens: ['g:x'], registries: new Map([['t', 'v']]), ttl: TTL };
    await expect(guard.pend(request)).rejects.toMatchObject(failed);
    await guard.probe();
    expect(await state(memory, 't:{t}')).toBeUndefined();
  });

  it('delivers settles and deletes, also those that came while it was down', async () => {
    const { chaos, guard, memory } = setUp();
    await memory.pend({ writer: 'w', tokens: ['g:x'], registries: new Map(), ttl: TTL });
    await memory.write({ key: 'k', entry: Buffer.from('v'), tokens: [], stamps: [], ttl: TTL });
    chaos.fail('settle', 2);
    const request: SettleRequest = { writer: 'w', tokens: ['g:x'], tables: [] };
    await expect(guard.settle(request)).rejects.toMatchObject(failed);
    await expect(guard.delete(['k'])).rejects.toMatchObject(failed);
    expect(chaos.calls.delete).toBe(0);
    await guard.probe();
    expect(await state(memory, 'g:x')).toBeUndefined();
    expect((await memory.read('k', [])).entry).toBeUndefined();
  });

  it('widens to everything when it gets too long', async () => {
    const { chaos, guard, memory } = setUp();
    await memory.pin({ tokens: ['*', 'g:0'], shapes: [], ttl: TTL });
    chaos.fail('restamp', 2);
    const many = Array.from({ length: 10_001 }, (_, i) => `g:${i}`);
    await expect(guard.restamp(many)).rejects.toMatchObject(failed);
    await guard.probe();
    expect(await state(memory, '*')).toBeUndefined();
    expect(chaos.calls.restamp).toBe(3);
  });
});

/** A connection that the test breaks, over a server that the test exchanges. */
class FakeConnection extends ChaosDriver implements ConnectedDriver {
  listener: (event: ConnectionEvent) => void = () => undefined;
  verified = 0;
  reconnects = 0;
  refuse = false;

  watch(listener: (event: ConnectionEvent) => void): () => void {
    this.listener = listener;
    return () => (this.listener = () => undefined);
  }

  async verify(): Promise<void> {
    this.verified++;
    if (this.refuse) throw new Error('away');
  }

  reconnect(): void {
    this.reconnects++;
  }
}

describe('connection', () => {
  const connect = (refuse = false) => {
    const connection = new FakeConnection(new MemoryDriver());
    connection.refuse = refuse;
    const changes: GuardState[] = [];
    const guard = new GuardedDriver(connection, {
      breaker: { cooldown: NEVER },
      onStateChange: (change) => changes.push(change),
    });
    return { connection, guard, changes };
  };

  it('serves nothing before the server is verified', async () => {
    const { connection, guard, changes } = connect();
    await expect(guard.read('k', [])).rejects.toMatchObject(failed);
    expect(await guard.probe()).toBe(true);
    expect(connection.verified).toBe(1);
    await guard.read('k', []);
    expect(changes).toEqual([]);
  });

  it('says that the server is away at the start', async () => {
    const { guard, changes, connection } = connect(true);
    expect(await guard.probe()).toBe(false);
    expect(await guard.probe()).toBe(false);
    expect(connection.reconnects).toBe(2);
    connection.refuse = false;
    expect(await guard.probe()).toBe(true);
    expect(changes).toEqual(['down', 'up']);
  });

  it('is down from the moment the connection is lost, and verifies the server when it is back', async () => {
    const { connection, guard, changes } = connect();
    await guard.probe();
    connection.listener('lost');
    await expect(guard.read('k', [])).rejects.toMatchObject(failed);
    expect(connection.calls.read).toBe(0);
    connection.listener('back');
    await guard.probe();
    expect(connection.verified).toBe(2);
    await guard.read('k', []);
    expect(changes).toEqual(['down', 'up']);
  });

  it('does not come up by a probe that the connection was lost under', async () => {
    const { connection, guard } = connect();
    await guard.probe();
    connection.listener('lost');
    const probe = guard.probe();
    connection.listener('lost');
    expect(await probe).toBe(false);
    expect(guard.available()).toBe(false);
  });

  it('stays down after close', async () => {
    const { connection, guard } = connect();
    await guard.probe();
    await guard.close();
    connection.listener('back');
    expect(await guard.probe()).toBe(false);
    await expect(guard.read('k', [])).rejects.toMatchObject(failed);
  });
});
