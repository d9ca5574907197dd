import { HARD_LENGTH, type Stamp } from '../../../lib/core/stamp.js';
import { EVERYTHING, tableToken } from '../../../lib/core/token.js';
import type { CacheDriver, ShapeRegistry, TokenState } from '../../../lib/drivers/cache-driver.interface.js';
import {
  ALL_SHAPES,
  type Backend,
  ENTRY_TTL,
  type Evictable,
  LEASE_TTL,
  MARK_TTL,
  type Reader,
  rows,
  type Scenario,
  TABLE,
  tokensOf,
  type World,
  type Writer,
} from './world.js';

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
        learn(writer, differs.get(TABLE));
        return;
      }
      for (const place of [TABLE, ...writer.tokens]) (world.marks[place] ??= []).push(index);
    }
    writer.pc = 'pended';
  } else if (action === 'learn') {
    learn(writer, (await backend.driver.registries([TABLE])).get(TABLE));
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

function learn(writer: Writer, registry: ShapeRegistry | undefined): void {
  writer.version = registry?.version ?? '';
  writer.shapes = [...(registry?.shapes ?? [])].sort();
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
    if (isMine) world.leases[key] = index;
    if (isMine) reader.pc = 'leased';
    // It waits, and then looks again.
    else reader.pc = 'idle';
  } else if (action === 'unlease') {
    await driver.unlease({ key, owner });
    if (world.leases[key] === index) delete world.leases[key];
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
  for (const key of Object.keys(world.leases)) await evictLease(key, world, backend);
  for (const reader of world.readers) if (reader.pc === 'dead') reader.pc = 'gone';
}

async function evict(kind: Evictable, shape: string, world: World, backend: Backend): Promise<void> {
  world.evictions++;
  if (kind === 'entry') {
    await backend.driver.delete([shape]);
  } else if (kind === 'registry') {
    await backend.evictRegistry(TABLE);
    loseMarks(world, TABLE);
  } else if (kind === 'lease') {
    await evictLease(shape, world, backend);
  } else {
    const token = kind === 'everything' ? EVERYTHING : kind === 'table' ? tableToken(TABLE) : rows(shape);
    await backend.evictToken(token);
    loseMarks(world, token);
  }
}

async function evictLease(key: string, world: World, backend: Backend): Promise<void> {
  await backend.evictLease(key, `r${world.leases[key]}`);
  delete world.leases[key];
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
