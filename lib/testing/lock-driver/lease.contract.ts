import { testGlobals } from '../globals.js';
import { LONG, type LockHarness } from './harness.js';

export function renewContract(harness: LockHarness): void {
  const { it, expect } = testGlobals();

  it('lets a lease that is renewed go on', async () => {
    const { lease, ttl } = await harness.inTime(async (name, ttl) => {
      const lease = await harness.hold(name, { ttl });
      expect(await harness.driver.renew([{ ...lease, ttl: LONG }])).toEqual(['renewed']);
      return { lease, ttl };
    });
    await harness.expire(ttl);
    expect((await harness.try(lease.names)).granted).toBe(false);
    expect(await harness.driver.release(lease)).toBe('released');
  });

  it('shortens a lease as well', async () => {
    const lease = await harness.hold('a');
    expect(await harness.driver.renew([{ ...lease, ttl: harness.short }])).toEqual(['renewed']);
    await harness.expire();
    expect((await harness.try('a')).granted).toBe(true);
  });

  it('never brings back a lease that is over', async () => {
    const lease = await harness.hold('a', { ttl: harness.short });
    await harness.expire();
    expect(await harness.driver.renew([{ ...lease, ttl: LONG }])).toEqual(['expired']);
    expect(await harness.isFree('a')).toBe(true);
  });

  it("does not touch another's lease", async () => {
    await harness.hold('a');
    const guessed = { names: ['a'], owner: 'somebody', ttl: harness.short };
    expect(await harness.driver.renew([guessed])).toEqual(['stolen']);
    await harness.expire();
    expect((await harness.try('a')).granted).toBe(false);
  });

  it('answers for many leases in their order', async () => {
    const gone = await harness.hold('gone', { ttl: harness.short });
    const stolen = await harness.hold('stolen', { ttl: harness.short });
    await harness.expire();
    await harness.hold('stolen');
    const kept = await harness.hold('kept');
    const several = await harness.hold(['x', 'y']);
    const leases = [stolen, kept, gone, several].map((lease) => ({ ...lease, ttl: LONG }));
    expect(await harness.driver.renew(leases)).toEqual(['stolen', 'renewed', 'expired', 'renewed']);
    expect(await harness.driver.renew([])).toEqual([]);
  });
}

export function releaseContract(harness: LockHarness): void {
  const { it, expect } = testGlobals();

  it("releases the owner's lease once", async () => {
    const lease = await harness.hold('a');
    expect(await harness.driver.release(lease)).toBe('released');
    expect(await harness.driver.release(lease)).toBe('expired');
  });

  it("does not release another's lease", async () => {
    await harness.hold('a');
    expect(await harness.other.release({ names: ['a'], owner: 'somebody' })).toBe('stolen');
    expect((await harness.try('a')).granted).toBe(false);
  });

  it('says what became of a lease that is over', async () => {
    const lease = await harness.hold('a', { ttl: harness.short });
    await harness.expire();
    expect(await harness.driver.release(lease)).toBe('expired');
    await harness.hold('a');
    expect(await harness.driver.release(lease)).toBe('stolen');
    expect((await harness.try('a')).granted).toBe(false);
  });

  it('releases on behalf of a holder from another connection', async () => {
    const lease = await harness.hold('a');
    expect(await harness.other.release(lease)).toBe('released');
    expect(await harness.isFree('a')).toBe(true);
  });
}

export function inspectContract(harness: LockHarness): void {
  const { it, expect } = testGlobals();

  it('shows who holds a name', async () => {
    expect(await harness.driver.inspect('a')).toEqual({ holders: [], waiting: 0 });
    const { owner, token } = await harness.hold('a', { ttl: 10_000, metadata: 'host 1 "ä"\n' });
    const [holder] = (await harness.other.inspect('a')).holders;
    const fencingToken = harness.driver.capabilities.fencing ? token : undefined;
    expect({ ...holder, remaining: 0 }).toEqual({
      owner,
      mode: 'exclusive',
      fencingToken,
      remaining: 0,
      metadata: 'host 1 "ä"\n',
    });
    const remaining = holder?.remaining ?? NaN;
    expect(remaining > 5_000 && remaining <= 10_000 + harness.driver.capabilities.resolution).toBe(true);
  });

  it('shows all that hold a name together', async () => {
    if (!harness.supports('shared')) return;
    const held = [await harness.hold('a', { mode: 'shared' }), await harness.hold('a', { mode: 'shared' })];
    const { holders } = await harness.driver.inspect('a');
    expect(holders.map(({ owner }) => owner).sort()).toEqual(held.map(({ owner }) => owner).sort());
    expect(holders.map(({ mode }) => mode)).toEqual(['shared', 'shared']);
  });
}

const WORKERS = 8;
const ROUNDS = 10;

export function exclusionContract(harness: LockHarness): void {
  const { it, expect } = testGlobals();

  it('keeps an unsynchronised counter right', async () => {
    let counter = 0;
    const tokens: number[] = [];
    const work = async (worker: number): Promise<void> => {
      const driver = worker % 2 ? harness.driver : harness.other;
      for (let done = 0; done < ROUNDS;) {
        const request = harness.request('counter');
        const reply = await driver.acquire(request);
        const seen = counter;
        await new Promise((resolve) => setImmediate(resolve));
        if (!reply.granted) continue;
        counter = seen + 1;
        tokens.push(reply.fencingToken ?? tokens.length);
        done++;
        await driver.release(request);
      }
    };
    await Promise.all(Array.from({ length: WORKERS }, (_, worker) => work(worker)));
    expect(counter).toBe(WORKERS * ROUNDS);
    expect(tokens).toEqual([...new Set(tokens)].sort((a, b) => a - b));
  });
}
