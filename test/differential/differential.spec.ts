import { generate } from './generate.js';
import type { Operation } from './operations.js';
import { addScores, needlessShare, Precision, scoreTable, type Scores } from './precision.js';
import { Discrepancy, TraceRunner, type Observer } from './run-trace.js';
import { shrink } from './shrink.js';
import { World, type WorldOptions } from './world.js';

/** Share of the operations that each setting runs. */
const SETTINGS: readonly (WorldOptions & { readonly share: number })[] = [
  { kind: 'sqlite', driver: 'memory', processes: 1, share: 0.25 },
  { kind: 'sqlite', driver: 'redis', processes: 1, share: 0.1 },
  { kind: 'postgres', driver: 'memory', processes: 1, share: 0.2 },
  { kind: 'postgres', driver: 'redis', processes: 2, share: 0.15 },
  { kind: 'postgres', driver: 'redis', processes: 2, near: 'tracked', share: 0.1 },
  { kind: 'mariadb', driver: 'memory', processes: 1, share: 0.15 },
  { kind: 'mariadb', driver: 'redis', processes: 2, share: 0.15 },
  { kind: 'mariadb', driver: 'redis', processes: 2, near: 'checked', share: 0.15 },
];

/**
 * The same trace in every run unless asked otherwise, because precision is a statistic: a change must not turn red for
 * the trace that it happened to draw. `DIFFERENTIAL_SEED=random` looks for what this one does not show.
 */
const ASKED = process.env['DIFFERENTIAL_SEED'] ?? '20261121';
const SEED = ASKED === 'random' ? Math.floor(Math.random() * 2 ** 31) : Number(ASKED);
const OPERATIONS = Number(process.env['DIFFERENTIAL_OPS'] ?? 20_000);
/** Milliseconds that a failure may spend on a smaller trace. */
const SHRINKING = 90_000;

describe('random reads and writes', () => {
  const scores: Scores[] = [];

  it.each(SETTINGS)(
    'every cached result equals the uncached one at that moment: $kind, $driver, $processes process(es), near $near',
    async (setting) => {
      const count = Math.round(OPERATIONS * setting.share);
      const trace = generate(SEED, setting.kind, count);
      const world = await World.open(setting);
      try {
        const precision = new Precision(world);
        const { at, failure } = await attempt(world, trace, precision);
        const measured = precision.scores();
        if (failure)
          throw await explained(setting, trace.slice(0, trace.indexOf(at as Operation) + 1), failure);
        scores.push(measured);
        const name = [setting.kind, setting.driver, setting.processes, setting.near].join('/');
        process.stdout.write(
          `seed ${SEED}, ${count} operations on ${scoreTable(name, measured)}\n${precision.causes.report()}\n`,
        );
        expect(measured.ours.hits).toBeGreaterThan(measured.ours.misses / 4);
      } finally {
        await world.close();
      }
    },
    10 * 60_000,
  );

  it('finds a fault that is put in, and shrinks its trace', async () => {
    const open = async (): Promise<World> => {
      const world = await World.open({ kind: 'sqlite', driver: 'memory', processes: 1 });
      const { invalidator } = world.process(0).services;
      const pend = invalidator.pend.bind(invalidator);
      invalidator.pend = ({ effects, tokens }) =>
        pend({ effects: effects.filter(({ table }) => table !== 'comment'), tokens });
      return world;
    };
    const trace = generate(1, 'sqlite', 2000);
    const world = await open();
    const { at, failure } = await attempt(world, trace);
    await world.close();
    expect(failure?.detail).toContain('uncached:');
    const found = await smallest(
      open,
      trace.slice(0, trace.indexOf(at as Operation) + 1),
      failure as Discrepancy,
    );
    expect(found.trace.length).toBeLessThanOrEqual(4);
  }, 120_000);

  /** Another seed may put one setting above by a few misses; over all settings none has been found that does. */
  it('no more misses are needless than by the rules of django-cacheops, in any setting', () => {
    const total = addScores(scores);
    process.stdout.write(`seed ${SEED}, ${scoreTable('all settings', total)}\n`);
    expect(total.seed.stale).toBe(0);
    for (const { ours, seed } of [total, ...(ASKED === 'random' ? [] : scores)])
      expect(needlessShare(ours)).toBeLessThanOrEqual(needlessShare(seed));
  });
});

interface Attempt {
  readonly at?: Operation;
  readonly failure?: Discrepancy;
}

async function attempt(world: World, trace: readonly Operation[], observer?: Observer): Promise<Attempt> {
  const runner = new TraceRunner(world, observer);
  for (const operation of trace) {
    try {
      await runner.run([operation]);
    } catch (failure) {
      if (failure instanceof Discrepancy) return { at: operation, failure };
      throw failure;
    }
  }
  return {};
}

/** The smallest trace found that fails, and how. */
async function smallest(
  open: () => Promise<World>,
  trace: readonly Operation[],
  first: Discrepancy,
): Promise<{ readonly trace: readonly Operation[]; readonly failure: Discrepancy }> {
  let last = first;
  const fails = async (operations: readonly Operation[]): Promise<boolean> => {
    const world = await open();
    try {
      const { failure } = await attempt(world, operations);
      if (failure) last = failure;
      return failure !== undefined;
    } finally {
      await world.close();
    }
  };
  return { trace: await shrink(trace, fails, Date.now() + SHRINKING), failure: last };
}

async function explained(
  setting: WorldOptions,
  trace: readonly Operation[],
  first: Discrepancy,
): Promise<Error> {
  const found = await smallest(() => World.open(setting), trace, first);
  const lines = found.trace.map((operation) => JSON.stringify(operation)).join(',\n');
  const where = `DIFFERENTIAL_SEED=${SEED} DIFFERENTIAL_OPS=${OPERATIONS} (operation ${trace.length})`;
  return new Error(`${where}: ${found.failure.message}\nminimal trace:\n[${lines}]`);
}
