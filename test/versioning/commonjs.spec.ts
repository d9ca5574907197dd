import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const path = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url));

/** An application that `require`s TypeORM, and a guard that imports it: there is one TypeORM, and it is guarded. */
it('guards the entities of a CommonJS application', async () => {
  const args = ['--import', path('../../tools/typescript.mjs'), path('commonjs.cjs')];
  const { stdout } = await run(process.execPath, args, { timeout: 60_000 });
  expect(JSON.parse(stdout.trim().split('\n').at(-1)!)).toEqual({
    code: 'RECORD_MODIFIED',
    expected: 1,
    actual: 2,
    saved: 2,
  });
}, 60_000);
