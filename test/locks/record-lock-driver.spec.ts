// What a store may do to the locks in it: see LockRecords.
import { HolderSet } from '../../lib/locks/drivers/holder-set.js';
import {
  type LockRecord,
  RecordLockDriver,
  type LockRecords,
} from '../../lib/locks/drivers/record-lock-driver.js';
import { request } from './requests.js';

/** `unsure`: it was replaced, but that is not known; `overtaken`: it was not, because somebody else was faster. */
type Fate = 'replaced' | 'unsure' | 'overtaken' | 'broken';

class Records implements LockRecords {
  now = 1_000_000;
  /** Of the next replacements. */
  readonly fates: Fate[] = [];
  private readonly stored = new Map<string, Omit<LockRecord, 'name'>>();

  async read(names: readonly string[]) {
    const records = names.map((name): LockRecord => {
      const { lock, lastToken } = this.stored.get(name) ?? { lock: new HolderSet(), lastToken: 0 };
      return { name, lastToken, lock: copyOf(lock) };
    });
    return { now: this.now, wallTime: this.now * 1_000, records };
  }

  async replace({ name, lock }: LockRecord, lastToken: number): Promise<boolean> {
    const fate = this.fates.shift() ?? 'replaced';
    if (fate === 'broken') throw new Error('broken');
    if (fate !== 'overtaken') this.stored.set(name, { lock: copyOf(lock), lastToken });
    return fate === 'replaced';
  }

  async close(): Promise<void> {}
}

function copyOf(lock: HolderSet): HolderSet {
  const copy = new HolderSet();
  for (const [owner, holder] of lock.holders) copy.holders.set(owner, holder);
  return copy;
}

let records: Records;
let driver: RecordLockDriver;
beforeEach(() => {
  records = new Records();
  driver = new RecordLockDriver(
    {
      scope: 'shared',
      fencing: true,
      ordering: 'none',
      wakeUp: 'poll',
      modes: ['exclusive', 'shared', 'semaphore'],
      resolution: 1,
      serverTime: true,
    },
    records,
  );
});

const isFree = async (name: string) => (await driver.inspect(name)).holders.length === 0;
const both = () => request({ names: ['a', 'b'] });

describe('a record that was replaced, which is not known', () => {
  it.each([
    [['unsure']],
    [['replaced', 'unsure']],
    [['unsure', 'overtaken', 'replaced', 'unsure']],
    [['replaced', 'overtaken', 'unsure', 'unsure']],
  ] as Fate[][][])('does not keep its owner from taking several names: %j', async (fates) => {
    const lease = both();
    records.fates.push(...fates);
    expect((await driver.acquire(lease)).granted).toBe(true);
    expect(records.fates).toEqual([]);
    expect((await driver.inspect('a')).holders).toEqual((await driver.inspect('b')).holders);
    expect(await driver.release(lease)).toBe('released');
  });

  it('is a release all the same', async () => {
    const lease = both();
    await driver.acquire(lease);
    records.fates.push('unsure', 'unsure');
    expect(await driver.release(lease)).toBe('released');
    expect(await driver.release(lease)).toBe('expired');
  });

  it('is a renewal all the same', async () => {
    const lease = both();
    await driver.acquire(lease);
    records.fates.push('replaced', 'unsure', 'overtaken');
    expect(await driver.renew([{ ...lease, ttl: 90_000 }])).toEqual(['renewed']);
    for (const name of lease.names) expect((await driver.inspect(name)).holders[0]?.remaining).toBe(90_000);
  });
});

describe('an attempt that broke in its middle', () => {
  it('does not keep its owner from trying again', async () => {
    const lease = both();
    records.fates.push('replaced', 'broken');
    await expect(driver.acquire(lease)).rejects.toThrow('broken');
    expect((await driver.acquire(lease)).granted).toBe(true);
  });

  it('leaves nothing behind when it is refused the next time', async () => {
    const lease = both();
    records.fates.push('replaced', 'broken');
    await expect(driver.acquire(lease)).rejects.toThrow('broken');
    await driver.acquire(request({ names: ['b'] }));
    expect((await driver.acquire(lease)).granted).toBe(false);
    expect(await isFree('a')).toBe(true);
  });
});

describe('a clock that goes back', () => {
  it('by a little changes nothing', async () => {
    await driver.acquire(request());
    records.now -= 900;
    expect((await driver.inspect('a')).holders[0]?.remaining).toBe(60_900);
  });

  it('by much lets no lease last for longer than it can, from the first look on', async () => {
    await driver.acquire(request());
    records.now -= 3_600_000;
    expect((await driver.inspect('a')).holders[0]?.remaining).toBe(60_000);
    records.now += 30_000;
    expect((await driver.inspect('a')).holders[0]?.remaining).toBe(30_000);
  });
});
