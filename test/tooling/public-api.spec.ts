import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { optionalPeerLeaks } from '../../tools/optional-peers.mjs';
import { publicApi } from '../../tools/public-api.mjs';

const MANIFEST = JSON.stringify({
  name: 'pkg',
  exports: {
    '.': { types: './dist/index.d.ts', default: './dist/index.js' },
    './extra': { types: './dist/extra/index.d.ts', default: './dist/extra/index.js' },
    './package.json': './package.json',
  },
  peerDependenciesMeta: { opt: { optional: true }, need: { optional: false } },
});

let root: string;
const write = (files: Record<string, string>) => {
  for (const [name, text] of Object.entries({ 'package.json': MANIFEST, ...files })) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), text);
  }
};
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'public-api-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

describe('publicApi', () => {
  it('lists what each entry exports, sorted, through re-exports, without comments and private members', () => {
    write({
      'dist/index.d.ts':
        "export { B, type A as Renamed } from './inner.js';\nexport declare const a: 1, c: 2;\n",
      'dist/inner.d.ts': `
        /** Not an API. */
        export declare class B { #x; private y; protected z(): void; /** doc */ w: number; }
        export interface A { readonly n: string }
        export declare function notExported(): void;`,
      'dist/extra/index.d.ts':
        'export declare function f(x: number): string;\nexport type { A } from "../inner.js";',
    });
    expect(publicApi(root)).toMatchInlineSnapshot(`
     "# pkg

     B
       class B {
           protected z(): void;
           w: number;
       }

     Renamed
       interface A {
           readonly n: string;
       }

     a
       const a: 1, c: 2

     c
       const a: 1, c: 2

     # pkg/extra

     A
       interface A {
           readonly n: string;
       }

     f
       function f(x: number): string
     "
    `);
  });

  it('leaves out an entry that has no source yet, and refuses one that was not built', () => {
    write({ 'dist/index.d.ts': 'export declare const a: 1;' });
    expect(publicApi(root)).not.toContain('pkg/extra');
    write({ 'lib/extra/index.ts': 'export const b = 1;' });
    expect(() => publicApi(root)).toThrow('pkg/extra is not built');
  });

  it('refuses an export that leads nowhere', () => {
    write({ 'dist/index.d.ts': "export { missing } from './missing.js';" });
    expect(() => publicApi(root)).toThrow('missing');
  });
});

describe('optionalPeerLeaks', () => {
  it.each([
    ['an import', "import type { X } from 'opt';\nexport type Y = X;"],
    ['a re-export of a subpath', "export type { X } from 'opt/sub';"],
    ['an import type', "export type Y = import('opt').X;"],
    ['a type reference', '/// <reference types="opt" />\nexport {};'],
    ['an augmentation', "declare module 'opt' { interface X { y: 1 } }\nexport {};"],
  ])('finds %s in a declaration behind the root', (_, code) => {
    write({ 'dist/index.d.ts': "export * from './inner.js';", 'dist/index.js': '', 'dist/inner.d.ts': code });
    expect(optionalPeerLeaks(root)).toEqual([expect.stringMatching(/^dist\/inner\.d\.ts: opt/)]);
  });

  it('finds a static import in the code, and lets a dynamic one be', () => {
    write({
      'dist/index.d.ts': "export type { N } from 'need';",
      'dist/index.js': "import './inner.js';\nexport const f = () => import('opt');",
      'dist/inner.js': "import { x } from 'opt';\nexport { y } from 'optional-but-other';",
    });
    expect(optionalPeerLeaks(root)).toEqual(['dist/inner.js: opt']);
  });

  it('does not look at other entries', () => {
    write({ 'dist/index.d.ts': '', 'dist/index.js': '', 'dist/extra/index.d.ts': "export * from 'opt';" });
    expect(optionalPeerLeaks(root)).toEqual([]);
  });
});
