import { type Backend, newWorld, type Scenario, steps, take, type World } from './world.js';

/** A state that was reached, with what it takes to get there again. */
export interface Reached {
  readonly world: World;
  readonly path: readonly string[];
  /** What the backend saved, if it can be restored. */
  readonly saved: unknown;
}

export interface ExplorableBackend extends Backend {
  /** Puts the backend into the reached state. @returns the world to go on with */
  restore(reached: Reached, scenario: Scenario): Promise<World>;
  /** @returns the content of the backend: to restore it, and to compare it after stamps are renamed */
  save(): Promise<{ saved: unknown; view: string }>;
}

export interface Exploration {
  readonly states: number;
  readonly complete: boolean;
  /** Steps that lead to a stale serve. */
  readonly stale: readonly string[] | undefined;
}

/**
 * Tries every order of steps; each distinct state is expanded once. Stops at the first stale serve.
 * @param most states to expand; if there are more, which ones is chosen by a random sequence that is always the same
 */
export async function explore(
  backend: ExplorableBackend,
  scenario: Scenario,
  most = Infinity,
): Promise<Exploration> {
  const random = most === Infinity ? undefined : sequence(42);
  const seen = new Set<string>();
  const stack: Reached[] = [{ world: newWorld(scenario), path: [], saved: undefined }];
  while (stack.length > 0) {
    if (random !== undefined) swapWithLast(stack, Math.floor(random() * stack.length));
    const reached = stack.pop() as Reached;
    for (const step of steps(reached.world, scenario)) {
      const world = await backend.restore(reached, scenario);
      await take(step, world, scenario, backend);
      const path = [...reached.path, step];
      if (world.stale !== undefined)
        return { states: seen.size, complete: false, stale: [...path, world.stale] };
      const { saved, view } = await backend.save();
      const key = canonical(world, view, scenario);
      if (seen.has(key)) continue;
      if (seen.size >= most) return { states: seen.size, complete: false, stale: undefined };
      seen.add(key);
      stack.push({ world, path, saved });
    }
  }
  return { states: seen.size, complete: true, stale: undefined };
}

function swapWithLast<T>(items: T[], index: number): void {
  const last = items.length - 1;
  [items[index], items[last]] = [items[last] as T, items[index] as T];
}

/** Mulberry32: numbers in [0, 1) from a seed. */
function sequence(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** One text for all states that differ only in the names of stamps, of writers, or of readers of the same shape. */
function canonical(world: World, view: string, { shapes, runs, leases }: Scenario): string {
  // A lease has the name of its reader.
  const sameReaders = shapes[0] === shapes[1] && runs[0] === runs[1] && !leases;
  let least: string | undefined;
  for (const writers of [false, true]) {
    for (const readers of sameReaders ? [false, true] : [false]) {
      const text = rename(world, view, writers, readers);
      if (least === undefined || text < least) least = text;
    }
  }
  return least as string;
}

function rename(world: World, view: string, swapWriters: boolean, swapReaders: boolean): string {
  const writers = swapWriters ? [...world.writers].reverse() : world.writers;
  const readers = swapReaders ? [...world.readers].reverse() : world.readers;
  const marks = Object.entries(world.marks)
    .map(([place, indexes]) => `${place}@${indexes.map((i) => (swapWriters ? 1 - i : i)).sort()}`)
    .sort();
  const text = JSON.stringify([world.db, world.evictions, world.expiries, writers, readers, marks, view]);
  const names = new Map<string, string>();
  return text.replace(/([\w-]{12})(\d{4})(?![\w-])/g, (_, hard: string, soft: string) => {
    const name = names.get(hard) ?? `#${names.size}`;
    names.set(hard, name);
    return name + soft;
  });
}
