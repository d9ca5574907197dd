import { canonical } from './canonical.js';
import { take } from './take.js';
import { type Backend, newWorld, type Scenario, steps, type World } from './world.js';

/** A state that was reached, with what it takes to get there again. */
export interface Reached {
  readonly world: World;
  readonly path: readonly string[];
  /** What the backend saved, if it can be restored. */
  readonly saved: unknown;
}

/** Content of the backend: to restore it, and to compare it. */
export interface Saved {
  readonly saved: unknown;
  /** Hard parts of the stamps in it. */
  readonly names: readonly string[];
  /** One number for all that differ only in those, with the names of the two writers, or readers, exchanged. */
  id(swapWriters: boolean, swapReaders: boolean): number;
}

export interface ExplorableBackend extends Backend {
  /** Puts the backend into the reached state. @returns the world to go on with */
  restore(reached: Reached, scenario: Scenario): Promise<World>;
  save(): Promise<Saved>;
}

export interface Exploration {
  readonly states: number;
  readonly complete: boolean;
  /** Steps that lead to a stale serve. */
  readonly stale: readonly string[] | undefined;
}

/** Tries every order of steps; each distinct state is expanded once. Stops at the first stale serve. */
export async function explore(backend: ExplorableBackend, scenario: Scenario): Promise<Exploration> {
  const seen = new Set<string>();
  const stack: Reached[] = [{ world: newWorld(scenario), path: [], saved: undefined }];
  for (let reached = stack.pop(); reached !== undefined; reached = stack.pop()) {
    for (const step of steps(reached.world, scenario)) {
      const world = await backend.restore(reached, scenario);
      await take(step, world, scenario, backend);
      const path = [...reached.path, step];
      if (world.stale !== undefined)
        return { states: seen.size, complete: false, stale: [...path, world.stale] };
      const content = await backend.save();
      const key = canonical(world, content, scenario);
      if (seen.has(key)) continue;
      seen.add(key);
      stack.push({ world, path, saved: content.saved });
    }
  }
  return { states: seen.size, complete: true, stale: undefined };
}
