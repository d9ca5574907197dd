import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Test } from '@nestjs/testing';
import { TypeOrmModule } from '@nestjs/typeorm';
import { CacheOpsModule, CacheOpsService, FenceError, LockService } from 'nestjs-cacheops';
import { NunjucksCache } from 'nestjs-cacheops/nunjucks';
import { DataSource } from 'typeorm';
import { Box, Seat } from '../../sample/examples/locks.example.js';
import { Profiles, register, Reports } from '../../sample/examples/stores.example.js';
import { Shops } from '../../sample/examples/templates.example.js';
import { Menu } from '../../sample/examples/versioned-cache.example.js';

const ROOT = new URL('../../', import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, ROOT), 'utf8');

/** Each code block of the docs below a link to the example that it is a part of. */
const quoted = readdirSync(new URL('docs/', ROOT))
  .filter((name) => name.endsWith('.md'))
  .flatMap((page) =>
    [
      ...read(`docs/${page}`).matchAll(
        /\]\(\.\.\/(sample\/examples\/[\w.-]+)\)[^`]*?\n\n```\w+\n([^]*?)\n```/g,
      ),
    ].map(([, file, code]) => ({ page, file: file as string, code: code as string })),
  );

describe('the docs', () => {
  it.each(quoted)('$page quotes $file as it is', ({ file, code }) => {
    expect(existsSync(new URL(file, ROOT))).toBe(true);
    expect(read(file)).toContain(code);
  });

  it('quote every example', () => {
    const examples = readdirSync(new URL('sample/examples/', ROOT)).filter((name) =>
      name.includes('.example.'),
    );
    const files = new Set(quoted.map(({ file }) => file));
    expect(examples.filter((name) => !files.has(`sample/examples/${name}`))).toEqual([]);
  });
});

describe('docs/versioned-cache.md', () => {
  it('renders a menu again when its shop or all of them change', async () => {
    const app = await Test.createTestingModule({
      imports: [CacheOpsModule.forRoot()],
      providers: [Menu],
    }).compile();
    const menu = app.get(Menu);
    let renders = 0;
    const html = (shop: number) => menu.html(shop, async () => `menu ${++renders}`);
    expect([await html(1), await html(2), await html(1)]).toEqual(['menu 1', 'menu 2', 'menu 1']);
    await menu.changed(1);
    expect([await html(1), await html(2)]).toEqual(['menu 3', 'menu 2']);
    await menu.allChanged();
    expect([await html(1), await html(2)]).toEqual(['menu 4', 'menu 5']);
    await app.close();
  });
});

describe('docs/locks.md', () => {
  it('books a seat once, skips what another one does, refuses who comes back late', async () => {
    const app = await Test.createTestingModule({
      imports: [
        TypeOrmModule.forRoot({ type: 'sqljs', entities: [Seat], synchronize: true }),
        CacheOpsModule.forRoot(),
      ],
      providers: [Box],
    }).compile();
    await app.init();
    const box = app.get(Box);
    const locks = app.get(LockService);
    const seats = app.get(DataSource).getRepository(Seat);
    await seats.insert({ id: 1, guest: null });
    const booked = await Promise.all(['Ada', 'Bob', 'Eve'].map((guest) => box.book(1, guest)));
    expect(booked).toEqual([true, false, false]);
    expect(await seats.findOneBy({ id: 1 })).toEqual({ id: 1, guest: 'Ada' });

    expect(await box.tidy(async () => expect(await box.tidy(async () => undefined)).toBe(false))).toBe(true);

    const early = await locks.acquire('seat:1');
    await early.release();
    const late = await locks.acquire('seat:1');
    await box.cancel(1, late);
    await expect(box.cancel(1, early)).rejects.toBeInstanceOf(FenceError);
    await late.release();
    await app.close();
  });
});

describe('docs/templates.md', () => {
  it('renders fragments once, and some for each customer', async () => {
    const app = await Test.createTestingModule({
      imports: [CacheOpsModule.forRoot()],
      providers: [NunjucksCache, Shops],
    }).compile();
    const shops = app.get(Shops);
    let reads = 0;
    const prices = async () => [{ name: 'A & B', amount: ++reads }];
    const page = await shops.page(1, prices);
    expect(page).toContain('<li>A &amp; B: 1</li>');
    expect(await shops.page(1, prices)).toBe(page);
    expect(await shops.page(2, prices)).toContain('<li>A &amp; B: 2</li>');
    const greetings = [{ id: 1, name: 'Ada' }, { id: 2, name: 'Bob' }, { id: 1, name: 'Eve' }, undefined];
    const texts = [];
    for (const user of greetings) texts.push(await shops.greeting(user));
    expect(texts).toEqual(['Hello, Ada', 'Hello, Bob', 'Hello, Ada', 'Hello, guest']);
    await app.close();
  });
});

describe('docs/stores.md', () => {
  it('keeps reports in files and profiles behind CACHE_MANAGER, and forgets both by tags', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'cacheops-example-'));
    const app = await Test.createTestingModule({ imports: [register(directory)] }).compile();
    let made = 0;
    const report = () => app.get(Reports).report(1, async () => Buffer.from(`report ${++made}`));
    const profile = async () => app.get(Profiles).profile(7, async () => ({ n: ++made }));
    expect([String(await report()), String(await report()), await profile(), await profile()]).toEqual([
      'report 1',
      'report 1',
      { n: 2 },
      { n: 2 },
    ]);
    await app.get(CacheOpsService).invalidate('shop 1', 'user 7');
    expect([String(await report()), await profile()]).toEqual(['report 3', { n: 4 }]);
    await app.close();
    await rm(directory, { recursive: true });
  });
});
