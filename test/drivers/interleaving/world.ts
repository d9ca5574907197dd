import type { Stamp } from '../../../lib/core/stamp.js';
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
  pc: 'idle' | 'missed' | 'pinned' | 'loaded';
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
  | 'refusalIgnored';

export interface Scenario {
  /** Shape that each reader reads by. */
  readonly shapes: readonly [string, string];
  /** How often each reader reads. */
  readonly runs: readonly [number, number];
  /** Kinds of keys of which one may be evicted, once. */
  readonly evict: readonly Evictable[];
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
}

export const TABLE = 'x';
export const ALL_SHAPES = ['a', 'b'] as const;
const rows = (shape: string): Token => rowsToken(TABLE, { columns: [shape], reads: '*' }, ['1']);
const tokensOf = (shape: string): Token[] => [EVERYTHING, tableToken(TABLE), rows(shape)];
export const ALL_TOKENS: readonly Token[] = [EVERYTHING, tableToken(TABLE), ...ALL_SHAPES.map(rows)];

/** No real time may let a mark run out: a state may be restored in Redis long after it was saved. */
export const MARK_TTL = 24 * 3_600_000;
const ENTRY_TTL = 30 * MARK_TTL;

export function newWorld({ shapes }: Scenario): World {
  const writer = (): Writer => ({ pc: 'idle', version: '', shapes: [], tokens: [], wrote: 0, lost: false });
  const reader = (shape: string): Reader => ({ shape, pc: 'idle', runs: 0, stamps: undefined, value: 0 });
  return {
    db: 0,
    writers: [writer(), writer()],
    readers: shapes.map(reader),
    evictions: 0,
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
    if (reader.pc !== 'idle' || reader.runs < (scenario.runs[i] as number))
      found.push(`r${i} ${readerStep(reader, scenario)}`);
  });
  if (world.evictions === 0) {
    for (const kind of scenario.evict) {
      if (kind === 'everything' || kind === 'table' || kind === 'registry') found.push(`evict ${kind}`);
      else for (const shape of new Set(scenario.shapes)) found.push(`evict ${kind} ${shape}`);
    }
  }
  return found;
}

function readerStep(reader: Reader, { broken }: Scenario): string {
  if (reader.pc === 'idle') return 'read';
  if (broken === 'pinLate') return reader.pc === 'missed' ? 'load' : reader.pc === 'loaded' ? 'pin' : 'store';
  return reader.pc === 'missed' ? 'pin' : reader.pc === 'pinned' ? 'load' : 'store';
}

/** Takes one step; a stale serve is noted in the world. */
export async function take(step: string, world: World, scenario: Scenario, backend: Backend): Promise<void> {
  const [who = '', action = '', what = ''] = step.split(' ');
  if (who === 'evict') return evict(action as Evictable, what, world, backend);
  if (who === 'marks') return expire(world, backend);
  const index = Number(who[1]);
  if (who[0] === 'w') return write(action, index, world, scenario, backend);
  return readerAction(action, world, world.readers[index] as Reader, scenario, backend.driver);
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
    if (broken !== 'noPend') {
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
  reader: Reader,
  { broken }: Scenario,
  driver: CacheDriver,
): Promise<void> {
  const key = reader.shape;
  const tokens = tokensOf(reader.shape);
  if (action === 'read') {
    const { entry, states } = await driver.read(key, tokens);
    const stored = entry && (JSON.parse(entry.toString()) as { value: number; stamps: Stamp[] });
    const same = (state: TokenState, i: number): boolean =>
      state === stored?.stamps[i] || (broken === 'missingFresh' && state === undefined);
    if (stored && states.every(same)) {
      checkServed(stored.value, world);
      reader.runs++;
    } else {
      reader.pc = 'missed';
    }
  } else if (action === 'pin') {
    const ignored = broken === 'refusalIgnored';
    const shapes = [{ table: TABLE, shape: reader.shape }];
    let states = await driver.pin({ tokens, shapes, ttl: ENTRY_TTL });
    if (ignored) states = await driver.pin({ tokens, shapes: [], ttl: ENTRY_TTL });
    const stamps = states.filter((state): state is Stamp => state !== undefined && state !== 'pending');
    reader.stamps = stamps.length === tokens.length ? stamps : undefined;
    if (reader.stamps === undefined) finish(reader);
    else reader.pc = 'pinned';
  } else if (action === 'load') {
    reader.value = world.db;
    reader.pc = 'loaded';
  } else {
    const entry = Buffer.from(JSON.stringify({ value: reader.value, stamps: reader.stamps }));
    await driver.write({ key, entry, tokens, stamps: reader.stamps ?? [], ttl: ENTRY_TTL });
    finish(reader);
  }
}

function finish(reader: Reader): void {
  reader.pc = 'idle';
  reader.runs++;
  reader.stamps = undefined;
  reader.value = 0;
}

/** A serve must not be older than any commit whose writer has settled, or has died and lost its marks. */
function checkServed(value: number, world: World): void {
  const over = world.writers.filter((writer) => writer.pc === 'done' || writer.pc === 'gone');
  const floor = Math.max(0, ...over.map((writer) => writer.wrote));
  if (value < floor) world.stale = `served ${value}, but ${floor} was committed and settled`;
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
