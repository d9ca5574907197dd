import { Injectable } from '@nestjs/common';
import { CacheOpsConfigError } from '../cacheops.errors.js';
import type { Dependency } from '../core/entity-dependency.js';
import { CacheOpsService } from '../service/cacheops.service.js';
import { FAILURE, FragmentTag, type Keywords, settle, type TagRule } from './fragment.tag.js';
import { type FragmentDecorator, type FragmentOptions, Fragments } from './fragments.js';
import type {
  RenderCallback,
  RenderedCallback,
  TemplateContext,
  TemplateEnvironment,
} from './nunjucks.types.js';

export type { Fragment, FragmentDecorator, FragmentOptions } from './fragments.js';
export type { TemplateEnvironment, TemplateTag } from './nunjucks.types.js';

/** Makes what a tag does out of the tag's arguments; keywords come last, as one object. */
export type FragmentDecoratorFactory = (...args: never[]) => FragmentDecorator;

/**
 * Caching of fragments of nunjucks templates. A provider of the application:
 *
 *     providers: [NunjucksCache]
 *     app.get(NunjucksCache).install(nunjucks.configure('views', { express: app }))
 *
 * The tags are asynchronous: render with a callback, as Express does, or with `render`.
 */
@Injectable()
export class NunjucksCache {
  private readonly fragments: Fragments;
  private readonly rules = new Map<string, TagRule>([
    ['cached', ([ttl, name, ...extra], keywords) => this.cached(options({ ttl, name }, extra, keywords))],
    [
      'cached_as',
      ([deps, ttl, name, ...extra], keywords) => this.cachedAs(deps, { ttl, name }, extra, keywords),
    ],
    ['icache', (keys, keywords) => this.cached({ ...keywords, extra: keys, tags: keys.map(String) })],
  ]);

  constructor(cacheOps: CacheOpsService) {
    this.fragments = new Fragments(cacheOps);
  }

  /**
   * Adds the tags `cached`, `cached_as`, `icache` and those of `decoratorTag`, and the filter `await`.
   * @returns the same environment
   */
  install<T extends TemplateEnvironment>(environment: T): T {
    for (const [name, rule] of this.rules)
      environment.addExtension(`cacheops.${name}`, new FragmentTag(name, rule));
    environment.addFilter('await', awaited, true);
    return environment;
  }

  /**
   * A tag of your own, to be added before `install`: `{% name argument, ... %} ... {% endname %}`. The factory is called
   * with the arguments at each rendering and says what to do; `cached(options)` makes what `{% cached %}` does.
   *
   * @param how `takesContext`: the factory is given what the template is rendered with first
   * @example templates.decoratorTag('cached_for', (user) => templates.cached({ name: 'box', extra: [user.id] }))
   */
  decoratorTag(
    name: string,
    factory: FragmentDecoratorFactory,
    how: { readonly takesContext?: boolean | undefined } = {},
  ): this {
    if (this.rules.has(name)) throw new CacheOpsConfigError('decoratorTag', 'a name of its own', name);
    const call = factory as (...args: unknown[]) => FragmentDecorator;
    this.rules.set(name, (args, keywords, context) => {
      const all = Object.keys(keywords).length > 0 ? [...args, keywords] : args;
      return how.takesContext ? call(context, ...all) : call(...all);
    });
    return this;
  }

  /** What the tag `cached` does with its fragment. */
  cached(options: FragmentOptions): FragmentDecorator {
    return this.fragments.cached(options);
  }

  /**
   * Forgets the fragments of this name and these extra arguments, of whatever tag and text.
   * @throws as `CacheOpsService.invalidate`
   */
  invalidateFragment(name: string, ...extra: readonly unknown[]): Promise<void> {
    return this.fragments.invalidate(name, extra);
  }

  /**
   * Renders a template; what is asynchronous in it is waited for.
   * @throws what a fragment or something awaited has thrown (nunjucks would make a text of it), else the error of nunjucks
   */
  render(environment: TemplateEnvironment, name: string, context: object = {}): Promise<string> {
    return finished(context, (given, callback) => environment.render(name, given, callback));
  }

  /** As `render`, of a text. */
  renderString(environment: TemplateEnvironment, text: string, context: object = {}): Promise<string> {
    return finished(context, (given, callback) => environment.renderString(text, given, callback));
  }

  private cachedAs(
    given: unknown,
    own: FragmentOptions | Keywords,
    extra: readonly unknown[],
    keywords: Keywords,
  ): FragmentDecorator {
    const deps = listOf(given) as readonly Dependency[];
    // Somebody who names dependencies answers for what cannot be found out.
    const track = deps.length > 0 || 'exact';
    return this.cached({ track, ...options({ ...own, deps }, extra, keywords) });
  }
}

function finished(
  context: object,
  render: (context: object, callback: RenderedCallback) => unknown,
): Promise<string> {
  const failure: { error?: Error } = {};
  return new Promise((resolve, reject) => {
    render({ ...context, [FAILURE]: failure }, (error, html) => {
      if (error) reject(failure.error ?? error);
      else resolve(html ?? '');
    });
  });
}

/** The positions of a tag's arguments, unless a keyword says otherwise. */
function options(own: Keywords, extra: readonly unknown[], keywords: Keywords): FragmentOptions {
  const given = Object.fromEntries(
    Object.entries(own).filter(([, value]) => (value ?? undefined) !== undefined),
  );
  const all: Keywords = { ...given, extra, ...keywords };
  return { ...all, extra: listOf(all['extra']), tags: listOf(all['tags']) as readonly string[] };
}

const listOf = (value: unknown): readonly unknown[] => {
  if ((value ?? undefined) === undefined) return [];
  return Array.isArray(value) ? (value as unknown[]) : [value];
};

/** `{{ films() | await }}`: what a promise, or a function that makes one, comes to. */
function awaited(this: TemplateContext, value: unknown, callback: RenderCallback): void {
  const work = async (): Promise<unknown> =>
    typeof value === 'function' ? (value as () => unknown)() : value;
  settle(work(), callback, this.ctx);
}
