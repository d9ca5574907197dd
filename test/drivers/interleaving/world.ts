import { HARD_LENGTH, type Stamp } from '../../../lib/core/stamp.js';
import { EVERYTHING, rowsToken, type Token, tableToken } from '../../../lib/core/token.js';
import type { CacheDriver, TokenState } from '../../../lib/drivers/cache-driver.interface.js';

/**
 * Two writers and two readers of one table against a real driver: DESIGN §6 as executable steps. All of a world that
 * is not in the driver is plain data, so that it can be copied and compared.
 */
export interface World {
  db: number;
  readonly writers: Writer[];
  readonly readers: Reader[];
  evictions: number;
  expiries: number;
  /** Who has a mark where, as far as the driver keeps its promises; needed to tell states apart. */
  readonly marks: Record<string, number[]>;
  stale: string | undefined;
}

interface Writer {
  pc: 'idle' | 'pended' | 'committed' | 'done' | 'crashed' | 'gone';
  /** What its process knows of the registry. */
  version: string;
  shapes: readonly string[];
  tokens: readonly Token[];
  /** Version of the row that it committed, 0 before. */
  wrote: number;
  /** A mark of it was lost before its commit. */
  lost: boolean;
}

interface Reader {
  readonly shape: string;
  /** With leases also: `leased` and `looked` before it pins, `stored` before it gives the lease back; or it has died. */
  pc: 'idle' | 'missed' | 'leased' | 'looked' | 'pinned' | 'loaded' | 'stored' | 'dead' | 'gone';
  runs: number;
  stamps: readonly Stamp[] | undefined;
  value: number;
}

/** Laws that a test breaks on purpose. */
export type Broken =
  | 'settleNoMarks'
  | 'noPend'
  | 'missingFresh'
  | 'pinLate'
  | 'settleForgetsTables'
  | 'noTableToken'
  | 'refusalIgnored'
  /** Writers only count their stamps up, as `expire()` does. */
  | 'softSettle';

export interface Scenario {
  /** Shape that each reader reads by. */
  readonly shapes: readonly [string, string];
  /** How often each reader reads. */
  readonly runs: readonly [number, number];
  /** Kinds of keys of which one may be evicted, once. */
  readonly evict: readonly Evictable[];
  /** How often somebody calls `expire()`; readers then serve what has expired, and fill it again. */
  readonly expiries?: number;
  /** Readers load only with a lease, and may die while they have it. */
  readonly leases?: boolean;
  readonly broken?: Broken;
}

export type Evictable = 'everything' | 'table' | 'rows' | 'registry' | 'entry';

/** What the steps need of a backend beyond the port. */
export interface Backend {
  readonly driver: CacheDriver;
  /** Removes one key as an eviction would. */
  evictToken(token: Token): Promise<void>;
  evictRegistry(table: string): Promise<void>;
  /** Lets all marks run out, and nothing else. */
  expireMarks(): Promise<void>;
  /** Lets all leases run out, and nothing else. */
  expireLeases(): Promise<void>;
}

export const TABLE = 'x';
export const ALL_SHAPES = ['a', 'b'] as const;
const rows = (shape: string): Token => rowsToken(TABLE, { columns: [shape], reads: '*' }, ['1']);
const tokensOf = (shape: string): Token[] => [EVERYTHING, tableToken(TABLE), rows(shape)];
export const ALL_TOKENS: readonly Token[] = [EVERYTHING, tableToken(TABLE), ...ALL_SHAPES.map(rows)];

/** No real time may let a mark run out: a state may be restored in Redis long after it was saved. */
export const MARK_TTL = 24 * 3_600_000;
const ENTRY_TTL = 30 * MARK_TTL;
export const LEASE_TTL = 600_000;

export function newWorld({ shapes }: Scenario): World {
  const writer = (): Writer => ({ pc: 'idle', version: '', shapes: [], tokens: [], wrote: 0, lost: false });
  const reader = (shape: string): Reader => ({ shape, pc: 'idle', runs: 0, stamps: undefined, value: 0 });
  return {
    db: 0,
    writers: [writer(), writer()],
    readers: shapes.map(reader),
    evictions: 0,
    expiries: 0,
    marks: {},
    stale: undefined,
  };
}

/** Names of the steps that are possible now. */
export function steps(world: World, scenario: Scenario): string[] {
  const found: string[] = [];
  world.writers.forEach((writer, i) => {
    if (writer.pc === 'idle') found.push(`w${i} pend`);
    if (writer.pc === 'pended') found.push(`w${i} commit`, `w${i} crash`);
    if (writer.pc === 'committed') found.push(`w${i} settle`);
    // The bound of DESIGN §6: a mark that was lost before the commit, and then a crash before settle.
    if (writer.pc === 'committed' && !writer.lost) found.push(`w${i} crash`);
  });
  if (world.writers.some((writer) => writer.pc === 'crashed')) found.push('marks expire');
  world.readers.forEach((reader, i) => {
    if (reader.pc === 'dead' || reader.pc === 'gone') return;
    if (reader.pc !== 'idle' || reader.runs < (scenario.runs[i] as number))
      found.push(`r${i} ${readerStep(reader, scenario)}`);
    if (scenario.leases && reader.pc !== 'idle' && reader.pc !== 'missed') found.push(`r${i} die`);
  });
  if (world.readers.some((reader) => reader.pc === 'dead')) found.push('leases expire');
  if (world.expiries < (scenario.expiries ?? 0)) found.push('somebody expires');
  if (world.evictions === 0) {
    for (const kind of scenario.evict) {
      if (kind === 'everything' || kind === 'table' || kind === 'registry') found.push(`evict ${kind}`);
      else for (const shape of new Set(scenario.shapes)) found.push(`evict ${kind} ${shape}`);
    }
  }
  return found;
}

const ORDER = { missed: 'pin', leased: 'look', looked: 'pin', pinned: 'load', loaded: 'store' } as const;
const PIN_LATE = { ...ORDER, missed: 'load', looked: 'load', loaded: 'pin', pinned: 'store' } as const;

function readerStep({ pc }: Reader, { broken, leases }: Scenario): string {
  if (pc === 'idle') return 'read';
  if (pc === 'stored') return 'unlease';
  if (pc === 'missed' && leases) return 'lease';
  return (broken === 'pinLate' ? PIN_LATE : ORDER)[pc as keyof typeof ORDER];
}

/** Takes one step; a stale serve is noted in the world. */
export async function take(step: string, world: World, scenario: Scenario, backend: Backend): Promise<void> {
  const [who = '', action = '', what = ''] = step.split(' ');
  if (who === 'evict') return evict(action as Evictable, what, world, backend);
  if (who === 'marks') return expire(world, backend);
  if (who === 'leases') return expireLeases(world, backend);
  if (who === 'somebody') return softExpire(world, backend.driver);
  const index = Number(who[1]);
  if (who[0] === 'w') return write(action, index, world, scenario, backend);
  return readerAction(action, world, index, scenario, backend.driver);
}

async function write(
  action: string,
  index: number,
  world: World,
  { broken }: Scenario,
  backend: Backend,
): Promise<void> {
  const writer = world.writers[index] as Writer;
  const name = `w${index}`;
  if (action === 'pend') {
    writer.tokens = writer.shapes.map(rows);
    if (writer.version === '' && broken !== 'noTableToken')
      writer.tokens = [tableToken(TABLE), ...writer.tokens];
    if (broken !== 'noPend' && broken !== 'softSettle') {
      const registries = new Map([[TABLE, writer.version]]);
      const differs = await backend.driver.pend({
        writer: name,
        tokens: writer.tokens,
        registries,
        ttl: MARK_TTL,
      });
      if (differs !== undefined) {
        writer.version = differs.get(TABLE)?.version ?? '';
        writer.shapes = [...(differs.get(TABLE)?.shapes ?? [])].sort();
        return;
      }
      for (const place of [TABLE, ...writer.tokens]) (world.marks[place] ??= []).push(index);
    }
    writer.pc = 'pended';
  } else if (action === 'commit') {
    writer.wrote = ++world.db;
    writer.pc = 'committed';
  } else if (action === 'crash') {
    writer.pc = 'crashed';
  } else if (broken === 'softSettle') {
    await backend.driver.expire({ tokens: writer.tokens, registries: new Map() });
    writer.pc = 'done';
  } else {
    const tables = broken === 'settleForgetsTables' ? [] : [TABLE];
    await backend.driver.settle({ writer: name, tokens: writer.tokens, tables });
    if (broken === 'settleNoMarks') for (const token of writer.tokens) await backend.evictToken(token);
    for (const place of Object.keys(world.marks)) unmark(world, place, index);
    writer.pc = 'done';
  }
}

function unmark(world: World, place: string, index: number): void {
  const left = (world.marks[place] ?? []).filter((marked) => marked !== index);
  if (left.length === 0) delete world.marks[place];
  else world.marks[place] = left;
}

async function readerAction(
  action: string,
  world: World,
  index: number,
  scenario: Scenario,
  driver: CacheDriver,
): Promise<void> {
  const { broken, leases } = scenario;
  const reader = world.readers[index] as Reader;
  const key = reader.shape;
  const owner = `r${index}`;
  const tokens = tokensOf(reader.shape);
  if (action === 'read' || action === 'look') {
    const found = await serve(reader, world, scenario, driver);
    if (found === 'fresh' && action === 'look') reader.pc = 'stored';
    else if (found === 'fresh') finish(reader);
    else reader.pc = action === 'look' ? 'looked' : 'missed';
  } else if (action === 'lease') {
    const isMine = (await driver.lease({ key, owner, ttl: LEASE_TTL })) === 0;
    if (isMine) reader.pc = 'leased';
    // It waits, and then looks again.
    else reader.pc = 'idle';
  } else if (action === 'unlease') {
    await driver.unlease({ key, owner });
    finish(reader);
  } else if (action === 'die') {
    reader.pc = 'dead';
  } else if (action === 'pin') {
    const ignored = broken === 'refusalIgnored';
    const shapes = [{ table: TABLE, shape: reader.shape }];
    let states = await driver.pin({ tokens, shapes, ttl: ENTRY_TTL });
    if (ignored) states = await driver.pin({ tokens, shapes: [], ttl: ENTRY_TTL });
    const stamps = states.filter((state): state is Stamp => state !== undefined && state !== 'pending');
    reader.stamps = stamps.length === tokens.length ? stamps : undefined;
    reader.pc = 'pinned';
    if (reader.stamps === undefined) end(reader, leases);
  } else if (action === 'load') {
    reader.value = world.db;
    reader.pc = 'loaded';
  } else {
    const entry = Buffer.from(JSON.stringify({ value: reader.value, stamps: reader.stamps }));
    await driver.write({ key, entry, tokens, stamps: reader.stamps ?? [], ttl: ENTRY_TTL });
    end(reader, leases);
  }
}

/** @returns whether there is an entry, and whether it is fresh; one in grace is served as well */
async function serve(
  reader: Reader,
  world: World,
  { broken, expiries = 0 }: Scenario,
  driver: CacheDriver,
): Promise<'fresh' | 'late' | undefined> {
  const { entry, states } = await driver.read(reader.shape, tokensOf(reader.shape));
  const stored = entry && (JSON.parse(entry.toString()) as { value: number; stamps: Stamp[] });
  const isSame = (length?: number) => (state: TokenState, i: number) =>
    state === undefined || state === 'pending'
      ? broken === 'missingFresh' && state === undefined
      : state.slice(0, length) === stored?.stamps[i]?.slice(0, length);
  if (!stored || !states.every(isSame(expiries > 0 ? HARD_LENGTH : undefined))) return undefined;
  checkServed(stored.value, world);
  return states.every(isSame()) ? 'fresh' : 'late';
}

function end(reader: Reader, leases: boolean | undefined): void {
  if (!leases) return finish(reader);
  reader.pc = 'stored';
  reader.stamps = undefined;
  reader.value = 0;
}

function finish(reader: Reader): void {
  reader.pc = 'idle';
  reader.runs++;
  reader.stamps = undefined;
  reader.value = 0;
}

/**
 * A serve must not be older than any commit. The bound of DESIGN §6: where the mark was lost before the commit, it may
 * be until the writer has settled.
 */
function checkServed(value: number, world: World): void {
  const over = world.writers.filter(({ pc, lost }) => pc === 'done' || pc === 'gone' || !lost);
  const floor = Math.max(0, ...over.map((writer) => writer.wrote));
  if (value < floor) world.stale = `served ${value}, but ${floor} was committed`;
}

async function softExpire(world: World, driver: CacheDriver): Promise<void> {
  world.expiries++;
  await driver.expire({ tokens: ALL_SHAPES.map(rows), registries: new Map() });
}

async function expireLeases(world: World, backend: Backend): Promise<void> {
  await backend.expireLeases();
  for (const reader of world.readers) if (reader.pc === 'dead') reader.pc = 'gone';
}

async function evict(kind: Evictable, shape: string, world: World, backend: Backend): Promise<void> {
  world.evictions++;
  if (kind === 'entry') {
    await backend.driver.delete([shape]);
  } else if (kind === 'registry') {
    await backend.evictRegistry(TABLE);
    loseMarks(world, TABLE);
  } else {
    const token = kind === 'everything' ? EVERYTHING : kind === 'table' ? tableToken(TABLE) : rows(shape);
    await backend.evictToken(token);
    loseMarks(world, token);
  }
}

async function expire(world: World, backend: Backend): Promise<void> {
  await backend.expireMarks();
  for (const place of Object.keys(world.marks)) loseMarks(world, place);
  for (const writer of world.writers) if (writer.pc === 'crashed') writer.pc = 'gone';
}

function loseMarks(world: World, place: string): void {
  for (const index of world.marks[place] ?? []) {
    const writer = world.writers[index] as Writer;
    if (writer.pc === 'pended') writer.lost = true;
  }
  delete world.marks[place];
}
