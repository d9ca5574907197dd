import type { Exploration } from './explore.js';
import { type NearBackend, type NearScenario, NearWorld } from './near-world.js';

/**
 * Tries every order of steps; a state is reached again by taking its path from the start.
 * @param fresh empties the backend
 * @param most states to expand; if there are more, the first ones that are found
 */
export async function exploreNear(
  fresh: () => Promise<NearBackend>,
  scenario: NearScenario,
  most = Infinity,
): Promise<Exploration> {
  const seen = new Set<string>();
  const queue: (readonly string[])[] = [[]];
  const reach = async (path: readonly string[]): Promise<NearWorld> => {
    const world = await NearWorld.open(await fresh(), scenario);
    for (const step of path) await world.take(step);
    return world;
  };
  for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
    const here = await reach(path);
    const steps = here.steps();
    await here.close();
    for (const step of steps) {
      const next = [...path, step];
      const world = await reach(next);
      const key = canonical(await world.view());
      await world.close();
      if (world.stale !== undefined)
        return { states: seen.size, complete: false, stale: [...next, world.stale] };
      if (seen.has(key)) continue;
      if (seen.size >= most) return { states: seen.size, complete: false, stale: undefined };
      seen.add(key);
      queue.push(next);
    }
  }
  return { states: seen.size, complete: true, stale: undefined };
}

/** One text for all states that differ only in the names of stamps. */
function canonical(view: string): string {
  const names = new Map<string, string>();
  return view.replace(/[\w-]{12}0000/g, (stamp) => {
    const name = names.get(stamp) ?? `#${names.size}`;
    names.set(stamp, name);
    return name;
  });
}
