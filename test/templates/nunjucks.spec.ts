import nunjucks from 'nunjucks';
import { DataSource } from 'typeorm';
import { CacheOpsModule, CacheOpsService, VersionedCache } from '../../lib/index.js';
import { NunjucksCache } from '../../lib/templates/nunjucks.js';
import { closeApps, KeptLog, sqlite, start } from '../nest/app.js';
import { Article } from '../nest/entities.js';

afterEach(closeApps);

let cacheOps: CacheOpsService;
let templates: NunjucksCache;
let dataSource: DataSource;
let versions: VersionedCache;
/** Text of the templates that can be rendered or included by name. */
let files: Record<string, string>;

beforeEach(async () => {
  const app = await start({
    imports: [sqlite(), CacheOpsModule.forRoot({ logger: new KeptLog() })],
    providers: [NunjucksCache],
  });
  cacheOps = app.get(CacheOpsService);
  templates = app.get(NunjucksCache);
  dataSource = app.get(DataSource);
  versions = app.get(VersionedCache);
  files = {};
});

class Files extends nunjucks.Loader implements nunjucks.ILoader {
  getSource(name: string): nunjucks.LoaderSource {
    return { src: files[name] ?? '', path: name, noCache: true };
  }
}

const environment = (options: nunjucks.ConfigureOptions = {}): nunjucks.Environment =>
  templates.install(new nunjucks.Environment(new Files(), options));

/** Renders a text. */
function render(text: string, context: object = {}, options?: nunjucks.ConfigureOptions): Promise<string> {
  files['page'] = text;
  return templates.render(environment(options), 'page', context);
}

const counter = (): (() => number) => {
  let count = 0;
  return () => ++count;
};

const titled = (title: string) => ({ title, address: { city: 'c', street: 's' } });

describe('a cached fragment', () => {
  it('escapes what the application escapes, once, on a miss and on a hit', async () => {
    const page = (value: string) =>
      render(`<p>{% cached '1m', 'a', value %}<b>{{ value }}</b>{{ '<i>' | safe }}{% endcached %}</p>`, {
        value,
      });
    const expected = '<p><b>&lt;script&gt; &amp; &quot;</b><i></p>';
    expect(await page('<script> & "')).toBe(expected);
    expect(await page('<script> & "')).toBe(expected);
    expect(cacheOps.stats().hits).toBe(1);
  });

  it('is another one where nothing is escaped', async () => {
    const page = (autoescape: boolean) =>
      render(`{% cached '1m', 'a' %}{{ value }}{% endcached %}`, { value: '<' }, { autoescape });
    expect([await page(false), await page(true), await page(false)]).toEqual(['<', '&lt;', '<']);
  });

  it('is another one when the text between the tags is edited', async () => {
    const next = counter();
    const page = (text: string) =>
      render(`{% cached '1m', 'a' %}${text}{{ next() }}{% endcached %}`, { next });
    expect([await page('old '), await page('old '), await page('new ')]).toEqual(['old 1', 'old 1', 'new 2']);
    await templates.invalidateFragment('a');
    expect([await page('old '), await page('new ')]).toEqual(['old 3', 'new 4']);
  });

  it('without a name is known by the text between its tags', async () => {
    const next = counter();
    const page = () =>
      render(`{% cached %}x{{ next() }}{% endcached %}{% cached %}y{{ next() }}{% endcached %}`, { next });
    expect([await page(), await page()]).toEqual(['x1y2', 'x1y2']);
  });

  it('tells arguments apart that look the same', async () => {
    const next = counter();
    const page = (extra: unknown) =>
      render(`{% cached '1m', 'a', extra %}{{ next() }}{% endcached %}`, { next, extra });
    expect([await page(1), await page('1'), await page(['1']), await page(1)]).toEqual(['1', '2', '3', '1']);
  });

  it('is rendered once for requests that come together', async () => {
    let open = (): void => undefined;
    const gate = new Promise<void>((resolve) => (open = resolve));
    const next = counter();
    const slow = async () => (await gate, next());
    const pages = Array.from({ length: 20 }, () =>
      render(`{% cached '1m', 'a' %}{{ slow() | await }}{% endcached %}`, { slow }),
    );
    open();
    expect(new Set(await Promise.all(pages))).toEqual(new Set(['1']));
    expect(next()).toBe(2);
  });

  it('may stand in loops, conditions, inherited blocks and other fragments', async () => {
    const next = counter();
    files['base'] = '<{% block body %}{% endblock %}>';
    const page = () =>
      render(
        `{% extends 'base' %}{% block body %}{% for n in [1, 2, 1] %}{% if n %}{% cached_as none, '1m', 'outer', n %}` +
          `{{ n }}:{{ next() }}{% cached '1m', 'inner' %}({{ next() }}){% endcached %} {% endcached_as %}` +
          `{% endif %}{% endfor %}{% endblock %}`,
        { next },
      );
    expect(await page()).toBe('<1:1(2) 2:3(2) 1:1(2) >');
    expect(await page()).toBe('<1:1(2) 2:3(2) 1:1(2) >');
    await templates.invalidateFragment('inner');
    expect(await page()).toBe('<1:4(5) 2:6(5) 1:4(5) >');
  });

  it('may include other templates', async () => {
    files['part'] = '[{{ next() }}]';
    const next = counter();
    const page = () => render(`{% cached '1m', 'a' %}{% include 'part' %}{% endcached %}`, { next });
    expect([await page(), await page()]).toEqual(['[1]', '[1]']);
  });

  it('fails as its text fails, is not kept then, and the process goes on', async () => {
    const next = counter();
    const broken = () => {
      if (next() % 2) throw new Error('broken');
      return 'whole';
    };
    const page = (text: string) => render(text, { broken, ok: async () => 'ok' });
    const inside = `{% cached '1m', 'a' %}{{ broken() }}{% endcached %}`;
    await expect(page(inside)).rejects.toThrow('broken');
    expect(await page(inside)).toBe('whole');
    expect(await page(inside)).toBe('whole');
    await expect(page(`{% cached %}{{ ok() | await }}{{ broken() }}{% endcached %}`)).rejects.toThrow(
      'broken',
    );
    next();
    await expect(page(`{% cached %}x{% endcached %}{{ broken() }}`)).rejects.toThrow('broken');
  });

  it('passes errors of the application on as they are, also to those who have waited', async () => {
    class Missing extends Error {}
    let open = (): void => undefined;
    const gate = new Promise<void>((resolve) => (open = resolve));
    const missing = async () => (await gate, Promise.reject(new Missing('no')));
    const pages = [1, 2].map(() => render(`{% cached %}{{ missing() | await }}{% endcached %}`, { missing }));
    const outcomes = Promise.allSettled(pages);
    open();
    for (const outcome of await outcomes) expect(outcome).toMatchObject({ reason: expect.any(Missing) });
    await expect(render(`{{ missing() | await }}`, { missing })).rejects.toBeInstanceOf(Missing);
  });

  it.each([
    [`{% cached 'soon' %}x{% endcached %}`, /ttl: expected a duration/],
    [`{% cached tll='1m' %}x{% endcached %}`, /tll: expected one of .*Did you mean ttl/],
    [`{% cached '1m', 'a', broken %}x{% endcached %}`, /args\[0\].* cannot be part of a key/],
    [`{% cached_as 'nothing' %}x`, /unexpected end of file/],
  ])('of bad arguments is an error: %s', async (text, message) => {
    await expect(render(text, { broken: () => 1 })).rejects.toThrow(message);
  });
});

describe('a fragment whose text reads the database', () => {
  const articles = () => dataSource.manager.find(Article, { where: { title: 'a' }, order: { id: 'ASC' } });
  const page = (tag: string) =>
    render(
      `{% ${tag} %}{% for one in articles() | await %}{{ one.title }}{{ one.id }} {% endfor %}{% end${tag.split(' ')[0]} %}`,
      {
        articles,
      },
    );

  it('is rendered again when what it has read changes, and only then', async () => {
    const manager = dataSource.manager;
    await manager.save(Article, titled('a'));
    expect(await page('cached_as')).toBe('a1 ');
    await manager.save(Article, titled('b'));
    const hits = cacheOps.stats().hits;
    expect(await page('cached_as')).toBe('a1 ');
    expect(cacheOps.stats().hits).toBe(hits + 1);
    await manager.save(Article, titled('a'));
    expect(await page('cached_as')).toBe('a1 a3 ');
  });

  it('by time only keeps what it has, unless told to look', async () => {
    expect([await page('cached'), await page('cached none, "b", track=true')]).toEqual(['', '']);
    await dataSource.manager.save(Article, titled('a'));
    expect([await page('cached'), await page('cached none, "b", track=true')]).toEqual(['', 'a1 ']);
  });

  it('that cannot be attributed is not stored, unless dependencies are named', async () => {
    const random = () => dataSource.query('SELECT random() AS r');
    const page = (deps: string) =>
      render(`{% cached_as ${deps} %}{{ (random() | await)[0].r }}{% endcached_as %}`, { random, Article });
    expect(await page('none')).not.toBe(await page('none'));
    expect(await page('Article')).toBe(await page('Article'));
  });

  it('is not stored if it changes while it is rendered', async () => {
    let change = true;
    const reading = async () => {
      const found = await articles();
      if (change) await dataSource.manager.save(Article, titled('a'));
      change = false;
      return found.length;
    };
    const text = `{% cached_as %}{{ reading() | await }}{% endcached_as %}`;
    expect([await render(text, { reading }), await render(text, { reading })]).toEqual(['0', '1']);
  });
});

describe('{% icache %}', () => {
  it('is fresh while the versions of all its keys stand', async () => {
    const next = counter();
    const page = (shop: number) =>
      render(`{% icache 'menu', shop %}{{ next() }}{% endicache %}`, { next, shop: `shop ${shop}` });
    expect([await page(1), await page(2), await page(1)]).toEqual(['1', '2', '1']);
    await versions.incr('shop 1');
    expect([await page(1), await page(2)]).toEqual(['3', '2']);
    await versions.incrMany(['menu', 'other']);
    expect([await page(1), await page(2)]).toEqual(['4', '5']);
  });

  it('IC-X01 a key that is incremented while the fragment is rendered: it is never served', async () => {
    const next = counter();
    const changing = async () => {
      const n = next();
      if (n === 1) await versions.incr('menu');
      return n;
    };
    const page = () => render(`{% icache 'menu' %}{{ changing() | await }}{% endicache %}`, { changing });
    expect([await page(), await page(), await page()]).toEqual(['1', '2', '2']);
  });
});

describe('a tag of the application', () => {
  it('gets its arguments, keywords last, and does with the fragment what it likes', async () => {
    templates.decoratorTag(
      'shout',
      (times: number, { mark }: { mark: string }) =>
        async ({ render: inner }) =>
          (await inner()).toUpperCase() + mark.repeat(times),
    );
    expect(await render(`{% shout 3, mark='!' %}<b>{{ '<' }}</b>{% endshout %}`)).toBe('<B>&LT;</B>!!!');
    expect(() => templates.decoratorTag('shout', () => () => '')).toThrow(/a name of its own/);
    expect(() => templates.decoratorTag('cached', () => () => '')).toThrow(/a name of its own/);
  });
});

describe('with the cache switched off', () => {
  it('everything is rendered each time', async () => {
    const app = await start({
      imports: [CacheOpsModule.forRoot({ enabled: false })],
      providers: [NunjucksCache],
    });
    templates = app.get(NunjucksCache);
    const next = counter();
    const page = () =>
      render(
        `{% cached %}{{ next() }}{% endcached %}{% cached_as 'x' %}{{ next() }}{% endcached_as %}{% icache 'm' %}{{ next() }}{% endicache %}`,
        { next },
      );
    expect([await page(), await page()]).toEqual(['123', '456']);
  });
});
