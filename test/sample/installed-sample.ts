import { execFile } from 'node:child_process';
import { cp, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { ownedName } from '../support/servers/owner.mjs';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const TSC = join(ROOT, 'node_modules/typescript/bin/tsc');
const run = promisify(execFile);

export interface Outcome {
  readonly code: number;
  readonly output: string;
}

/**
 * The sample beside an installed copy of this package, both compiled: what a user of the package has. The repository's
 * own `dist` stays as it is, because other specs may be looking at it.
 */
export class InstalledSample {
  private constructor(private readonly folder: string) {}

  static async build(): Promise<InstalledSample> {
    const folder = join(ROOT, '.tmp', ownedName());
    const library = join(folder, 'node_modules/nestjs-cacheops');
    const sample = join(folder, 'sample/films');
    await mkdir(library, { recursive: true });
    // Without a package.json of its own the folder would be a part of this package, and import its `dist`.
    await writeFile(join(folder, 'package.json'), '{ "type": "module" }');
    await cp(join(ROOT, 'tsconfig.json'), join(folder, 'tsconfig.json'));
    await cp(join(ROOT, 'package.json'), join(library, 'package.json'));
    await cp(join(ROOT, 'sample/films'), sample, {
      recursive: true,
      filter: (path) => !path.endsWith('/dist'),
    });
    await compile('-p', join(ROOT, 'tsconfig.build.json'), '--outDir', join(library, 'dist'));
    await compile('-p', join(sample, 'tsconfig.json'));
    return new InstalledSample(folder);
  }

  /** @param env beside PATH, the only variables that the process gets */
  async demo(env: NodeJS.ProcessEnv): Promise<Outcome> {
    const args = [join(this.folder, 'sample/films/dist/main.js'), '--demo'];
    try {
      const { stdout, stderr } = await run(process.execPath, args, {
        env: { PATH: process.env['PATH'], ...env },
      });
      return { code: 0, output: stdout + stderr };
    } catch (error) {
      const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
      return { code, output: stdout + stderr };
    }
  }

  remove(): Promise<void> {
    return rm(this.folder, { recursive: true, force: true });
  }
}

async function compile(...args: string[]): Promise<void> {
  try {
    await run(process.execPath, [TSC, ...args]);
  } catch (error) {
    throw new Error((error as { stdout: string }).stdout, { cause: error });
  }
}
