import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { Test } from '@nestjs/testing';
import { CacheOpsModule } from 'nestjs-cacheops';
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
