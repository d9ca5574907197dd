import { EVERYTHING } from '../../lib/core/token.js';
import { MemoryDriver } from '../../lib/drivers/memory.driver.js';
import { ManualClock } from '../../lib/testing/manual-clock.js';
import { Process, TABLE, TTL, rowsWhere } from './process.js';

/*
 * Orders of events that made other caches serve stale values, under the numbers that our list of them has. Each
 * process has a near cache; the backend is one for all. What needs TypeORM, a server that fails, or two versions of
 * an entity is not here.
 */

class Forgetful extends MemoryDriver {
  /** As a `FLUSHDB`. */
  flush(): Promise<void> {
    return super.close();
  }

  forgetRegistry(): void {
    this.tables.drop(TABLE);
  }
}

let backend: Forgetful;
let clock: ManualClock;
const processes: Process[] = [];
const start = (at = clock): Process => {
  const process = new Process(backend, { clock: at });
  processes.push(process);
  return process;
};
const heard = (): void => processes.forEach((process) => process.bus?.deliver());

beforeEach(() => {
  clock = new ManualClock();
  backend = new Forgetful({ clock });
});
afterEach(() => processes.splice(0).forEach((process) => process.dispose()));

const tagged = { dependencies: { tokens: [EVERYTHING, 'g:x'], shapes: [] } };

it('1. read nothing, insert, invalidate, store nothing', async () => {
  const [reader, writer] = [start(), start()];
  let rows: string[] = [];
  const barrier = reader.chaos.hold('write');
  const read = reader.read('1', () => [...rows]);
  await barrier.reached;
  await writer.write(['1'], () => void (rows = ['inserted']));
  barrier.release();
  expect(await read).toEqual([]);
  heard();
  for (const process of [reader, writer]) expect(await process.read('1', () => rows)).toEqual(['inserted']);
});

it('2. a writer looks at the index, a reader enters itself, the writer invalidates what it saw', async () => {
  const [reader, writer] = [start(), start()];
  let row = 'old';
  await reader.read('other', () => 'v', { dependencies: rowsWhere('1', 'b') });
  await writer.write(['none']);
  const barrier = writer.chaos.hold('pend');
  const write = writer.write(['1'], () => void (row = 'new'));
  await barrier.reached;
  await reader.read('1', () => row);
  barrier.release();
  await write;
  heard();
  for (const process of [reader, writer]) expect(await process.read('1', () => row)).toBe('new');
});

it('3. a value is stored, and no index knows of it', async () => {
  const [reader, writer] = [start(), start()];
  let row = 'old';
  const barrier = reader.chaos.hold('write');
  const read = reader.read('1', () => row);
  await barrier.reached;
  backend.forgetRegistry();
  barrier.release();
  await read;
  await writer.write(['1'], () => void (row = 'new'));
  heard();
  expect(await reader.read('1', () => row)).toBe('new');
});

it('4. the index is evicted before the value, and made again by others', async () => {
  const [reader, other, writer] = [start(), start(), start()];
  let row = 'old';
  await reader.read('1', () => row);
  backend.forgetRegistry();
  await other.read('b', () => 'v', { key: 'b', dependencies: rowsWhere('1', 'b') });
  await writer.write(['1'], () => void (row = 'new'));
  heard();
  expect(await reader.read('1', () => row)).toBe('new');
});

it.each([
  ['an invalidation of its rows', (process: Process) => process.write(['1']), {}],
  ['an invalidation by tag', (process: Process) => process.invalidator.restamp(['g:x']), tagged],
])('7. %s while it is loaded', async (_, invalidate, options) => {
  const [reader, writer] = [start(), start()];
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
  heard();
  expect(await reader.read('1', () => row, options)).toBe('new');
});

it('8. two processes invalidate the same tag at once', async () => {
  const [reader, one, two] = [start(), start(), start()];
  let row = 'first';
  await reader.read('1', () => row, tagged);
  const barrier = two.chaos.hold('restamp');
  const late = two.invalidator.restamp(['g:x']);
  await barrier.reached;
  await one.invalidator.restamp(['g:x']);
  heard();
  await reader.read('1', () => row, tagged);
  row = 'second';
  barrier.release();
  await late;
  heard();
  expect(await reader.read('1', () => row, tagged)).toBe('second');
});

it('9. a process dies between its commit and the invalidation that should follow', async () => {
  const [reader, writer] = [start(), start()];
  let row = 'old';
  await reader.read('1', () => row);
  heard();
  await reader.read('1', () => row);
  const images = [new Map([['a', '1']])];
  await writer.invalidator.pend({ effects: [{ table: TABLE, columns: '*', images }], tokens: new Set() });
  row = 'new';
  heard();
  expect(await reader.read('1', () => row)).toBe('new');
  clock.advance(30_001);
  expect(await reader.read('1', () => row)).toBe('new');
});

it('10. the same invalidation twice in a moment: the second one counts as well', async () => {
  const [reader, writer] = [start(), start()];
  for (const row of ['first', 'second', 'third']) {
    await writer.write(['1']);
    heard();
    expect(await reader.read('1', () => row)).toBe(row);
  }
});

it('11. a subscriber is away while something is invalidated', async () => {
  const [reader, writer] = [start(), start()];
  await reader.read('1', () => 'old');
  await writer.write(['1']);
  reader.bus?.lose();
  expect(await reader.read('1', () => 'new')).toBe('new');
  reader.bus?.rejoin();
  expect(await reader.read('1', () => 'newer')).toBe('new');
});

it('12. everything is flushed in the middle of a fill', async () => {
  const [reader, writer] = [start(), start()];
  let row = 'old';
  const barrier = reader.chaos.hold('write');
  const read = reader.read('1', () => row);
  await barrier.reached;
  await backend.flush();
  await writer.write(['1'], () => void (row = 'new'));
  barrier.release();
  await read;
  heard();
  expect(await reader.read('1', () => row)).toBe('new');
});

it.each([-15, 15])('14. a clock that is wrong by %p minutes', async (minutes) => {
  const [reader, writer] = [start(), start(new ManualClock(clock.now() + minutes * 60_000))];
  await writer.read('1', () => 'old');
  await reader.read('1', () => 'old');
  await reader.write(['1']);
  heard();
  expect(await writer.read('1', () => 'new')).toBe('new');
  expect(await reader.read('1', () => 'new')).toBe('new');
  // Nor does it live for longer than its `ttl` here.
  clock.advance(TTL + 1);
  expect(await reader.read('1', () => 'newest')).toBe('newest');
});
