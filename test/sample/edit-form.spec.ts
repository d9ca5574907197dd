import type { INestApplication } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { type Browser, chromium, type Page } from 'playwright-core';
import { DataSource } from 'typeorm';
import { AppModule } from '../../sample/films/app.module.js';
import { readEnvironment } from '../../sample/films/environment.js';
import { Film } from '../../sample/films/films/film.entity.js';
import { findBrowser } from '../support/browser.mjs';

/** A fresh machine installs the browser first. */
const PATIENCE = 300_000;

describe('two editors of one film, in a browser', () => {
  let app: INestApplication;
  let browser: Browser;
  let url: string;
  let id: number;

  const film = () => app.get(DataSource).manager.findOneOrFail(Film, { where: { id }, cache: false });
  /** A window of somebody else's. */
  async function open(path = `films/${id}/edit`): Promise<Page> {
    const page = await (await browser.newContext()).newPage();
    await page.goto(`${url}/${path}`);
    return page;
  }
  const save = (page: Page) => page.getByRole('button', { name: 'Save' }).click();
  const shot = async (page: Page, name: string) => {
    const folder = process.env['TEST_SCREENSHOTS'];
    if (folder) await page.screenshot({ path: `${folder}/${name}.png`, fullPage: true });
  };

  beforeAll(async () => {
    const environment = readEnvironment({});
    const module = await Test.createTestingModule({ imports: [AppModule.register(environment)] }).compile();
    app = module.createNestApplication();
    await app.listen(0, '127.0.0.1');
    url = await app.getUrl();
    browser = await chromium.launch({ executablePath: findBrowser() });
  }, PATIENCE);
  afterAll(async () => {
    await browser?.close();
    await app?.close();
  });

  beforeEach(async () => {
    const { manager } = app.get(DataSource);
    const saved = await manager.save(Film, {
      title: 'The Edit',
      releaseDate: '2001-05-04',
      runningMinutes: 90,
    });
    id = saved.id;
  });

  it('shows a labelled form, and saves it', async () => {
    const page = await open();
    await shot(page, 'form');
    await page.getByLabel('Title').fill('A "new" <title> & more');
    await page.getByLabel('Running time').fill('');
    await page.getByLabel('Genre').selectOption('Drama');
    await save(page);
    expect(await page.getByRole('status').textContent()).toContain('Saved.');
    expect(await page.getByLabel('Title').inputValue()).toBe('A "new" <title> & more');
    expect(await page.getByRole('heading').first().textContent()).toBe('A "new" <title> & more');
    expect(await film()).toMatchObject({ title: 'A "new" <title> & more', runningMinutes: null, version: 2 });
  });

  it('merges edits of different fields, and tells the second editor', async () => {
    const [first, second] = [await open(), await open()];
    await first.getByLabel('Title').fill('Their title');
    await save(first);
    await second.getByLabel('Running time').fill('95');
    await save(second);
    expect(await second.getByRole('status').textContent()).toMatch(
      /Saved\..*Somebody else had changed Title/s,
    );
    await shot(second, 'merged');
    expect(await film()).toMatchObject({ title: 'Their title', runningMinutes: 95, version: 3 });
  });

  it('shows the second editor what both have changed, and lets them choose with the keyboard', async () => {
    const [first, second] = [await open(), await open()];
    await first.getByLabel('Title').fill('Their title');
    await first.getByLabel('Running time').fill('91');
    await save(first);
    await second.getByLabel('Title').fill('My title');
    await second.getByLabel('IMDb rating').fill('7.5');
    await save(second);
    await shot(second, 'conflict');
    expect(await second.getByRole('alert').textContent()).toContain('Your changes are not saved yet.');
    const choice = second.getByRole('group', { name: 'Title' });
    expect(await choice.getByRole('radio').count()).toBe(2);
    expect(await choice.textContent()).toMatch(/The Edit.*Their title.*My title/s);
    expect(await second.getByRole('row').allTextContents()).toEqual([
      expect.stringMatching(/Field.*Change/s),
      expect.stringMatching(/Running time.*90.*91.*Somebody else/s),
      expect.stringMatching(/IMDb rating.*empty.*7\.5.*You/s),
    ]);
    expect(await film()).toMatchObject({ title: 'Their title', version: 2 });
    // Nothing is chosen yet: the browser does not send it.
    await second.keyboard.press('Enter');
    expect(await second.getByRole('alert').count()).toBe(1);
    expect(await second.evaluate('document.activeElement.type')).toBe('radio');
    await second.keyboard.press('ArrowDown');
    await shot(second, 'chosen');
    await second.keyboard.press('Tab');
    expect(await second.evaluate('document.activeElement.textContent')).toBe('Save the merged film');
    await second.keyboard.press('Enter');
    await second.getByRole('status').waitFor();
    expect(await film()).toMatchObject({
      title: 'My title',
      runningMinutes: 91,
      imdbRating: 7.5,
      version: 3,
    });
  });

  it('does not overwrite a third editor who saves while the second one compares', async () => {
    const [first, second] = [await open(), await open()];
    await first.getByLabel('Title').fill('One');
    await save(first);
    await second.getByLabel('Title').fill('Two');
    await save(second);
    await app.get(DataSource).manager.update(Film, { id }, { title: 'Three' });
    await second.getByRole('radio', { name: 'Two' }).check();
    await second.getByRole('button', { name: 'Save the merged film' }).click();
    expect(await second.getByRole('group', { name: 'Title' }).textContent()).toMatch(/One.*Three.*Two/s);
    expect((await film()).title).toBe('Three');
    await second.getByRole('link', { name: 'Discard my changes' }).click();
    expect(await second.getByLabel('Title').inputValue()).toBe('Three');
  });

  it('says what is wrong beside the field, and keeps what was typed', async () => {
    const page = await open();
    await page.getByLabel('IMDb rating').fill('11');
    await save(page);
    expect(await page.getByRole('alert').textContent()).toContain('IMDb rating');
    expect(await page.getByLabel('IMDb rating').getAttribute('aria-invalid')).toBe('true');
    expect(await page.getByLabel('IMDb rating').inputValue()).toBe('11');
    await shot(page, 'invalid');
    expect((await film()).version).toBe(1);
  });

  it('refuses a form whose version was tampered with, and one of another film', async () => {
    const token = async (page: Page) => page.locator('input[name=token]').inputValue();
    const page = await open();
    const forged = [(await token(page)).replace(/^1/, '2'), await token(await open('films/1/edit'))];
    for (const value of forged) {
      const form = { token: value, base: '{}', title: 'forged' };
      const response = await page.request.post(`${url}/films/${id}/edit`, { form });
      expect(response.status()).toBe(400);
    }
    expect((await film()).title).toBe('The Edit');
  });

  it('is readable on a telephone and in the dark', async () => {
    const context = await browser.newContext({ viewport: { width: 360, height: 720 }, colorScheme: 'dark' });
    const page = await context.newPage();
    await page.goto(`${url}/films/${id}/edit`);
    expect(await page.evaluate('document.documentElement.scrollWidth <= innerWidth')).toBe(true);
    await shot(page, 'telephone');
  });
});
