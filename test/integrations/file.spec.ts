import { execFile } from 'node:child_process';
import { appendFile, mkdtemp, readdir, rm, stat, truncate, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { run } from '../../lib/cli/run.js';
import { FileStore } from '../../lib/integrations/file.js';
import { Worker } from '../multi-process/worker.js';
import { check, sealed } from './file.values.js';

let directory: string;
let store: FileStore;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'cacheops-file-'));
  store = new FileStore({ directory });
});
afterEach(() => rm(directory, { recursive: true, force: true }));

async function files(folder: string): Promise<string[]> {
  const names = await readdir(join(directory, 'cacheops-entries', folder), {
    recursive: true,
    withFileTypes: true,
  });
  return names.filter((name) => name.isFile()).map((name) => join(name.parentPath, name.name));
}

/** Makes files older than what a sweep leaves alone. */
async function old(paths: readonly string[]): Promise<void> {
  for (const path of paths) await utimes(path, 0, 0);
}

describe('FileStore', () => {
  it('keeps bytes until they are replaced, deleted or run out', async () => {
    const key = 'any key: /../ \0 ü\n';
    await store.set(key, Buffer.from('one'), 60_000);
    await store.set(key, Buffer.from('two'), 60_000);
    expect(await store.get(key)).toEqual(Buffer.from('two'));
    expect(await new FileStore({ directory }).get(key)).toEqual(Buffer.from('two'));
    await store.set('short', Buffer.from('x'), 1);
    while (await store.get('short')) await new Promise(setImmediate);
    expect(await store.delete([key, 'short', 'none'])).toBe(1);
    expect(await store.get(key)).toBeUndefined();
  });

  it('lets nobody else look', async () => {
    const own = new FileStore({ directory: join(directory, 'deep/er') });
    await own.set('k', Buffer.from('x'), 60_000);
    for (const folder of ['deep', 'deep/er'])
      expect((await stat(join(directory, folder))).mode & 0o077).toBe(0);
  });

  it.each<[string, (file: string) => Promise<void>]>([
    ['truncated', (file) => truncate(file, 3)],
    ['longer', (file) => appendFile(file, 'more')],
    ['of other bytes', (file) => writeFile(file, 'other bytes')],
    ['gone', (file) => rm(file)],
  ])('finds nothing where a file is %s', async (_, damage) => {
    await store.set('k', Buffer.from('some bytes.'), 60_000);
    const [content, ...more] = await files('content-v2');
    expect(more).toEqual([]);
    await damage(content!);
    expect(await store.get('k')).toBeUndefined();
    await store.set('k', Buffer.from('some bytes.'), 60_000);
    await store.sweep();
  });

  it('keeps an index short, however often a key is written', async () => {
    for (let n = 0; n < 20; n++) await store.set('k', Buffer.from(String(n)), 60_000);
    const [bucket] = await files('index-v5');
    const { size } = await stat(bucket!);
    await store.sweep();
    expect((await stat(bucket!)).size).toBeLessThan(size / 10);
    expect(await store.get('k')).toEqual(Buffer.from('19'));
  });

  it('finds what was stored before the last line of an index, if that was torn', async () => {
    await store.set('k', Buffer.from('old'), 60_000);
    const [bucket] = await files('index-v5');
    const { size } = await stat(bucket!);
    await store.set('k', Buffer.from('new'), 60_000);
    await truncate(bucket!, (await stat(bucket!)).size - 5);
    expect(await store.get('k')).toEqual(Buffer.from('old'));
    await truncate(bucket!, size - 5);
    expect(await store.get('k')).toBeUndefined();
  });

  it('frees with a sweep what has run out, was replaced or deleted', async () => {
    await store.set('kept', Buffer.alloc(1000, 'a'), 60_000);
    await store.set('replaced', Buffer.alloc(1000, 'b'), 60_000);
    await store.set('replaced', Buffer.alloc(500, 'c'), 60_000);
    await store.set('deleted', Buffer.alloc(1000, 'd'), 60_000);
    await store.delete(['deleted']);
    await store.set('out', Buffer.alloc(1000, 'e'), 1);
    while (await store.get('out')) await new Promise(setImmediate);
    // Bytes that nobody points to may belong to a writer who is about to say so.
    expect(await store.sweep()).toEqual({ kept: 2, removed: 1, freed: 0 });
    await old(await files('content-v2'));
    await writeFile(join(directory, 'cacheops-entries/tmp/left-behind'), 'half');
    await old(await files('tmp'));
    expect(await store.sweep()).toEqual({ kept: 2, removed: 0, freed: 3004 });
    expect(await store.sweep()).toEqual({ kept: 2, removed: 0, freed: 0 });
    expect(await store.get('kept')).toHaveLength(1000);
    expect(await store.get('replaced')).toHaveLength(500);
    expect(await files('index-v5')).toHaveLength(2);
    expect(await new FileStore({ directory: join(directory, 'none') }).sweep()).toMatchObject({ kept: 0 });
    await expect(store.sweep({ minAge: 'some' })).rejects.toThrow(/sweep.minAge: expected a duration/);
  });
});

describe('cacheops sweep', () => {
  const lines: string[] = [];
  const output = {
    out: (text: string) => void lines.push(text),
    error: (text: string) => void lines.push(text),
  };
  beforeEach(() => (lines.length = 0));

  it('says what it has freed', async () => {
    await store.set('kept', Buffer.alloc(10), 60_000);
    await store.set('out', Buffer.alloc(1000), 1);
    while (await store.get('out')) await new Promise(setImmediate);
    await old(await files('content-v2'));
    expect(await run(['sweep', '--directory', directory, '--min-age', '1m'], output)).toBe(0);
    expect(lines).toEqual(['removed 1 entries, freed 1000 bytes, kept 1 entries']);
  });

  it('touches no directory that is none of a store', async () => {
    await writeFile(join(directory, 'tmp'), 'mine');
    expect(await run(['sweep', '--directory', directory], output)).toBe(1);
    expect(await run(['sweep'], output)).toBe(1);
    expect(lines.join('\n')).toMatch(
      /--directory: expected the directory of a FileStore[^]*FileStore.directory/,
    );
    expect(await readdir(directory)).toEqual(['tmp']);
  });

  it('runs as a program', async () => {
    await store.set('kept', Buffer.alloc(10), 60_000);
    const loader = fileURLToPath(new URL('../../tools/typescript.mjs', import.meta.url));
    const main = fileURLToPath(new URL('../../lib/cli/main.ts', import.meta.url));
    const args = ['--import', loader, main, 'sweep', '--directory', directory];
    const { stdout } = await promisify(execFile)(process.execPath, args);
    expect(stdout).toContain('kept 1 entries');
  });
});

describe('eight processes that write the same keys, while one sweeps', () => {
  const KEYS = 5;
  const workers: Worker[] = [];
  const open = (job: 'write' | 'sweep'): Worker => {
    const worker = Worker.start(new URL('./file.worker.ts', import.meta.url), [directory, String(KEYS), job]);
    workers.push(worker);
    return worker;
  };
  afterEach(async () => {
    for (const worker of workers.splice(0)) await worker.kill();
  });

  it('and are killed as they do: what is found is whole, and of its key', async () => {
    const writers = Array.from({ length: 8 }, () => open('write'));
    const sweeper = open('sweep');
    await Promise.all([...writers, sweeper].map((worker) => worker.next('ready')));
    for (const worker of [...writers, sweeper]) worker.send('go');

    const faults: string[] = [];
    let found = 0;
    const look = async (): Promise<void> => {
      for (let n = 0; n < KEYS; n++) {
        const bytes = await store.get(`key ${n}`);
        if (bytes) found++;
        const fault = bytes && check(`key ${n}`, bytes);
        if (fault) faults.push(fault);
      }
    };
    // What it says it has sent before it goes on: it dies in the middle of whatever comes next.
    for (const writer of writers.slice(0, 6)) {
      await writer.next('round');
      await writer.kill();
      await look();
    }
    await sweeper.next('round');
    await sweeper.kill();
    await look();
    const outcomes = writers.slice(6).map(async (writer) => {
      await writer.next('round');
      writer.send('end');
      return writer.next<{ faults: string[] }>('ended');
    });
    for (const outcome of await Promise.all(outcomes)) faults.push(...outcome.faults);
    await look();
    expect(faults).toEqual([]);
    expect(found).toBeGreaterThan(0);

    // Whatever they have left behind, the directory works, and is clean after a sweep.
    await old([...(await files('tmp')), ...(await files('content-v2'))]);
    await store.sweep();
    expect(await files('tmp')).toEqual([]);
    await store.set('key 0', sealed('key 0', Buffer.from('at last')), 60_000);
    expect((await store.get('key 0'))?.subarray(32).toString()).toBe('at last');
  });
});
