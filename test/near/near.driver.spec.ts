import { GuardedDriver } from '../../lib/drivers/guarded.driver.js';
import { MemoryDriver } from '../../lib/drivers/memory.driver.js';
import { NearDriver } from '../../lib/near-cache/near.driver.js';
import { ChaosDriver } from '../../lib/testing/chaos.driver.js';
import { ManualClock } from '../../lib/testing/manual-clock.js';
import { CODEC, Process, rowsWhere, TTL } from './process.js';

let backend: MemoryDriver;
const clock = new ManualClock();
const processes: Process[] = [];
const start = (options: ConstructorParameters<typeof Process>[1] = {}): Process => {
  const process = new Process(backend, { clock, ...options });
  processes.push(process);
  return process;
};
beforeEach(() => {
  backend = new MemoryDriver({ clock });
});
afterEach(async () => {
  for (const process of processes.splice(0)) await process.dispose();
});

const never = (): never => {
  throw new Error('the database was asked');
};

describe.each(['tracked', 'checked'] as const)('%s', (mode) => {
  const commands = mode === 'tracked' ? 0 : 1;

  it(`costs ${commands} commands a hit, also after its own fill`, async () => {
    const process = start({ mode });
    await process.read('1', () => 'one');
    for (let i = 0; i < 3; i++) {
      const before = process.commands;
      expect(await process.read('1', never)).toBe('one');
      expect([process.source, process.commands - before]).toEqual(['near', commands]);
    }
    expect(process.chaos.calls.states).toBe(3 * commands);
  });

  it('keeps what another process has filled', async () => {
    const [one, two] = [start({ mode }), start({ mode })];
    await one.read('1', () => 'one');
    expect([await two.read('1', never), two.source]).toEqual(['one', 'memory']);
    expect([await two.read('1', never), two.source]).toEqual(['one', 'near']);
  });

  it('is not served after a commit of this process, whatever became of the bus', async () => {
    const process = start({ mode });
    await process.read('1', () => 'old');
    await process.write(['1'], async () => {
      expect(await process.read('1', () => 'uncommitted')).toBe('uncommitted');
    });
    expect(await process.read('1', () => 'new')).toBe('new');
  });

  it('is not served after a commit of another process, once that is heard of', async () => {
    const [one, two] = [start({ mode }), start({ mode })];
    await one.read('1', () => 'old');
    // Its own first fill has made the registry of the table, and that is told as well.
    one.bus?.deliver();
    await one.read('1', () => 'old');
    await one.read('2', () => 'other');
    await two.write(['1']);
    one.bus?.deliver();
    expect(await one.read('1', () => 'new')).toBe('new');
    expect([await one.read('2', never), one.source]).toEqual(['other', 'near']);
  });

  it.each([
    ['tags', (process: Process) => process.invalidator.restamp(['g:x'])],
    ['everything', (process: Process) => process.invalidator.restamp(['*'])],
    [
      'what is to be expired',
      (process: Process) => process.driver.expire({ tokens: ['g:x'], registries: new Map() }),
    ],
  ])('is not served after an invalidation of %s', async (_, invalidate) => {
    const [one, two] = [start({ mode }), start({ mode })];
    const tagged = { dependencies: { tokens: ['*', 'g:x'], shapes: [] } };
    await one.read('1', () => 'old', tagged);
    await two.read('1', never, tagged);
    await invalidate(two);
    expect(await two.read('1', () => 'new', tagged)).toBe('new');
    one.bus?.deliver();
    expect(await one.read('1', never, tagged)).toBe('new');
  });

  it('is not served once it is deleted', async () => {
    const process = start({ mode });
    await process.read('1', () => 'old');
    await process.driver.delete(['rows:1']);
    expect(await process.read('1', () => 'new')).toBe('new');
  });

  it('ends with the entry, not with the time at which it came here', async () => {
    const [one, two] = [start({ mode }), start({ mode })];
    await one.read('1', () => 'old');
    clock.advance(TTL - 1_000);
    expect(await two.read('1', never)).toBe('old');
    clock.advance(1_001);
    expect(await two.read('1', () => 'new')).toBe('new');
  });

  it('does not live longer than the entry by a clock that is behind', async () => {
    const [one, two] = [start({ mode }), start({ mode, clock: new ManualClock(Date.UTC(2020, 0, 1)) })];
    await one.read('1', () => 'old');
    await two.read('1', never);
    (two.clock as ManualClock).advance(TTL);
    clock.advance(TTL);
    expect(await two.read('1', () => 'new')).toBe('new');
  });

  it('hands out objects of its own each time', async () => {
    const process = start({ mode });
    const value = () => ({ rows: [{ at: new Date(1), tags: ['a'] }] });
    const results = [];
    for (let i = 0; i < 4; i++) results.push(await process.read('1', value));
    expect(process.source).toBe('near');
    for (const result of results) {
      expect(result).toEqual(value());
      result.rows[0]?.tags.push('spoiled');
      result.rows[0]?.at.setTime(0);
    }
    expect(await process.read('1', value)).toEqual(value());
  });

  it('gives nothing to a reader that depends on more than what is kept', async () => {
    const process = start({ mode });
    await process.read('1', () => 'old');
    expect(await process.read('1', () => 'new', { dependencies: rowsWhere('2') })).toBe('new');
  });

  it('gives nothing to a reader past the cache', async () => {
    const process = start({ mode });
    await process.read('1', () => 'old');
    expect(await process.context.withoutCache(() => process.read('1', () => 'new'))).toBe('new');
  });

  it('does not serve a value that cannot be read, and does not fail', async () => {
    const process = start({ mode });
    await process.read('1', () => 'old');
    const near = { open: () => never(), make: () => never() };
    expect(await process.read('1', () => 'new', { codec: { ...CODEC, near } })).toBe('old');
    expect(process.events).toContainEqual(expect.objectContaining({ type: 'error', operation: 'decode' }));
  });

  it('serves what has to be decoded each time', async () => {
    const process = start({ mode });
    const value = () => new Map([['a', new Set([1])]]);
    await process.read('1', value);
    for (let i = 0; i < 3; i++) {
      const result = await process.read<Map<string, Set<number>>>('1', never);
      expect(result).toEqual(value());
      result.clear();
    }
    expect(process.source).toBe('near');
  });

  it('is forgotten when the backend goes away', async () => {
    const chaos = new ChaosDriver(backend);
    const guarded = new GuardedDriver(chaos, { breaker: { failures: 1, cooldown: 3_600_000 } });
    const losses: string[] = [];
    const driver = new NearDriver(guarded, {
      maxBytes: 1_000_000,
      bus: mode === 'tracked' ? backend : undefined,
      onClear: (reason) => losses.push(reason),
    });
    const stamps = (await driver.pin({ tokens: ['*'], shapes: [], ttl: TTL })) as string[];
    const source = start();
    await source.read('1', () => 'v');
    await driver.read('rows:1', rowsWhere('1').tokens);
    expect([driver.near.stats().entries, stamps.length]).toEqual([1, 1]);
    chaos.fail('settle', 2);
    await expect(driver.settle({ writer: 'w', tokens: [], tables: [] })).rejects.toThrow();
    expect(driver.near.stats()).toMatchObject({ entries: 0, clears: 1 });
    expect(losses).toEqual(['interrupted']);
    await guarded.close();
  });
});

describe('tracked: what the bus tells', () => {
  it('uses a reply that was overtaken once, and does not keep it', async () => {
    const [reader, writer] = [start(), start()];
    await writer.read('1', () => 'old');
    const barrier = reader.chaos.holdReply('read');
    const read = reader.read('1', () => 'new');
    await barrier.reached;
    await writer.write(['1']);
    reader.bus?.deliver();
    barrier.release();
    expect(await read).toBe('old');
    expect(await reader.read('1', () => 'new')).toBe('new');
  });

  it('keeps a reply that overtakes the bus until the bus arrives', async () => {
    const [reader, writer] = [start(), start()];
    await writer.read('1', () => 'old');
    const barrier = reader.chaos.holdReply('read');
    const read = reader.read('1', never);
    await barrier.reached;
    await writer.write(['1']);
    barrier.release();
    expect(await read).toBe('old');
    // The bound: until the message arrives, and no longer.
    expect([await reader.read('1', never), reader.source]).toEqual(['old', 'near']);
    reader.bus?.deliver();
    expect(await reader.read('1', () => 'new')).toBe('new');
  });

  it('does not keep its own fill when it was overtaken', async () => {
    const [reader, writer] = [start(), start()];
    const barrier = reader.chaos.holdReply('write');
    const read = reader.read('1', () => 'old');
    await barrier.reached;
    await writer.write(['1']);
    reader.bus?.deliver();
    barrier.release();
    await read;
    expect(await reader.read('1', () => 'new')).toBe('new');
  });

  it('does not keep what was read while it did not hear', async () => {
    const [reader, writer] = [start(), start()];
    await writer.read('1', () => 'old');
    reader.bus?.lose();
    await reader.read('1', never);
    await reader.read('1', never);
    expect(reader.source).toBe('memory');
    reader.bus?.rejoin();
    await reader.read('1', never);
    await reader.read('1', never);
    expect(reader.source).toBe('near');
  });

  it('does not keep a reply across a loss', async () => {
    const [reader, writer] = [start(), start()];
    await writer.read('1', () => 'old');
    const barrier = reader.chaos.holdReply('read');
    const read = reader.read('1', never);
    await barrier.reached;
    await writer.write(['1']);
    reader.bus?.lose();
    reader.bus?.rejoin();
    barrier.release();
    await read;
    expect(await reader.read('1', () => 'new')).toBe('new');
  });

  it('forgets everything before it serves anything after a loss', async () => {
    const losses: string[] = [];
    const [reader, writer] = [start({ onClear: (reason) => losses.push(reason) }), start()];
    await reader.read('1', () => 'old');
    await writer.write(['1']);
    reader.bus?.lose('gap');
    expect(await reader.read('1', () => 'new')).toBe('new');
    expect(losses).toEqual(['gap']);
  });

  it('asks the backend about what a load reads: its stamps may be newer than what was heard of', async () => {
    const [reader, writer] = [start(), start()];
    let row = 'old';
    await reader.read('1', () => row);
    reader.bus?.deliver();
    await reader.read('1', () => row);
    await reader.read('1', never);
    await writer.write(['1'], () => void (row = 'new'));
    // Depends on the same rows, and is made of what a read of them returns. The message has not arrived.
    const outer = () =>
      reader.read('sum', () => reader.read('1', () => row), { dependencies: rowsWhere('1') });
    expect([await reader.read('1', never), reader.source]).toEqual(['old', 'near']);
    expect(await outer()).toBe('new');
    reader.bus?.deliver();
    expect(await outer()).toBe('new');
    expect(await writer.read('sum', never, { dependencies: rowsWhere('1') })).toBe('new');
  });

  it('makes what it serves inside a load part of what the value depends on', async () => {
    const [reader, writer] = [start(), start()];
    const load = () => reader.read('1', () => 'old');
    await load();
    reader.bus?.deliver();
    await load();
    await load();
    const options = { dependencies: { tokens: ['*'], shapes: [] }, recorded: true, trace: 'exact' as const };
    await reader.read('traced', load, options);
    expect(reader.source).toBe('near');
    await writer.write(['1']);
    reader.bus?.deliver();
    expect(await writer.read('traced', () => 'new', options)).toBe('new');
  });

  it('asks the backend about each hit while nobody vouches for the bus', async () => {
    const [reader, writer] = [start(), start()];
    await reader.read('1', () => 'old');
    await reader.read('2', () => 'other');
    await writer.write(['1']);
    (reader.bus as { validUntil: number }).validUntil = clock.monotonic();
    const before = reader.commands;
    expect([await reader.read('2', never), reader.source]).toEqual(['other', 'near']);
    expect(reader.commands - before).toBe(1);
    expect(await reader.read('1', () => 'new')).toBe('new');
  });

  it('hears of a table whose registry was lost and made again by others', async () => {
    const [reader, writer] = [start(), start()];
    await reader.read('1', () => 'old');
    const forgetful = backend as unknown as { tables: { drop(table: string): void } };
    forgetful.tables.drop('item');
    // Whoever makes the registry does not know of readers by `a`, and neither do those who write from now on.
    await writer.read('b', () => 'v', { key: 'by b', dependencies: rowsWhere('1', 'b') });
    reader.bus?.deliver();
    expect(await reader.read('1', () => 'new')).toBe('new');
  });
});

describe('a backend that fails', () => {
  it('costs a hit no more than a load', async () => {
    const process = start({ mode: 'checked' });
    await process.read('1', () => 'old');
    process.chaos.fail('states');
    const before = process.commands;
    expect(await process.read('1', () => 'new')).toBe('new');
    expect(process.commands - before).toBe(1);
  });

  it('kills here what it may have killed there', async () => {
    const process = start();
    await process.read('1', () => 'old');
    process.chaos.loseReply('restamp');
    await process.invalidator.restamp(['t:{item}']);
    expect(await process.read('1', () => 'new')).toBe('new');
  });
});

describe('what it is told', () => {
  it.each([
    ['maxBytes', { maxBytes: 0 }],
    ['maxLag', { maxBytes: 1, maxLag: -1 }],
  ])('refuses a bad %s', (option, options) => {
    expect(() => new NearDriver(backend, { bus: backend, ...options })).toThrow(`near.${option}`);
  });

  it('keeps nothing once it is closed, and hears nothing', async () => {
    const process = start();
    await process.read('1', () => 'old');
    process.bus?.deliver();
    await process.driver.close();
    expect(process.driver.near.get('rows:1')).toBeUndefined();
    await backend.restamp(['g:x']);
    expect(process.bus?.held).toEqual([]);
  });
});
