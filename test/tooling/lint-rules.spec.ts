import { jest } from '@jest/globals';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { ESLint } from 'eslint';
import { LAYERS } from '../../tools/lint/layers.mjs';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const eslint = new ESLint({
  cwd: ROOT,
  // In CI typescript-eslint would take the files from the disk instead of the text that is given here.
  overrideConfig: { languageOptions: { parserOptions: { disallowAutomaticSingleRunInference: true } } },
});

/** The rules that object to `code` in place of what `file` holds: type-checked rules want a file of the project. */
async function objections(file: string, code: string): Promise<(string | null)[]> {
  const [result] = await eslint.lintText(`${code}\n`, { filePath: `${ROOT}${file}` });
  return (result?.messages ?? []).map(({ ruleId, message }) => ruleId ?? message);
}

const MARK = 'lib/core/stamp.ts';

/** Some file of a layer, so that a renamed one does not matter here. */
function fileOf(layer: string): string {
  const file = readdirSync(`${ROOT}lib/${layer}`).find((name) => /^[\w.-]+(?<!\.interface)\.ts$/.test(name));
  return `lib/${layer}/${file}`;
}

describe('the lint rules', () => {
  // The first call loads TypeScript and the program.
  jest.setTimeout(60_000);

  it('have nothing against a file that keeps them', async () => {
    const code = "import { EVERYTHING } from './token.js';\n\nexport const all = [EVERYTHING];";
    await expect(objections('lib/core/entry.ts', code)).resolves.toEqual([]);
  });

  it('know every folder of lib', () => {
    const folders = readdirSync(`${ROOT}lib`, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    expect(Object.keys(LAYERS)).toEqual(expect.arrayContaining(folders.map(({ name }) => name)));
  });

  it.each([
    ['core importing TypeORM', MARK, "import { DataSource } from 'typeorm'; export const x = DataSource;"],
    [
      'core importing a type of TypeORM',
      MARK,
      "import type { DataSource } from 'typeorm'; export type X = DataSource;",
    ],
    [
      'core importing Nest',
      MARK,
      "import { Injectable } from '@nestjs/common'; export const x = Injectable;",
    ],
    ['drivers importing TypeORM', fileOf('drivers'), "export { DataSource } from 'typeorm';"],
    ['core importing Redis', MARK, "import { Redis } from 'ioredis'; export const x = Redis;"],
    ['TypeORM code importing Redis', fileOf('typeorm'), "export { Redis } from 'ioredis';"],
    ['a subpath of TypeORM', MARK, "export { ColumnMetadata } from 'typeorm/metadata/ColumnMetadata.js';"],
    [
      'a root error file importing TypeORM',
      'lib/cacheops.errors.ts',
      "export { DataSource } from 'typeorm';",
    ],
  ])('refuse the package: %s', async (_, file, code) => {
    await expect(objections(file, code)).resolves.toContain('no-restricted-imports');
  });

  it.each([
    ['core', 'invalidation'],
    ['core', 'drivers'],
    ['sql', 'core'],
    ['drivers', 'invalidation'],
    ['invalidation', 'typeorm'],
    ['typeorm', 'drivers'],
  ])('refuse the arrow %s -> %s', async (from, to) => {
    const code = `export * as x from '../${fileOf(to).slice('lib/'.length).replace(/\.ts$/, '.js')}';`;
    await expect(objections(fileOf(from), code)).resolves.toContain('import-x/no-restricted-paths');
  });

  it.each([
    ['a port of the drivers', "export type { CacheDriver } from '../drivers/cache-driver.interface.js';"],
    ['the errors', "export { CacheOpsError } from '../cacheops.errors.js';"],
  ])('let core import %s', async (_, code) => {
    await expect(objections(MARK, code)).resolves.not.toContain('import-x/no-restricted-paths');
  });

  it.each([
    ['of values', "export { PendingStamp } from './entry.js';"],
    ['of types only', "import type { Entry } from './entry.js';\n\nexport type X = Entry;"],
    ['through an import type', "export type X = import('./entry.js').Entry;"],
  ])('refuse an import cycle %s', async (_, code) => {
    // entry.ts imports token.ts.
    await expect(objections('lib/core/token.ts', code)).resolves.toContain('local/no-import-cycle');
  });

  it.each([
    ['@typescript-eslint/no-explicit-any', 'export const x: any = 1;'],
    ['@typescript-eslint/no-floating-promises', 'export const f = (): void => {\n  Promise.resolve(1);\n};'],
    ['@typescript-eslint/no-misused-promises', 'export const f = (p: Promise<boolean>) => (p ? 1 : 2);'],
    ['@typescript-eslint/no-unused-vars', 'const x = 1;'],
    [
      '@typescript-eslint/consistent-type-imports',
      "import { Token } from './token.js';\n\nexport const x: Token = 'x';",
    ],
    ['no-restricted-syntax', "export * from './token.js';"],
    ['no-console', "console.log('x');"],
    ['max-lines', Array.from({ length: 301 }, (_, i) => `export const x${i} = ${i};`).join('\n')],
    ['max-lines-per-function', `export function f() {\n${'  f();\n'.repeat(60)}}`],
  ])('enforce %s', async (rule, code) => {
    await expect(objections(MARK, code)).resolves.toContain(rule);
  });
});
