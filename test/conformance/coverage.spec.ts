import { readdirSync, readFileSync } from 'node:fs';
import { CACHEME_CASE_IDS, CASE_IDS, ICACHE_CASE_IDS, LOCK_CASE_IDS, VERSION_CASE_IDS } from './ids.js';

const folder = new URL('.', import.meta.url);
const IDS = String.raw`CO-X?\d+(?: and CO-X?\d+)*`;

/** Ids at the start of the titles of tests; a title of a `describe` is no test. */
function tested(): Set<string> {
  const title = new RegExp(String.raw`(?<!describe\(\s*)['"\`](${IDS})[ :]`, 'g');
  const files = readdirSync(folder).filter((name) => name.endsWith('.spec.ts'));
  const titles = files.flatMap((name) => [...readFileSync(new URL(name, folder), 'utf8').matchAll(title)]);
  return new Set(titles.flatMap(([, ids]) => ids!.split(' and ')));
}

/** Ids that begin a row of the tables in docs/conformance.md below a heading. */
function documented(heading: string): Set<string> {
  const text = readFileSync(new URL('../../docs/conformance.md', folder), 'utf8');
  const section = text.split(/^## /m).find((part) => part.startsWith(heading));
  if (section === undefined) throw new Error(`docs/conformance.md has no section "${heading}"`);
  return new Set([...section.matchAll(/^\|\s*(CO-X?\d+)\s*\|\s*\S/gm)].map(([, id]) => id!));
}

describe('the conformance suite', () => {
  const titles = tested();
  const without = documented('Cases without a test');

  it('has a test for every case, or a reason in docs/conformance.md', () => {
    expect(CASE_IDS.filter((id) => !titles.has(id) && !without.has(id))).toEqual([]);
  });

  it('gives no reason for a case that has a test', () => {
    expect([...without].filter((id) => titles.has(id))).toEqual([]);
  });

  it('knows no other cases', () => {
    const known = new Set(CASE_IDS);
    const others = [...titles, ...without, ...documented('Cases with another meaning')].filter(
      (id) => !known.has(id),
    );
    expect(others).toEqual([]);
  });
});

describe.each([
  ['django-concurrency', 'CC', 'versioning', VERSION_CASE_IDS],
  ['django-cache-lock', 'CL', 'locks', LOCK_CASE_IDS],
  ['the cacheme family', 'CM', 'conformance', CACHEME_CASE_IDS],
  ['django-icache', 'IC', 'nest', ICACHE_CASE_IDS],
])('the cases of %s', (_, prefix, where, ids) => {
  it(`have a test in test/${where}, or a reason in docs/conformance.md`, () => {
    const at = new URL(`../${where}/`, folder);
    const files = readdirSync(at, { recursive: true, encoding: 'utf8' }).filter((name) =>
      name.endsWith('.ts'),
    );
    const texts = files.map((name) => readFileSync(new URL(name, at), 'utf8')).join('\n');
    const id = String.raw`${prefix}-X?\d+`;
    const title = new RegExp(String.raw`['"\`](${id}(?:(?: and |, )${id})*)[ :]`, 'g');
    const found = new Set([...texts.matchAll(title)].flatMap(([, tested]) => tested!.split(/ and |, /)));
    const docs = readFileSync(new URL('../../docs/conformance.md', folder), 'utf8');
    const row = new RegExp(String.raw`^\|\s*(${id})\s*\|\s*\S`, 'gm');
    const reasons = new Set([...docs.matchAll(row)].map(([, reason]) => reason!));
    expect(ids.filter((each) => !found.has(each) && !reasons.has(each))).toEqual([]);
    expect([...reasons].filter((each) => found.has(each))).toEqual([]);
    expect([...found, ...reasons].filter((each) => !ids.includes(each))).toEqual([]);
  });
});
