import type { LockRequest } from '../../locks/lock-driver.interface.js';
import { testGlobals } from '../globals.js';
import { LONG, type LockHarness } from './harness.js';

/** Declares tests for drivers with `wakeUp: 'push'`. */
const pushing =
  (harness: LockHarness) =>
  (name: string, body: () => Promise<void>): void =>
    testGlobals().it(name, async () => (harness.driver.capabilities.wakeUp === 'push' ? body() : undefined));

export function turnsContract(harness: LockHarness): void {
  const { it, expect } = testGlobals();
  const itPushes = pushing(harness);

  it('has acquireInTurn if it can wake up waiters, and only then', async () => {
    const pushes = harness.driver.capabilities.wakeUp === 'push';
    expect(typeof harness.driver.acquireInTurn === 'function').toBe(pushes);
  });

  itPushes('grants a free name at once', async () => {
    const turn = await harness.turn(harness.request('a'));
    expect(turn.granted).toBe(true);
    expect((await harness.try('a')).granted).toBe(false);
  });

  itPushes('serves waiters in the order of their arrival', async () => {
    const lease = await harness.hold('a');
    const requests = Array.from({ length: 8 }, () => harness.request('a'));
    const served: string[] = [];
    const tokens: (number | undefined)[] = [];
    const waits: Promise<void>[] = [];
    for (const [i, request] of requests.entries()) {
      waits.push(pass(harness, request, served, tokens));
      await harness.inLine('a', i + 1);
    }
    await harness.driver.release(lease);
    await Promise.all(waits);
    expect(served).toEqual(requests.map(({ owner }) => owner));
    expect(tokens).toEqual([...tokens].sort((x, y) => (x ?? 0) - (y ?? 0)));
    expect(await harness.isFree('a')).toBe(true);
  });

  itPushes('lets nobody overtake those in line', async () => {
    const lease = await harness.hold('a');
    const waiting = harness.turn(harness.request('a'));
    await harness.inLine('a', 1);
    expect((await harness.try('a')).granted).toBe(false);
    await harness.driver.release(lease);
    await waiting;
    expect((await harness.try('a')).granted).toBe(false);
  });
}

export function handOverContract(harness: LockHarness): void {
  const { expect } = testGlobals();
  const itPushes = pushing(harness);

  itPushes('hands over a lease that ran out', async () => {
    await harness.hold('a', { ttl: harness.short });
    const waiting = harness.turn(harness.request('a'));
    await harness.inLine('a', 1, waiting);
    await harness.expire();
    expect((await waiting).granted).toBe(true);
  });

  itPushes('hands over a lease that was shortened', async () => {
    const lease = await harness.hold('a');
    const waiting = harness.turn(harness.request('a'));
    await harness.inLine('a', 1);
    await harness.driver.renew([{ ...lease, ttl: harness.short }]);
    await harness.expire();
    expect((await waiting).granted).toBe(true);
  });

  itPushes('finds a lease that it was granted already', async () => {
    const request = harness.request('a');
    const first = await harness.driver.acquire(request);
    const turn = await harness.turn(request);
    expect({ ...turn, validUntil: 0 }).toEqual({ ...first, validUntil: 0 });
  });

  itPushes('waits for several names without deadlock', async () => {
    const names = ['a', 'b', 'c'];
    const served: string[] = [];
    const requests = Array.from({ length: 12 }, (_, i) =>
      harness.request([names[i % 3] as string, names[(i + 1) % 3] as string].sort()),
    );
    await Promise.all(requests.map((request) => pass(harness, request, served, [])));
    expect(served.length).toBe(requests.length);
    for (const name of names) expect(await harness.isFree(name)).toBe(true);
  });
}

export function leavingContract(harness: LockHarness): void {
  const { expect } = testGlobals();
  const itPushes = pushing(harness);

  itPushes('gives up when the time is over, and stands in line no more', async () => {
    const lease = await harness.hold('a');
    const impatient = harness.turn(harness.request('a'), { wait: harness.short });
    await harness.inLine('a', 1, impatient);
    await harness.expire();
    expect((await impatient).granted).toBe(false);
    await harness.inLine('a', 0);
    await harness.driver.release(lease);
    expect((await harness.try('a')).granted).toBe(true);
  });

  itPushes('gives up when it is told to, and lets the next one through', async () => {
    const lease = await harness.hold('a');
    const control = new AbortController();
    const aborted = harness
      .turn(harness.request('a'), { signal: control.signal })
      .catch((error: unknown) => error);
    await harness.inLine('a', 1);
    const patient = harness.turn(harness.request('a'));
    await harness.inLine('a', 2);
    const reason = new Error('enough');
    control.abort(reason);
    expect(await aborted).toBe(reason);
    await harness.inLine('a', 1);
    await harness.driver.release(lease);
    expect((await patient).granted).toBe(true);
  });

  itPushes('does not begin when it was told to give up before', async () => {
    const reason = new Error('enough');
    const outcome = harness.turn(harness.request('a'), { signal: AbortSignal.abort(reason) });
    expect(await outcome.catch((error: unknown) => error)).toBe(reason);
    expect(await harness.isFree('a')).toBe(true);
  });
}

export function sharedTurnsContract(harness: LockHarness): void {
  const { expect } = testGlobals();
  const itPushes = pushing(harness);

  itPushes('lets readers in together, but not past a writer in line', async () => {
    if (!harness.supports('shared')) return;
    const writer = await harness.hold('a');
    const readers = [1, 2].map(() => harness.request('a', { mode: 'shared' }));
    const first = readers.map((request) => harness.turn(request));
    await harness.inLine('a', 2);
    const second = harness.turn(harness.request('a'));
    await harness.inLine('a', 3);
    const late = harness.turn(harness.request('a', { mode: 'shared' }));
    await harness.inLine('a', 4);
    await harness.driver.release(writer);
    await Promise.all(first);
    expect((await harness.driver.inspect('a')).waiting).toBe(2);
    for (const reader of readers) await harness.driver.release(reader);
    expect((await second).granted).toBe(true);
    const { holders, waiting } = await harness.driver.inspect('a');
    expect({ modes: holders.map(({ mode }) => mode), waiting }).toEqual({ modes: ['exclusive'], waiting: 1 });
    await harness.driver.release({ names: ['a'], owner: holders[0]?.owner ?? '' });
    expect((await late).granted).toBe(true);
  });

  itPushes('fills a semaphore up from the line', async () => {
    if (!harness.supports('semaphore')) return;
    const permit = { mode: 'semaphore', limit: 2 } as const;
    const held = [await harness.hold('a', permit), await harness.hold('a', permit)] as const;
    const waiting = [1, 2].map(() => harness.turn(harness.request('a', permit)));
    await harness.inLine('a', 2);
    await harness.driver.release(held[0]);
    await harness.inLine('a', 1);
    await harness.driver.release(held[1]);
    await Promise.all(waiting);
    expect((await harness.driver.inspect('a')).holders.length).toBe(2);
  });
}

/** Waits for its turn, notes it, and lets the next one through. */
async function pass(
  harness: LockHarness,
  request: LockRequest,
  served: string[],
  tokens: (number | undefined)[],
): Promise<void> {
  const turn = await harness.turn(request, { wait: LONG });
  served.push(request.owner);
  tokens.push(turn.granted ? turn.fencingToken : undefined);
  await harness.driver.release(request);
}
