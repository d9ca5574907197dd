import nunjucks from 'nunjucks';
import { NunjucksCache } from '../../lib/templates/nunjucks.js';
import { type App, openApp } from './app.js';
import { Category, Post } from './entities/blog.js';

describe('cacheops TemplateTests', () => {
  let app: App;
  let templates: NunjucksCache;
  let environment: nunjucks.Environment;
  beforeAll(async () => (app = await openApp('sqlite')));
  afterAll(() => app.close());
  beforeEach(async () => {
    await app.cacheOps.invalidateAll();
    templates = new NunjucksCache(app.cacheOps);
    environment = templates.install(new nunjucks.Environment());
  });

  /** A counter that is read as a value, as a callable in a template of Django is. */
  const counter = (): { readonly next: () => number } => {
    let count = 0;
    return { next: () => ++count };
  };

  const render = (template: string, context: object): Promise<string> =>
    new Promise((resolve, reject) => {
      environment.renderString(template, context, (error, html) => (error ? reject(error) : resolve(html!)));
    });

  it('CO-045 cached: one name is one fragment, an extra argument makes another, arguments may be named', async () => {
    const html = await render(
      `{% cached '1m', 'a' %}.a{{ a.next() }}{% endcached %}` +
        `{% cached '1m', 'a' %}.a{{ a.next() }}{% endcached %}` +
        `{% cached '1m', 'a', 'variant' %}.a{{ a.next() }}{% endcached %}` +
        `{% cached ttl='1m', name='b' %}.b{{ b.next() }}{% endcached %}`,
      { a: counter(), b: counter() },
    );
    expect(html).toBe('.a1.a1.a2.b1');
  });

  it('CO-046 invalidateFragment', async () => {
    const a = counter();
    const page = () => render(`{% cached '1m', 'a' %}.{{ a.next() }}{% endcached %}`, { a });
    expect([await page(), await page()]).toEqual(['.1', '.1']);
    await templates.invalidateFragment('a');
    expect(await page()).toBe('.2');
  });

  it('CO-046 invalidateFragment with extra arguments reaches the fragment of these only', async () => {
    const a = counter();
    const page = (user: number) =>
      render(`{% cached '1m', 'a', user %}.{{ a.next() }}{% endcached %}`, { a, user });
    expect([await page(1), await page(2)]).toEqual(['.1', '.2']);
    await templates.invalidateFragment('a', 2);
    expect([await page(1), await page(2)]).toEqual(['.1', '.3']);
  });

  it('CO-047 cached_as: three forms of arguments', async () => {
    const a = counter();
    const page = () =>
      render(
        `{% cached_as Post, none, 'a' %}.{{ a.next() }}{% endcached_as %}` +
          `{% cached_as Post, '1m', 'a' %}.{{ a.next() }}{% endcached_as %}` +
          `{% cached_as deps=[Post], ttl='1m', name='a' %}.{{ a.next() }}{% endcached_as %}`,
        { a, Post },
      );
    expect([await page(), await page()]).toEqual(['.1.1.1', '.1.1.1']);
    await app.cacheOps.invalidateModel(Category);
    expect(await page()).toBe('.1.1.1');
    await app.cacheOps.invalidateModel(Post);
    expect(await page()).toBe('.2.2.2');
  });

  it('CO-048 decorator_tag', async () => {
    const a = counter();
    templates.decoratorTag('my_cached', (flag: number) =>
      flag ? templates.cached({ name: 'mine', ttl: '1m' }) : ({ render: fresh }) => fresh(),
    );
    environment = templates.install(new nunjucks.Environment());
    const html = await render(
      [1, 0, 0, 1].map((flag) => `{% my_cached ${flag} %}.{{ a.next() }}{% endmy_cached %}`).join(''),
      { a },
    );
    expect(html).toBe('.1.2.3.1');
  });

  it('CO-049 decorator_tag with a context', async () => {
    const a = counter();
    templates.decoratorTag(
      'my_cached',
      ({ flag }: { flag: boolean }) =>
        flag ? templates.cached({ name: 'mine', ttl: '1m' }) : ({ render: fresh }) => fresh(),
      { takesContext: true },
    );
    environment = templates.install(new nunjucks.Environment());
    const page = (flag: boolean) =>
      render('{% my_cached %}.{{ a.next() }}{% endmy_cached %}'.repeat(2), { a, flag });
    expect([await page(true), await page(false)]).toEqual(['.1.1', '.2.3']);
  });

  it('CO-050 Jinja2: the language of these templates', async () => {
    expect(await render('{% cached %}Hello, {{ who }}{% endcached %}', { who: 'you' })).toBe('Hello, you');
  });
});
