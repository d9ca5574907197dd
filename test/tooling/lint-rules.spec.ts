import { jest } from '@jest/globals';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { ESLint } from 'eslint';
import { LAYERS } from '../../tools/lint/layers.mjs';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const eslint = new ESLint({ cwd: ROOT });

/** The rules that object to `code` in place of what `file` holds: type-checked rules want a file of the project. */
async function objections(file: string, code: string): Promise<(string | null)[]> {
  const [result] = await eslint.lintText(`${code}\n`, { filePath: `${ROOT}${file}` });
  return (result?.messages ?? []).map(({ ruleId, message }) => ruleId ?? message);
}

const MARK = 'lib/core/stamp.ts';

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
    ['drivers importing TypeORM', 'lib/drivers/memory.driver.ts', "export { DataSource } from 'typeorm';"],
    ['core importing Redis', MARK, "import { Redis } from 'ioredis'; export const x = Redis;"],
    ['TypeORM code importing Redis', 'lib/typeorm/catalog.ts', "export { Redis } from 'ioredis';"],
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
    ['core -> invalidation', MARK, "export { Invalidator } from '../invalidation/invalidator.js';"],
    ['core -> a driver', MARK, "export { MemoryDriver } from '../drivers/memory.driver.js';"],
    ['sql -> core', 'lib/sql/sql.types.ts', "export type { Token } from '../core/token.js';"],
    [
      'drivers -> invalidation',
      'lib/drivers/memory.driver.ts',
      "export * as x from '../invalidation/effect.js';",
    ],
    ['invalidation -> typeorm', 'lib/invalidation/effect.ts', "export * as x from '../typeorm/catalog.js';"],
    ['typeorm -> a driver', 'lib/typeorm/catalog.ts', "export * as x from '../drivers/memory.driver.js';"],
  ])('refuse the arrow: %s', async (_, file, code) => {
    await expect(objections(file, code)).resolves.toContain('import-x/no-restricted-paths');
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
