import { encodeEntry, isFresh, openEntry } from '../../../lib/core/entry.js';
import { EVERYTHING, tableToken, type Token } from '../../../lib/core/token.js';
import type { BusSource } from '../../../lib/drivers/bus.interface.js';
import type { CacheDriver, TokenState } from '../../../lib/drivers/cache-driver.interface.js';
import { NearDriver } from '../../../lib/near-cache/near.driver.js';
import { ChaosDriver } from '../../../lib/testing/chaos.driver.js';
import type { Barrier } from '../../../lib/testing/faults.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';
import { HeldBus } from '../../near/held-bus.js';

/** Laws of the near cache that a test breaks on purpose. */
export type BrokenNear =
  /** What is told while a reply is on its way is forgotten: the reservation is not marked. */
  | 'overtakenKept'
  /** Nothing is forgotten when the bus is lost. */
  | 'lossIgnored'
  /** A writer announces only after its commit, and not on the bus. */
  | 'silentSettle';

export interface NearScenario {
  readonly readers: number;
  /** How often each reader reads. */
  readonly runs: number;
  readonly writers: number;
  /** How often the bus is lost. */
  readonly losses: number;
  readonly crashes: boolean;
  readonly broken?: BrokenNear;
}

/** What a world of near caches needs. */
export interface NearBackend {
  readonly driver: CacheDriver;
  readonly buses: BusSource;
  /** Resolves when all buses were told of everything so far. */
  told(buses: readonly HeldBus[]): Promise<void>;
  expireMarks(): Promise<void>;
}

const TABLE = 'x';
const ROWS: Token = 't:{x}:';
const TOKENS: readonly Token[] = [EVERYTHING, tableToken(TABLE), ROWS];
const KEY = 'k';
export const NEAR_MARK_TTL = 3_600_000;
/** Milliseconds; of all this it is not the one that is explored. */
export const NO_LAG = 600_000;
const TTL = 30 * NEAR_MARK_TTL;
const NOW = new ManualClock().now();

interface Writer {
  pc: 'idle' | 'pended' | 'committed' | 'done' | 'crashed' | 'gone';
  wrote: number;
  lost: boolean;
  /** How many messages there were when what it told was told. */
  told: number;
}

/** A process that reads through its near cache, one command and one message at a time. */
class NearReader {
  readonly chaos: ChaosDriver;
  readonly bus: HeldBus;
  readonly near: NearDriver;
  pc: 'idle' | 'reading' | 'missed' | 'pinned' | 'loaded' | 'writing' = 'idle';
  runs = 0;
  stamps: readonly TokenState[] = [];
  value = 0;
  hears = true;
  /** Of the command on its way. */
  private barrier: Barrier | undefined;
  private reply: Promise<unknown> | undefined;

  constructor({ driver, buses }: NearBackend) {
    this.chaos = new ChaosDriver(driver);
    this.bus = new HeldBus(buses);
    this.near = new NearDriver(this.chaos, {
      maxBytes: 1_000_000,
      maxLag: NO_LAG,
      bus: this.bus,
      clock: new ManualClock(),
    });
  }

  /** Carries it out at the backend; what it answers is still on its way. */
  async send(method: 'read' | 'write', call: () => Promise<unknown>): Promise<void> {
    this.barrier = this.chaos.holdReply(method);
    this.reply = call();
    await this.barrier.reached;
  }

  async receive(): Promise<unknown> {
    this.barrier?.release();
    return this.reply;
  }

  finish(): void {
    this.pc = 'idle';
    this.runs++;
    this.stamps = [];
    this.value = 0;
  }
}

/** Processes with near caches and writers of one table; unlike `World` it cannot be copied, only made again. */
export class NearWorld {
  stale: string | undefined;
  private db = 0;
  private losses = 0;
  private readonly writers: Writer[];
  private readonly readers: NearReader[];

  private constructor(
    private readonly backend: NearBackend,
    private readonly scenario: NearScenario,
  ) {
    this.writers = Array.from({ length: scenario.writers }, () => ({
      pc: 'idle',
      wrote: 0,
      lost: false,
      told: 0,
    }));
    this.readers = Array.from({ length: scenario.readers }, () => new NearReader(backend));
  }

  static async open(backend: NearBackend, scenario: NearScenario): Promise<NearWorld> {
    const world = new NearWorld(backend, scenario);
    await Promise.all(world.readers.map(({ bus }) => bus.joined));
    return world;
  }

  async close(): Promise<void> {
    for (const { bus } of this.readers) await bus.close();
  }

  steps(): string[] {
    const found: string[] = [];
    this.writers.forEach(({ pc, lost }, i) => {
      if (pc === 'idle') found.push(`w${i} pend`);
      if (pc === 'pended') found.push(`w${i} commit`);
      if (pc === 'committed') found.push(`w${i} settle`);
      const mayCrash = pc === 'pended' || (pc === 'committed' && !lost);
      if (this.scenario.crashes && mayCrash) found.push(`w${i} crash`);
    });
    if (this.writers.some(({ pc }) => pc === 'crashed')) found.push('marks expire');
    this.readers.forEach(({ pc, runs, bus, hears }, i) => {
      if (pc !== 'idle' || runs < this.scenario.runs) found.push(`r${i} ${STEP[pc]}`);
      if (bus.held.length > 0 && hears) found.push(`r${i} hear`);
      if (!hears) found.push(`r${i} rejoin`);
      else if (this.losses < this.scenario.losses) found.push(`r${i} lose`);
    });
    return found;
  }

  async take(step: string): Promise<void> {
    const [who = '', action = ''] = step.split(' ');
    const index = Number(who[1]);
    if (who === 'marks') await this.expireMarks();
    else if (who[0] === 'w') await this.write(this.writers[index] as Writer, `w${index}`, action);
    else await this.read(this.readers[index] as NearReader, action);
    await this.backend.told(this.readers.map(({ bus }) => bus));
  }

  /** All that decides what may happen next. */
  async view(): Promise<string> {
    const { entry, states } = await this.backend.driver.read(KEY, TOKENS);
    const readers = this.readers.map(({ pc, runs, stamps, value, hears, bus, near }) => {
      const kept = near.near.get(KEY);
      return [pc, runs, stamps, value, hears, bus.held, kept?.payload().toString(), kept?.stamps()];
    });
    const writers = this.writers.map(({ told, ...writer }) => [
      writer,
      this.readers.map(({ bus }) => told <= bus.heard),
    ]);
    return JSON.stringify([this.db, this.losses, writers, readers, describe(entry), states]);
  }

  private async write(writer: Writer, name: string, action: string): Promise<void> {
    const { driver } = this.backend;
    const { broken } = this.scenario;
    if (action === 'pend') {
      const registries = new Map<string, string>();
      if (broken !== 'silentSettle')
        await driver.pend({ writer: name, tokens: [ROWS], registries, ttl: NEAR_MARK_TTL });
      writer.pc = 'pended';
    } else if (action === 'commit') {
      writer.wrote = ++this.db;
      writer.pc = 'committed';
      writer.told = writer.lost ? Infinity : this.messages();
    } else if (action === 'crash') {
      writer.pc = 'crashed';
    } else {
      await driver.settle({ writer: name, tokens: [ROWS], tables: [] });
      writer.pc = 'done';
      await this.backend.told(this.readers.map(({ bus }) => bus));
      if (writer.lost) writer.told = this.messages();
    }
  }

  /** All readers are told the same. */
  private messages(): number {
    return (this.readers[0] as NearReader).bus.told;
  }

  private async read(reader: NearReader, action: string): Promise<void> {
    const { near, bus } = reader;
    if (action === 'read') {
      const kept = near.near.get(KEY);
      if (kept) {
        this.checkServed(kept.payload().toString(), bus.heard);
        return reader.finish();
      }
      reader.pc = 'reading';
      await reader.send('read', () => near.read(KEY, TOKENS));
    } else if (action === 'receive') {
      const { entry, states } = (await reader.receive()) as Awaited<ReturnType<CacheDriver['read']>>;
      if (!entry || !isFresh(entry, states)) reader.pc = 'missed';
      else reader.finish();
    } else if (action === 'pin') {
      reader.stamps = await near.pin({ tokens: TOKENS, shapes: [], ttl: TTL });
      if (reader.stamps.every((state) => state !== undefined && state !== 'pending')) reader.pc = 'pinned';
      else reader.finish();
    } else if (action === 'load') {
      reader.value = this.db;
      reader.pc = 'loaded';
    } else if (action === 'write') {
      const stamps = reader.stamps as string[];
      const facts = { createdAt: NOW, life: TTL, hasGrace: false, cost: 0 };
      const entry = encodeEntry(Buffer.from(String(reader.value)), stamps, facts);
      reader.pc = 'writing';
      await reader.send('write', () => near.write({ key: KEY, entry, tokens: TOKENS, stamps, ttl: TTL }));
    } else if (action === 'stored') {
      await reader.receive();
      reader.finish();
    } else {
      this.bus(reader, action);
    }
  }

  private bus(reader: NearReader, action: string): void {
    const { broken } = this.scenario;
    if (action === 'hear') {
      const onItsWay = reader.pc === 'reading' || reader.pc === 'writing';
      if (broken === 'overtakenKept' && onItsWay) reader.bus.drop();
      else reader.bus.deliver(1);
    } else if (action === 'lose') {
      this.losses++;
      reader.hears = false;
      if (broken === 'lossIgnored') reader.bus.drop(Infinity);
      else reader.bus.lose();
    } else {
      reader.hears = true;
      reader.bus.drop(Infinity);
      reader.bus.rejoin();
    }
  }

  private async expireMarks(): Promise<void> {
    await this.backend.expireMarks();
    for (const writer of this.writers) {
      if (writer.pc === 'crashed') writer.pc = 'gone';
      if (writer.pc === 'pended') writer.lost = true;
    }
  }

  /** What is kept may be older than a commit only while the message that told of it has not arrived. */
  private checkServed(value: string, heard: number): void {
    const over = this.writers.filter(({ wrote, told }) => wrote > 0 && told <= heard);
    const floor = Math.max(0, ...over.map(({ wrote }) => wrote));
    if (Number(value) < floor) this.stale = `served ${value} from the near cache, but was told of ${floor}`;
  }
}

const STEP = {
  idle: 'read',
  reading: 'receive',
  missed: 'pin',
  pinned: 'load',
  loaded: 'write',
  writing: 'stored',
} as const;

const describe = (entry: Buffer | undefined): string =>
  entry === undefined
    ? ''
    : `${openEntry(entry).payload.toString()} ${entry.toString('latin1', 28, 28 + 48)}`;
