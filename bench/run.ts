import type { ComparisonFactory } from './comparison.js';
import { findById, findRows, getOne } from './comparisons/queries.js';
import { guardedSaves } from './comparisons/guarded-saves.js';
import { invalidation } from './comparisons/invalidation.js';
import { locks } from './comparisons/locks.js';
import { decorated } from './comparisons/decorated.js';
import { nearHit } from './comparisons/near-hit.js';
import { pend } from './comparisons/pend.js';
import { pieces } from './comparisons/pieces.js';
import { routes } from './comparisons/routes.js';
import { saves } from './comparisons/saves.js';
import { sharedHit } from './comparisons/shared-hit.js';
import { stampede } from './comparisons/stampede.js';
import { FULL, measure, SMOKE } from './measure.js';
import { machine } from './machine.js';
import { printComparison, writeResults, type Outcome } from './report.js';

const ALL: readonly ComparisonFactory[] = [
  nearHit,
  sharedHit,
  findRows,
  findById,
  getOne,
  stampede,
  pend,
  invalidation,
  ...saves,
  ...locks,
  ...guardedSaves,
  decorated,
  ...routes,
  ...pieces,
];

/**
 * @param args `--smoke`: a few operations of everything, counted and not timed; other words: only the comparisons
 * whose titles contain one of them
 * @returns exit code; a target that is missed is reported and is no failure
 */
export async function main(args: readonly string[]): Promise<number> {
  const smoke = args.includes('--smoke');
  const words = args.filter((arg) => !arg.startsWith('--'));
  const chosen = ALL.filter(({ title }) => words.length === 0 || words.some((word) => title.includes(word)));
  const where = await machine();
  console.log(where);
  const outcomes: Outcome[] = [];
  for (const factory of chosen) outcomes.push(await compare(factory, smoke));
  if (smoke) console.log(`${outcomes.length} comparisons measure what they say`);
  else if (words.length === 0) await writeResults(outcomes, where);
  return 0;
}

async function compare(factory: ComparisonFactory, smoke: boolean): Promise<Outcome> {
  console.log(`\n${factory.title}`);
  const comparison = await factory.create(smoke);
  try {
    await comparison.check?.();
    const measured = [];
    for (const concurrency of comparison.concurrency) {
      measured.push(...(await measure(comparison, concurrency, smoke ? SMOKE : FULL)));
    }
    const outcome = { comparison, measured };
    if (!smoke) printComparison(outcome);
    return outcome;
  } finally {
    await comparison.close();
  }
}
