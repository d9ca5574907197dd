import { parseArgs } from 'node:util';
import { lockSoaks } from './locks/lock-soak.js';
import { memorySoaks } from './memory/memory-soak.js';
import type { SoakReport, SoakSuite } from './soak-suite.js';
import { staleSoaks } from './stale/stale-soak.js';

const SUITES: readonly SoakSuite[] = [...lockSoaks, ...staleSoaks, ...memorySoaks];

/** Violations that are printed of one suite; the rest is counted. */
const MOST_PRINTED = 20;

/**
 * @param args names of suites, or beginnings of names (`locks`); all when there is none. `--seconds`, `--seed`
 * @returns exit code: 1 if a suite was violated, 2 if the arguments are bad
 */
export async function main(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { seconds: { type: 'string', default: '60' }, seed: { type: 'string' } },
  });
  const seconds = Number(values.seconds);
  const seed = values.seed === undefined ? Date.now() % 1_000_000 : Number(values.seed);
  const chosen = SUITES.filter(
    ({ name }) => positionals.length === 0 || positionals.some((each) => name.startsWith(each)),
  );
  if (!(seconds > 0) || !Number.isInteger(seed) || chosen.length === 0) {
    console.error(
      `npm run soak -- [${SUITES.map(({ name }) => name).join(' | ')}] [--seconds 60] [--seed 1]`,
    );
    return 2;
  }
  let failed = 0;
  for (const suite of chosen) {
    console.log(`== ${suite.name}, ${seconds} s, seed ${seed}`);
    const report = await suite.run({ seconds, seed });
    print(report);
    if (report.violations.length > 0) failed++;
  }
  console.log(failed === 0 ? 'Nothing was violated.' : `${failed} of ${chosen.length} suites were violated.`);
  return failed === 0 ? 0 : 1;
}

function print({ figures, violations }: SoakReport): void {
  for (const [name, value] of Object.entries(figures)) console.log(`   ${name.padEnd(34)} ${value}`);
  for (const violation of violations.slice(0, MOST_PRINTED)) console.log(`   VIOLATED: ${violation}`);
  if (violations.length > MOST_PRINTED) console.log(`   and ${violations.length - MOST_PRINTED} more`);
}
