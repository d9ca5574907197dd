import { mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FileRegister } from '../../lib/locks/drivers/file.register.js';
import { ownedName } from '../support/servers/owner.mjs';

let folder: string;
let time: number;
const register = () => new FileRegister(folder, () => time);
const generations = async () => (await readdir(folder)).filter((name) => /^\d+$/.test(name)).map(Number);

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), ownedName()));
  time = 1_000_000;
});
afterEach(() => rm(folder, { recursive: true }));

describe('FileRegister', () => {
  it('is empty at first, and then what was written last', async () => {
    const one = register();
    const empty = await one.read();
    expect(empty).toMatchObject({ generation: 0, text: '' });
    expect(await one.replace(empty, 'a\nb', true)).toBe(true);
    expect(await register().read()).toMatchObject({ generation: 1, text: 'a\nb', writtenAt: time });
  });

  it('is replaced by the first of those who saw the same', async () => {
    const value = await register().read();
    const outcomes = await Promise.all(
      Array.from({ length: 16 }, (_, i) => register().replace(value, `${i}`, false)),
    );
    expect(outcomes.filter(Boolean)).toHaveLength(1);
    expect((await register().read()).text).toBe(`${outcomes.indexOf(true)}`);
  });

  it('does not trust a replacement that took too long, whether it counts or not', async () => {
    const slow = register();
    const seen = await slow.read();
    time += 501;
    expect(await slow.replace(seen, 'late, but nobody else was there', false)).toBe(false);
    expect((await register().read()).text).toBe('late, but nobody else was there');
  });

  it('is not fooled by a number that was taken, and freed again while a writer slept', async () => {
    const [sleeper, busy] = [register(), register()];
    const seen = await sleeper.read();
    for (let i = 1; i <= 20; i++) {
      expect(await busy.replace(await busy.read(), `${i}`, false)).toBe(true);
      time += 200;
    }
    expect(await generations()).not.toContain(1);
    expect(await sleeper.replace(seen, 'stale', false)).toBe(false);
    expect(await generations()).toContain(1);
    expect((await register().read()).text).toBe('20');
    for (let i = 21; i <= 40; i++, time += 200) await busy.replace(await busy.read(), `${i}`, false);
    expect(await generations()).not.toContain(1);
  });

  it('keeps what was overtaken for a second, and not much longer', async () => {
    const one = register();
    for (let i = 0; i < 50; i++) await one.replace(await one.read(), 'x', false);
    expect(await generations()).toHaveLength(50);
    for (let i = 0; i < 20; i++, time += 125) await one.replace(await one.read(), 'x', false);
    expect((await generations()).length).toBeLessThanOrEqual(12);
  });

  it('is tidied up by writers that live for one write', async () => {
    for (let i = 0; i < 20; i++, time += 1_500)
      await register().replace(await register().read(), `${i}`, false);
    expect((await generations()).length).toBeLessThanOrEqual(3);
    expect((await register().read()).text).toBe('19');
  });

  it.each([
    ['is empty', ''],
    ['holds zeros', '\0'.repeat(80)],
  ])(
    'falls back to what was written before, when a power failure has left a file that %s',
    async (_, lost) => {
      const one = register();
      await one.replace(await one.read(), 'whole', true);
      for (const generation of [2, 3]) await writeFile(join(folder, String(generation)), lost);
      const value = await register().read();
      expect(value).toMatchObject({ generation: 3, text: 'whole' });
      expect(await register().replace(value, 'next', true)).toBe(true);
      expect(await register().read()).toMatchObject({ generation: 4, text: 'next' });
    },
  );

  it('begins anew when a power failure has left nothing', async () => {
    await register().read();
    await writeFile(join(folder, '7'), '');
    expect(await register().read()).toMatchObject({ generation: 7, text: '' });
  });

  it('removes the drafts of writers that were killed, and leaves those of others', async () => {
    const [old, fresh] = [join(folder, 'draft-old'), join(folder, 'draft-fresh')];
    for (const draft of [old, fresh]) await writeFile(draft, 'half');
    const longAgo = new Date(Date.now() - 120_000);
    await utimes(old, longAgo, longAgo);
    expect((await register().read()).generation).toBe(0);
    expect(await readdir(folder)).toEqual(['draft-fresh']);
  });
});
