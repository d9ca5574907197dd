import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ERROR_CODES } from '../../lib/cacheops.errors.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

function documents(): string[] {
  const docs = readdirSync(`${ROOT}docs`, { recursive: true, encoding: 'utf8' });
  const top = readdirSync(ROOT);
  return [...top, ...docs.map((name) => `docs/${name}`)].filter((name) => name.endsWith('.md'));
}

/** Text without code, where brackets and hashes mean something else. */
function prose(file: string): string {
  return readFileSync(`${ROOT}${file}`, 'utf8')
    .replace(/^(```+)[^]*?^\1/gm, '')
    .replace(/`[^`\n]*`/g, (code) => code.replace(/[[\]()#]/g, ' '));
}

/** The anchors GitHub gives to the headings of a document. */
function anchors(file: string): string[] {
  const text = readFileSync(`${ROOT}${file}`, 'utf8').replace(/^(```+)[^]*?^\1/gm, '');
  return [...text.matchAll(/^#+ +(.+)$/gm)].map(([, heading = '']) =>
    heading
      .trim()
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replace(/ /g, '-'),
  );
}

/** The relative links of a document that lead nowhere. */
function brokenLinks(file: string): string[] {
  const links = [...prose(file).matchAll(/\]\(([^)\s]+)(?: "[^"]*")?\)/g)].map(([, link = '']) => link);
  return links.filter((link) => {
    if (/^[a-z]+:/.test(link)) return false;
    const [path = '', anchor] = link.split('#');
    const target = path === '' ? `${ROOT}${file}` : resolve(dirname(`${ROOT}${file}`), path);
    if (!existsSync(target)) return true;
    return (
      anchor !== undefined && target.endsWith('.md') && !anchors(target.slice(ROOT.length)).includes(anchor)
    );
  });
}

describe('docs/errors.md', () => {
  it('explains every error code, in the order of the code, and no other', () => {
    const text = readFileSync(`${ROOT}docs/errors.md`, 'utf8');
    const codes = [...text.matchAll(/^\| `([A-Z_]+)` +\| [^|]{10,} \| [^|]{10,} \|$/gm)].map(
      ([, code]) => code,
    );
    expect(codes).toEqual(Object.keys(ERROR_CODES));
  });
});

describe.each(documents())('%s', (file) => {
  it('has no broken relative links', () => {
    expect(brokenLinks(file)).toEqual([]);
  });
});
