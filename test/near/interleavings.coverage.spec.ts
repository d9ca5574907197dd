import { readdirSync, readFileSync } from 'node:fs';

/** Orders of events in the list that the tests of interleavings*.spec.ts bear the numbers of. */
const INTERLEAVINGS = 18;

it('each of the known interleavings has a test under its number', () => {
  const folder = new URL('.', import.meta.url);
  const titles = readdirSync(folder)
    .filter((name) => /^interleavings.*\.spec\.ts$/.test(name))
    .map((name) => readFileSync(new URL(name, folder), 'utf8'))
    .join('\n')
    .matchAll(/\(\s*'(\d+)\. /g);
  const numbers = new Set([...titles].map(([, number]) => Number(number)));
  expect([...numbers].sort((a, b) => a - b)).toEqual(Array.from({ length: INTERLEAVINGS }, (_, i) => i + 1));
});
