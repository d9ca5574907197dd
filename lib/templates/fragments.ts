import type { CacheOpsService } from '../service/cacheops.service.js';
import type { ValueOptions } from '../service/value-options.js';

/** How a fragment of a template is kept. */
export interface FragmentOptions extends Omit<ValueOptions, 'frozen'> {
  /** Fragments of one name, one `extra` and one text between the tags are one. Default: the text alone. */
  readonly name?: string | undefined;
  /** What else the fragment depends on: plain values, or entities, which count by their primary key. */
  readonly extra?: readonly unknown[] | undefined;
}

/** What is rendered between a tag and its end. */
export interface Fragment {
  /** Tells the text between the tags from others, and one way to escape from the other. */
  readonly source: string;
  readonly render: () => Promise<string>;
}

/** What a tag does with its fragment. */
export type FragmentDecorator = (fragment: Fragment) => string | Promise<string>;

/** Fragments of templates as cached values. */
export class Fragments {
  constructor(private readonly cacheOps: CacheOpsService) {}

  cached({ name = '', extra = [], tags = [], ...options }: FragmentOptions): FragmentDecorator {
    const id = this.idOf(name, extra);
    return ({ source, render }) =>
      this.cacheOps.getOrSet(`${id}#${source}`, render, { ...options, tags: [...tags, id] });
  }

  invalidate(name: string, extra: readonly unknown[]): Promise<void> {
    return this.cacheOps.invalidate(this.idOf(name, extra));
  }

  /** @throws CacheOpsSerializationError when a part of `extra` has no canonical text */
  private idOf(name: string, extra: readonly unknown[]): string {
    return this.cacheOps.wrap((..._extra: unknown[]) => '', { key: `fragment:${name}` }).key(...extra).key;
  }
}
