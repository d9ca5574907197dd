import { EVERYTHING } from '../../lib/core/token.js';
import { ManualClock } from '../../lib/testing/manual-clock.js';
import { BACKENDS, type TestBackend } from './backends.js';
import { Process, TABLE, TTL, rowsWhere } from './process.js';

/*
 * Orders of events that made other caches serve stale values, under the numbers that our list of them has (that
 * none is missing is seen by interleavings.coverage.spec.ts). Each process has a near cache; the backend is one for
 * all. Those that need TypeORM or a server that fails have files of their own.
 */

const tagged = { dependencies: { tokens: [EVERYTHING, 'g:x'], shapes: [] } };
const BARRIER = 'g:barrier';

describe.each(BACKENDS)('on %s', (_name, createBackend) => {
  let backend: TestBackend;
  let clock: ManualClock;
  const processes: Process[] = [];
  /** A process that is in step with the bus. */
  const start = async (at = clock): Promise<Process> => {
    const process = new Process(backend.driver, { clock: at });
    processes.push(process);
    await process.bus?.joined;
    return process;
  };
  /** Everybody hears of what was invalidated so far. */
  const heard = async (): Promise<void> => {
    const told = processes.flatMap(({ bus }) => (bus ? [bus.tells(BARRIER)] : []));
    await backend.driver.restamp([BARRIER]);
    await Promise.all(told);
    for (const process of processes) process.bus?.deliver();
  };

  beforeEach(async () => {
    clock = new ManualClock();
    backend = await createBackend(clock);
  });
  afterEach(async () => {
    for (const process of processes.splice(0)) await process.dispose();
    await backend.dispose();
  });

  it('1. read nothing, insert, invalidate, store nothing', async () => {
    const [reader, writer] = [await start(), await start()];
    let rows: string[] = [];
    const barrier = reader.chaos.hold('write');
    const read = reader.read('1', () => [...rows]);
    await barrier.reached;
    await writer.write(['1'], () => void (rows = ['inserted']));
    barrier.release();
    expect(await read).toEqual([]);
    await heard();
    for (const process of [reader, writer]) expect(await process.read('1', () => rows)).toEqual(['inserted']);
  });

  it('2. a writer looks at the index, a reader enters itself, the writer invalidates what it saw', async () => {
    const [reader, writer] = [await start(), await start()];
    let row = 'old';
    await reader.read('other', () => 'v', { dependencies: rowsWhere('1', 'b') });
    await writer.write(['none']);
    const barrier = writer.chaos.hold('pend');
    const write = writer.write(['1'], () => void (row = 'new'));
    await barrier.reached;
    await reader.read('1', () => row);
    barrier.release();
    await write;
    await heard();
    for (const process of [reader, writer]) expect(await process.read('1', () => row)).toBe('new');
  });

  it('3. a value is stored, and no index knows of it', async () => {
    const [reader, writer] = [await start(), await start()];
    let row = 'old';
    const barrier = reader.chaos.hold('write');
    const read = reader.read('1', () => row);
    await barrier.reached;
    await backend.forgetRegistry(TABLE);
    barrier.release();
    await read;
    await writer.write(['1'], () => void (row = 'new'));
    await heard();
    expect(await reader.read('1', () => row)).toBe('new');
  });

  it('4. the index is evicted before the value, and made again by others', async () => {
    const [reader, other, writer] = [await start(), await start(), await start()];
    let row = 'old';
    await reader.read('1', () => row);
    await backend.forgetRegistry(TABLE);
    await other.read('b', () => 'v', { key: 'b', dependencies: rowsWhere('1', 'b') });
    await writer.write(['1'], () => void (row = 'new'));
    await heard();
    expect(await reader.read('1', () => row)).toBe('new');
  });

  it.each([
    ['an invalidation of its rows', (process: Process) => process.write(['1']), {}],
    ['an invalidation by tag', (process: Process) => process.invalidator.restamp(['g:x']), tagged],
  ])('7. %s while it is loaded', async (_, invalidate, options) => {
    const [reader, writer] = [await start(), await start()];
    let row = 'old';
    let release: () => void = () => undefined;
    const released = new Promise<void>((resolve) => (release = resolve));
    let arrive: () => void = () => undefined;
    const loading = new Promise<void>((resolve) => (arrive = resolve));
    const load = async () => {
      const seen = row;
      arrive();
      await released;
      return seen;
    };
    const read = reader.read('1', load, options);
    await loading;
    row = 'new';
    await invalidate(writer);
    release();
    expect(await read).toBe('old');
    await heard();
    expect(await reader.read('1', () => row, options)).toBe('new');
  });

  it('8. two processes invalidate the same tag at once', async () => {
    const [reader, one, two] = [await start(), await start(), await start()];
    let row = 'first';
    await reader.read('1', () => row, tagged);
    const barrier = two.chaos.hold('restamp');
    const late = two.invalidator.restamp(['g:x']);
    await barrier.reached;
    await one.invalidator.restamp(['g:x']);
    await heard();
    await reader.read('1', () => row, tagged);
    row = 'second';
    barrier.release();
    await late;
    await heard();
    expect(await reader.read('1', () => row, tagged)).toBe('second');
  });

  it('9. a process dies between its commit and the invalidation that should follow', async () => {
    const [reader, writer] = [await start(), await start()];
    let row = 'old';
    await reader.read('1', () => row);
    await heard();
    await reader.read('1', () => row);
    const images = [new Map([['a', '1']])];
    await writer.invalidator.pend({ effects: [{ table: TABLE, columns: '*', images }], tokens: new Set() });
    row = 'new';
    await heard();
    expect(await reader.read('1', () => row)).toBe('new');
    await backend.pass(30_001);
    expect(await reader.read('1', () => row)).toBe('new');
  });

  it('10. the same invalidation twice in a moment: the second one counts as well', async () => {
    const [reader, writer] = [await start(), await start()];
    for (const row of ['first', 'second', 'third']) {
      await writer.write(['1']);
      await heard();
      expect(await reader.read('1', () => row)).toBe(row);
    }
  });

  it('11. a subscriber is away while something is invalidated', async () => {
    const [reader, writer] = [await start(), await start()];
    await reader.read('1', () => 'old');
    await writer.write(['1']);
    reader.bus?.lose();
    expect(await reader.read('1', () => 'new')).toBe('new');
    reader.bus?.rejoin();
    expect(await reader.read('1', () => 'newer')).toBe('new');
  });

  it('12. everything is flushed in the middle of a fill', async () => {
    const [reader, writer] = [await start(), await start()];
    let row = 'old';
    const barrier = reader.chaos.hold('write');
    const read = reader.read('1', () => row);
    await barrier.reached;
    await backend.flush();
    await writer.write(['1'], () => void (row = 'new'));
    barrier.release();
    await read;
    await heard();
    expect(await reader.read('1', () => row)).toBe('new');
  });

  it.each([-15, 15])('14. a clock that is wrong by %p minutes', async (minutes) => {
    const [reader, writer] = [await start(), await start(new ManualClock(clock.now() + minutes * 60_000))];
    await writer.read('1', () => 'old');
    await reader.read('1', () => 'old');
    await reader.write(['1']);
    await heard();
    expect(await writer.read('1', () => 'new')).toBe('new');
    expect(await reader.read('1', () => 'new')).toBe('new');
    // Nor does it live for longer than its `ttl` here.
    await backend.pass(TTL + 1);
    expect(await reader.read('1', () => 'newest')).toBe('newest');
  });

  it('17. a load that never ends', async () => {
    const [reader, writer] = [await start(), await start()];
    let loads = 0;
    const hanging = reader.read('1', () => (loads++, new Promise<string>(() => undefined)), {
      loadTimeout: 1,
    });
    await expect(hanging).rejects.toMatchObject({ code: 'LOAD_TIMEOUT' });
    // Nobody waits for it any more, and what it left behind keeps nobody from the value.
    for (const process of [reader, writer]) expect(await process.read('1', () => 'value')).toBe('value');
    expect(loads).toBe(1);
  });

  it('17. a load that never ends, and holds the lease of the entry', async () => {
    const [reader, other] = [await start(), await start()];
    const refill = { grace: 0, softTimeout: 0, lock: true, jitter: 0, beta: 0 };
    const hanging = reader.read('1', () => new Promise<string>(() => undefined), { loadTimeout: 1, refill });
    await expect(hanging).rejects.toMatchObject({ code: 'LOAD_TIMEOUT' });
    expect(await other.read('1', () => 'value', { refill })).toBe('value');
  });
});
