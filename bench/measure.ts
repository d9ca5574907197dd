import { strict as assert } from 'node:assert';
import { setImmediate } from 'node:timers/promises';
import { NOTHING, type Case, type Comparison, type Counts } from './comparison.js';
import { percentile, spreadOf, type Spread } from './spread.js';

export interface Pace {
  readonly rounds: number;
  /** Milliseconds that a case is given each time it is its turn. */
  readonly slice: number;
  readonly warmUp: WarmUp;
}

/**
 * V8 compiles a function after it ran some thousands of times, and until then the case with the most code looks the
 * slowest: by 1,000 operations one at a time, which take 300 ms, a lock had 0.90 of the speed that it has after 10,000.
 */
interface WarmUp {
  /** Milliseconds, at least. */
  readonly time: number;
  /** At least, unless that takes longer than `patience` milliseconds. */
  readonly operations: number;
  readonly patience: number;
}

export const FULL: Pace = {
  rounds: 31,
  slice: 40,
  warmUp: { time: 300, operations: 10_000, patience: 4_000 },
};
/** Enough to count, not to time. */
export const SMOKE: Pace = { rounds: 2, slice: 0, warmUp: { time: 0, operations: 0, patience: 0 } };

/** Rounds that give one 99th percentile. */
const ROUNDS_FOR_TAIL = 5;

/** One case at one concurrency. */
export interface Measured {
  readonly name: string;
  readonly concurrency: number;
  /** Microseconds an operation takes, as the whole slice divided by its operations. */
  readonly micros: Spread;
  /** Microseconds of processor time of this process; what other processes do to the machine matters less here. */
  readonly processor: Spread;
  /** By the name of another case: how many times as fast as that one, round by round. */
  readonly speedOver: ReadonlyMap<string, Spread>;
  /** Counted over all operations, per operation. */
  readonly counts: Counts | undefined;
}

/**
 * Measures all cases in turns: in each round each case has one slice, in an order that is drawn anew, and ratios are
 * of slices of the same round. So what slows the machine down for longer than a round slows all cases alike.
 *
 * @throws AssertionError when a case does not do what it `expects`
 */
export async function measure(
  comparison: Comparison,
  concurrency: number,
  pace: Pace,
): Promise<readonly Measured[]> {
  const runs = comparison.cases.map((subject) => new Run(subject, concurrency));
  for (const run of runs) await run.warm(pace);
  for (let round = 0; round < pace.rounds; round++) {
    for (const run of shuffled(runs)) await run.slice();
  }
  for (const run of runs) run.verify();
  return runs.flatMap((run) => run.results(runs));
}

class Run {
  readonly micros: number[] = [];
  /** Of cases that are sampled: milliseconds, round by round. */
  private readonly samples: (readonly number[])[] = [];
  private readonly processor: number[] = [];
  private turn = 0;
  private operations = 0;
  private counted = 0;
  private total: Counts = NOTHING;

  constructor(
    readonly subject: Case,
    private readonly concurrency: number,
  ) {}

  async warm({ warmUp, slice }: Pace): Promise<void> {
    const few = this.subject.sample ? 1 : this.concurrency * 2;
    await this.operate(few);
    let spent = 0;
    let done = 0;
    while (spent < warmUp.time || (done < warmUp.operations && spent < warmUp.patience)) {
      spent += await this.operate(few);
      done += few;
      await breathe();
    }
    const inSlice = done === 0 ? 0 : Math.ceil((slice * done) / spent);
    this.operations = this.subject.sample ? 1 : Math.max(few, inSlice);
  }

  async slice(): Promise<void> {
    const before = this.subject.counts?.();
    const processorBefore = process.cpuUsage();
    if (this.subject.sample) {
      const times = await this.subject.sample(this.turn++);
      this.micros.push(percentile(times, 0.5) * 1000);
      this.samples.push(times);
    } else {
      this.micros.push(((await this.operate(this.operations)) * 1000) / this.operations);
    }
    const { user, system } = process.cpuUsage(processorBefore);
    this.processor.push((user + system) / this.operations);
    this.counted += this.operations;
    await breathe();
    const after = this.subject.counts?.();
    if (before && after) this.total = combine(this.total, combine(after, before, -1));
  }

  verify(): void {
    const counts = this.counts();
    for (const [what, expected] of Object.entries(this.subject.expects ?? {})) {
      const actual = counts?.[what as keyof Counts] ?? 0;
      assert.ok(
        Math.abs(actual - expected) < 1e-9,
        `${actual} ${what} instead of ${expected}: ${this.subject.name}, ${this.concurrency} at a time`,
      );
    }
  }

  results(all: readonly Run[]): Measured[] {
    const { name } = this.subject;
    const parts = {
      concurrency: this.concurrency,
      processor: spreadOf(this.processor),
      counts: this.counts(),
    };
    const rows = [{ ...parts, name, ...compared(this, all, (run) => run.micros) }];
    if (this.samples.length === 0) return rows;
    return [...rows, { ...parts, name: `${name}, p99`, ...compared(this, all, (run) => run.tails()) }];
  }

  /** A 99th percentile takes hundreds of times: those of a few rounds together. In microseconds. */
  private tails(): number[] {
    const groups = Math.max(1, Math.floor(this.samples.length / ROUNDS_FOR_TAIL));
    return Array.from({ length: groups }, (_, group) => {
      const from = group * ROUNDS_FOR_TAIL;
      const to = group === groups - 1 ? undefined : from + ROUNDS_FOR_TAIL;
      return percentile(this.samples.slice(from, to).flat(), 0.99) * 1000;
    });
  }

  private counts(): Counts | undefined {
    if (!this.subject.counts) return undefined;
    const each = 1 / this.counted;
    return combine(NOTHING, this.total, each);
  }

  /** @returns milliseconds, without those of `prepare` */
  private operate(operations: number): Promise<number> {
    if (this.subject.sample) return this.sampled(operations);
    return this.subject.prepare ? this.prepared(operations) : this.together(operations);
  }

  private async sampled(samples: number): Promise<number> {
    const began = performance.now();
    for (let i = 0; i < samples; i++) await this.subject.sample?.(this.turn++);
    return performance.now() - began;
  }

  private async together(operations: number): Promise<number> {
    const { subject } = this;
    if (!subject.run) throw new Error(`${subject.name} is sampled`);
    const end = this.turn + operations;
    const worker = async (): Promise<void> => {
      while (this.turn < end) {
        const result = subject.run(this.turn++);
        // What is synchronous is measured without the turn of the queue that an `await` costs.
        if (result instanceof Promise) await result;
      }
    };
    const began = performance.now();
    await Promise.all(Array.from({ length: this.concurrency }, worker));
    return performance.now() - began;
  }

  private async prepared(operations: number): Promise<number> {
    assert.equal(this.concurrency, 1, `${this.subject.name} prepares each operation`);
    let spent = 0;
    for (let i = 0; i < operations; i++, this.turn++) {
      await this.subject.prepare?.(this.turn);
      const began = performance.now();
      await this.subject.run?.(this.turn);
      spent += performance.now() - began;
    }
    return spent;
  }
}

/** The times of one run, and how many times as fast it was as each other one, round by round. */
function compared(
  own: Run,
  all: readonly Run[],
  timesOf: (run: Run) => readonly number[],
): Pick<Measured, 'micros' | 'speedOver'> {
  const times = timesOf(own);
  const others = all.filter((other) => other !== own);
  return {
    micros: spreadOf(times),
    speedOver: new Map(
      others.map((other) => {
        const theirs = timesOf(other);
        return [other.subject.name, spreadOf(times.map((time, round) => (theirs[round] as number) / time))];
      }),
    ),
  };
}

/**
 * Work that never waits for a socket starves all sockets. Two turns: what operations leave to be done after them is
 * sent (settle), and replies are read before their deadlines pass.
 */
async function breathe(): Promise<void> {
  await setImmediate();
  await setImmediate();
}

function combine(one: Counts, other: Counts, factor = 1): Counts {
  return {
    hits: one.hits + other.hits * factor,
    misses: one.misses + other.misses * factor,
    statements: one.statements + other.statements * factor,
    commands: one.commands + other.commands * factor,
  };
}

function shuffled<T>(items: readonly T[]): T[] {
  const list = [...items];
  for (let i = list.length - 1; i > 0; i--) {
    const j = Math.floor(Math.random() * (i + 1));
    [list[i], list[j]] = [list[j] as T, list[i] as T];
  }
  return list;
}
