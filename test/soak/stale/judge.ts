import type { Read } from './protocol.js';

/** A version that was committed, whether or not anybody was told. */
export interface Committed {
  readonly item: number;
  readonly version: number;
  readonly shelf: number;
  readonly begun: number;
}

export interface Acknowledged {
  readonly item: number;
  readonly version: number;
  readonly at: number;
  /** From when on everybody has to see it; `at`, unless its writer could not tell. */
  readonly due?: number;
}

export interface Evidence {
  readonly items: number;
  readonly committed: readonly Committed[];
  readonly acks: readonly Acknowledged[];
  readonly reads: readonly Read[];
  /** Milliseconds by which a read may be behind an acknowledged commit. */
  readonly bound: number;
}

export interface Verdict {
  readonly violations: readonly string[];
  /** Reads that were behind, but no more than they may. */
  readonly behind: number;
  /** Milliseconds by which the worst of all reads was behind. */
  readonly worst: number;
}

/** What is known of one item. */
class ItemLedger {
  private readonly shelves = new Map<number, Committed>();
  private readonly acks: { at: number; version: number }[] = [];
  private late: readonly Acknowledged[] = [];

  add(committed: Committed): void {
    this.shelves.set(committed.version, committed);
  }

  acknowledge(acks: readonly Acknowledged[]): void {
    let version = 0;
    for (const ack of [...acks].sort((a, b) => dueOf(a) - dueOf(b))) {
      version = Math.max(version, ack.version);
      this.acks.push({ at: dueOf(ack), version });
    }
    this.late = acks.filter((ack) => dueOf(ack) > ack.at);
  }

  /** A version in between may have left a shelf, and nobody may know that yet, whatever came after. */
  mayLinger(shown: number, floor: number, at: number): boolean {
    return this.late.some((ack) => ack.version > shown && ack.version <= floor && dueOf(ack) >= at);
  }

  /** The latest version that everybody had to see before `at`. */
  floor(at: number): number {
    let [low, high] = [0, this.acks.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.acks[middle] as { at: number }).at < at) low = middle + 1;
      else high = middle;
    }
    return this.acks[low - 1]?.version ?? 0;
  }

  shelfOf(version: number): number | undefined {
    return this.shelves.get(version)?.shelf;
  }

  /** Whether the item may have been elsewhere than on the shelf in a version of at least `floor`, up to `until`. */
  wasElsewhere(shelf: number, floor: number, until: number): boolean {
    for (const committed of this.shelves.values()) {
      if (committed.version >= floor && committed.shelf !== shelf && committed.begun <= until) return true;
    }
    return false;
  }
}

const dueOf = ({ at, due = at }: Acknowledged): number => due;

/** Compares what was read with what had been acknowledged before the read began. */
export function judge({ items, committed, acks, reads, bound }: Evidence): Verdict {
  const ledgers = Array.from({ length: items }, () => new ItemLedger());
  const ledgerOf = (item: number): ItemLedger => ledgers[item] as ItemLedger;
  for (const each of committed) ledgerOf(each.item).add(each);
  ledgers.forEach((ledger, item) => ledger.acknowledge(acks.filter((ack) => ack.item === item)));

  /** Whether the read shows less than was acknowledged before `at`. */
  const isOlder = (read: Read, at: number): boolean => {
    if (read.kind === 'sum') return read.sum < ledgers.reduce((sum, ledger) => sum + ledger.floor(at), 0);
    const isStale = ([item, version]: Read['seen'][number]): boolean => {
      const floor = ledgerOf(item).floor(at);
      return version < floor && !(read.kind === 'shelf' && ledgerOf(item).mayLinger(version, floor, at));
    };
    if (read.seen.some(isStale)) return true;
    if (read.kind !== 'shelf') return read.seen.length === 0;
    const present = new Set(read.seen.map(([item]) => item));
    return ledgers.some(
      (ledger, item) => !present.has(item) && !ledger.wasElsewhere(read.of, ledger.floor(at), read.to),
    );
  };

  const violations: string[] = [];
  let behind = 0;
  let worst = 0;
  for (const read of reads) {
    const wrong = read.seen.find(
      ([item, version]) => read.kind === 'shelf' && ledgerOf(item).shelfOf(version) !== read.of,
    );
    if (wrong) violations.push(`${describe(read)}: version ${wrong[1]} of ${wrong[0]} was never there`);
    if (!isOlder(read, read.from)) continue;
    const lag = lagOf(read, isOlder);
    worst = Math.max(worst, lag);
    if (isOlder(read, read.from - bound)) {
      violations.push(`${describe(read)} was behind by ${lag.toFixed(0)} ms`);
    } else {
      behind++;
    }
  }
  return { violations, behind, worst };
}

const LONGEST_LAG = 600_000;

/** Milliseconds, by bisection: the smallest by which the read may be said to be behind. */
function lagOf(read: Read, isOlder: (read: Read, at: number) => boolean): number {
  let [low, high] = [0, LONGEST_LAG];
  while (high - low > 0.1) {
    const middle = (low + high) / 2;
    if (isOlder(read, read.from - middle)) low = middle;
    else high = middle;
  }
  return high;
}

const describe = ({ kind, of, from }: Read): string => `a read of ${kind} ${of} at ${from.toFixed(0)}`;
