import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { format, resolveConfig } from 'prettier';
import type { Comparison, Counts, Target } from './comparison.js';
import type { Measured } from './measure.js';
import type { Spread } from './spread.js';

export interface Outcome {
  readonly comparison: Comparison;
  readonly measured: readonly Measured[];
}

const RESULTS = fileURLToPath(new URL('results.md', import.meta.url));
const DOCUMENT = fileURLToPath(new URL('../docs/performance.md', import.meta.url));
const BLOCK = /(<!-- measured -->\n)[^]*(<!-- \/measured -->)/;

export function printComparison(outcome: Outcome): void {
  console.log(textTable(rowsOf(outcome)));
  for (const verdict of verdictsOf(outcome)) console.log(`  ${sentence(verdict)}`);
}

/** Writes `bench/results.md`, and the targets into `docs/performance.md`. */
export async function writeResults(outcomes: readonly Outcome[], machine: string): Promise<void> {
  const targets = targetTable(outcomes);
  const sections = outcomes.map((outcome) => {
    const [head = [], ...body] = rowsOf(outcome);
    return `## ${outcome.comparison.title}\n\n${markdownTable(head, body)}`;
  });
  const text = `# Results of \`npm run bench\`\n\n${machine}\n\nMedians [min..max]. Compare ratios, never times of two runs.\n\n## Targets\n\n${targets}\n\n${sections.join('\n\n')}\n`;
  await writeFormatted(RESULTS, text);
  const document = await readFile(DOCUMENT, 'utf8');
  await writeFormatted(DOCUMENT, document.replace(BLOCK, `$1\n${machine}\n\n${targets}\n\n$2`));
}

async function writeFormatted(file: string, text: string): Promise<void> {
  const options = await resolveConfig(file);
  await writeFile(file, await format(text, { ...options, filepath: file }));
}

interface Verdict {
  readonly target: Target;
  readonly title: string;
  readonly than: string;
  readonly demanded: string;
  readonly measured: string;
  readonly passed: boolean;
}

function verdictsOf({ comparison, measured }: Outcome): Verdict[] {
  return comparison.targets.map((target) => {
    const than = target.than ?? comparison.cases[0]?.name ?? '';
    const own = measured.find((m) => m.name === target.name && m.concurrency === target.concurrency);
    const speed = own?.speedOver.get(than) as Spread;
    const common = { target, title: comparison.title, than };
    if ('speed' in target) {
      const passed = speed.median >= target.speed;
      return { ...common, demanded: `>= ${target.speed}x as fast`, measured: `${ratio(speed)}`, passed };
    }
    const cost = { median: 1 / speed.median, min: 1 / speed.max, max: 1 / speed.min };
    const passed = cost.median <= target.cost;
    return { ...common, demanded: `<= ${target.cost}x the time`, measured: `${ratio(cost)}`, passed };
  });
}

const sentence = ({ target, than, demanded, measured, passed }: Verdict): string =>
  `${passed ? 'pass' : 'FAIL'}  ${target.name}, ${target.concurrency} at a time: ${measured} of ${than}, must be ${demanded}`;

function targetTable(outcomes: readonly Outcome[]): string {
  const head = ['work', 'case', 'at a time', 'compared with', 'must be', 'is', 'verdict'];
  const body = outcomes
    .flatMap(verdictsOf)
    .map((v) => [
      v.title,
      v.target.name,
      String(v.target.concurrency),
      v.than,
      v.demanded,
      v.measured,
      v.passed ? 'reached' : '**missed**',
    ]);
  return markdownTable(head, body);
}

function rowsOf({ comparison, measured }: Outcome): string[][] {
  const base = comparison.cases[0]?.name ?? '';
  const head = ['case', 'at a time', 'us', 'us of CPU', `speed, of ${base}`, 'counted, each'];
  const body = measured.map(({ name, concurrency, micros, processor, speedOver, counts }) => {
    const speed = speedOver.get(base);
    const times = [spread(micros), spread(processor)];
    return [name, String(concurrency), ...times, speed ? ratio(speed) : '1', countText(counts)];
  });
  return [head, ...body];
}

function countText(counts: Counts | undefined): string {
  if (!counts) return '-';
  const parts = Object.entries(counts).filter(([, count]) => count !== 0);
  return parts.map(([what, count]) => `${Number(count.toFixed(2))} ${what}`).join(', ') || '-';
}

const number = (value: number): string => String(Number(value.toPrecision(3)));
const spread = ({ median, min, max }: Spread): string => `${number(median)} [${number(min)}..${number(max)}]`;
const ratio = (speed: Spread): string => spread(speed);

function markdownTable(head: readonly string[], body: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...body.map(line)].join('\n');
}

function textTable(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map((row) => (row[i] ?? '').length)));
  return rows.map((row) => `  ${row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join('  ')}`).join('\n');
}
