import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { jest } from '@jest/globals';
import { CacheOpsConfigError } from '../../lib/cacheops.errors.js';
import { hostTime, isGone, ownProcess } from '../../lib/locks/drivers/file.host-process.js';
import { FileLockDriver } from '../../lib/locks/drivers/file.lock-driver.js';
import { FileRegister } from '../../lib/locks/drivers/file.register.js';
import type { LockRequest } from '../../lib/locks/lock-driver.interface.js';
import { ownedName } from '../support/servers/owner.mjs';
import { request } from './requests.js';

const LOADER = fileURLToPath(new URL('../../tools/typescript.mjs', import.meta.url));
const child = (script: string, ...args: string[]) =>
  spawn(
    process.execPath,
    ['--import', LOADER, fileURLToPath(new URL(`children/${script}`, import.meta.url)), ...args],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );

let folder: string;
let driver: FileLockDriver;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), ownedName()));
  driver = new FileLockDriver({ folder });
});
afterEach(async () => {
  await driver.close();
  await rm(folder, { recursive: true });
});

const tokenOf = async (options?: Partial<LockRequest>): Promise<number> => {
  const asked = request(options);
  const reply = await driver.acquire(asked);
  await driver.release(asked);
  return (reply.granted && reply.fencingToken) || NaN;
};

/** Rewrites what is stored for the only name, as another process or another start of the machine would have. */
async function rewrite(change: (stored: { leases: { process: object }[] }) => void, writtenAt = hostTime()) {
  const [name] = (await readdir(folder)) as [string];
  const register = new FileRegister(join(folder, name), () => writtenAt);
  const stored = JSON.parse((await register.read()).text) as { leases: { process: object }[] };
  change(stored);
  await register.replace(await register.read(), JSON.stringify(stored), false);
}

describe('FileLockDriver', () => {
  it('frees at once what a killed process held', async () => {
    const holder = child('hold-file.ts', folder, 'a');
    const [reply] = (await once(holder.stdout, 'data')) as [Buffer];
    expect(JSON.parse(String(reply))).toMatchObject({ granted: true });
    expect((await driver.acquire(request())).granted).toBe(false);
    holder.kill('SIGKILL');
    await once(holder, 'exit');
    const next = await driver.acquire(request());
    expect(next).toMatchObject({ granted: true });
    const [mine, theirs] = [next, JSON.parse(String(reply))] as { fencingToken: number }[];
    expect(mine?.fencingToken).toBeGreaterThan(theirs?.fencingToken ?? NaN);
  });

  it('loses no change of eight processes', async () => {
    const counters = Array.from({ length: 8 }, () => child('count.ts', join(folder, 'n'), '100'));
    const codes = await Promise.all(counters.map(async (each) => (await once(each, 'exit'))[0] as number));
    expect(codes).toEqual(counters.map(() => 0));
    expect((await new FileRegister(join(folder, 'n'), hostTime).read()).text).toBe('800');
  }, 60_000);

  it('keeps eight processes apart that take one name and several', async () => {
    const counters = await mkdtemp(join(tmpdir(), ownedName()));
    const names = ['a', 'b', 'c'];
    for (const name of names) await writeFile(join(counters, name), '0 0');
    const workers = Array.from({ length: 8 }, (_, i) =>
      child('share-file.ts', folder, counters, `w${i}`, '20'),
    );
    const reports = await Promise.all(
      workers.map(async ({ stdout }) => {
        let text = '';
        for await (const chunk of stdout) text += String(chunk);
        return JSON.parse(text) as { counted: Record<string, number>; wrong: string[] };
      }),
    );
    expect(reports.flatMap(({ wrong }) => wrong)).toEqual([]);
    for (const name of names) {
      const [count] = (await readFile(join(counters, name), 'utf8')).split(' ');
      expect(Number(count)).toBe(reports.reduce((sum, { counted }) => sum + (counted[name] ?? 0), 0));
    }
    await rm(counters, { recursive: true });
  }, 60_000);

  it.each([
    ['another start of the machine', { boot: 'other' }, true],
    ['an id that was given again', { start: '1' }, true],
    ['an id that nobody has', { pid: 2 ** 22 + 1 }, true],
    ['another container, whose ids mean nothing here', { namespace: 'pid:[1]', pid: 2 ** 22 + 1 }, false],
    ['a start of the machine that could not be read', { boot: '' }, false],
    ['a beginning that could not be read', { start: '' }, false],
    ['this process', {}, false],
  ])('knows whether a holder is gone: %s', async (_, change, gone) => {
    await driver.acquire(request());
    await rewrite(({ leases }) => Object.assign(leases[0]?.process ?? {}, change));
    expect((await driver.acquire(request())).granted).toBe(gone);
    expect(isGone({ ...ownProcess(), ...change })).toBe(gone);
  });

  it('does not believe in leases of a clock that has begun anew', async () => {
    await driver.acquire(request());
    await rewrite(() => undefined, hostTime() + 3_600_000);
    expect((await driver.acquire(request())).granted).toBe(true);
  });

  it('goes on when a power failure has emptied its files', async () => {
    const before = await tokenOf();
    const [name] = (await readdir(folder)) as [string];
    for (const file of ['1', '2']) await writeFile(join(folder, name, file), '');
    expect(await tokenOf()).toBeGreaterThan(before);
  });

  it('gives rising tokens though the wall clock goes back', async () => {
    const tokens = [await tokenOf()];
    const now = jest.spyOn(Date, 'now');
    for (const shift of [-3_600_000, 3_600_000, -86_400_000]) {
      const shifted = Date.now() + shift;
      now.mockReturnValueOnce(shifted);
      tokens.push(await tokenOf());
    }
    now.mockRestore();
    expect(tokens).toEqual([...new Set(tokens)].sort((a, b) => a - b));
  });

  it('gives tokens that are whole and safe, however wrong the wall clock is', async () => {
    const now = jest.spyOn(Date, 'now');
    const tokens: number[] = [];
    for (const wrong of [Date.now() + 0.7, Date.now() + 1e16, Date.now()]) {
      now.mockReturnValueOnce(wrong);
      tokens.push(await tokenOf());
    }
    now.mockRestore();
    expect(tokens.every((token) => Number.isSafeInteger(token + 1_000_000))).toBe(true);
    expect(tokens).toEqual([...new Set(tokens)].sort((a, b) => a - b));
  });

  it('leaves one small folder a name behind', async () => {
    for (const name of ['a', 'b', '../c', '/d']) await tokenOf({ names: [name] });
    const folders = await readdir(folder);
    expect(folders).toHaveLength(4);
    expect(folders.every((name) => /^[0-9a-f]{32}$/.test(name))).toBe(true);
  });

  it.each([['relative/path'], [''], [undefined], [7]])('refuses the folder %p', (bad) => {
    expect(() => new FileLockDriver({ folder: bad as string })).toThrow(CacheOpsConfigError);
    expect(() => new FileLockDriver({ folder: bad as string })).toThrow(
      /^folder: expected an absolute path, got/,
    );
  });

  it('says which folder cannot be used, and which file is not its own', async () => {
    await writeFile(join(folder, 'file'), '');
    const blocked = new FileLockDriver({ folder: join(folder, 'file') });
    await expect(blocked.acquire(request())).rejects.toMatchObject({ code: 'DRIVER' });
    await rm(join(folder, 'file'));
    await tokenOf();
    const [name] = (await readdir(folder)) as [string];
    await mkdir(join(folder, name), { recursive: true });
    await writeFile(join(folder, name, '99'), 'something else');
    await expect(driver.acquire(request())).rejects.toThrow(
      `${name}/99 is not what the file lock driver writes`,
    );
  });
});
