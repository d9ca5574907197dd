import type { Stamp } from '../../../lib/core/stamp.js';
import { EVERYTHING, rowsToken, type Token, tableToken } from '../../../lib/core/token.js';
import type { CacheDriver } from '../../../lib/drivers/cache-driver.interface.js';

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
  /** Which reader has the lease of which key, likewise. */
  readonly leases: Record<string, number>;
  stale: string | undefined;
}

export interface Writer {
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

export interface Reader {
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
  /** Marks may run out though nobody has crashed: a commit takes too long. */
  readonly slow?: boolean;
  /** A writer may look at the registry some time before it pends, as a process does that has written before. */
  readonly learn?: boolean;
  readonly broken?: Broken;
}

export type Evictable = 'everything' | 'table' | 'rows' | 'registry' | 'entry' | 'lease';

/** What the steps need of a backend beyond the port. */
export interface Backend {
  readonly driver: CacheDriver;
  /** Removes one key as an eviction would. */
  evictToken(token: Token): Promise<void>;
  evictRegistry(table: string): Promise<void>;
  evictLease(key: string, owner: string): Promise<void>;
  /** Lets all marks run out, and nothing else. */
  expireMarks(): Promise<void>;
}

export const TABLE = 'x';
export const ALL_SHAPES = ['a', 'b'] as const;
export const rows = (shape: string): Token => rowsToken(TABLE, { columns: [shape], reads: '*' }, ['1']);
export const tokensOf = (shape: string): Token[] => [EVERYTHING, tableToken(TABLE), rows(shape)];
export const ALL_TOKENS: readonly Token[] = [EVERYTHING, tableToken(TABLE), ...ALL_SHAPES.map(rows)];

/** No real time may let a mark run out: a state may be restored in Redis long after it was saved. */
export const MARK_TTL = 24 * 3_600_000;
export const ENTRY_TTL = 30 * MARK_TTL;
/** Leases run out by a step of their own. */
export const LEASE_TTL = 30 * MARK_TTL;

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
    leases: {},
    stale: undefined,
  };
}

export function copyWorld(world: World): World {
  const marks: World['marks'] = {};
  for (const place in world.marks) marks[place] = [...(world.marks[place] as number[])];
  return {
    ...world,
    writers: world.writers.map((writer) => ({ ...writer })),
    readers: world.readers.map((reader) => ({ ...reader })),
    marks,
    leases: { ...world.leases },
  };
}

/** Names of the steps that are possible now. */
export function steps(world: World, scenario: Scenario): string[] {
  const found: string[] = [];
  world.writers.forEach((writer, i) => {
    if (writer.pc === 'idle') found.push(`w${i} pend`);
    if (writer.pc === 'idle' && scenario.learn && writer.version === '') found.push(`w${i} learn`);
    if (writer.pc === 'pended') found.push(`w${i} commit`, `w${i} crash`);
    if (writer.pc === 'committed') found.push(`w${i} settle`);
    // The bound of DESIGN §6: a mark that was lost before the commit, and then a crash before settle.
    if (writer.pc === 'committed' && !writer.lost) found.push(`w${i} crash`);
  });
  const isSlow = scenario.slow && Object.keys(world.marks).length > 0;
  if (isSlow || world.writers.some(({ pc }) => pc === 'crashed')) found.push('marks expire');
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
      else if (kind === 'lease')
        for (const key of Object.keys(world.leases)) found.push(`evict lease ${key}`);
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
