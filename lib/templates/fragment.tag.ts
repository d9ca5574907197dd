import { hashText } from '../core/cache-key.js';
import type { FragmentDecorator } from './fragments.js';
import type {
  RenderCallback,
  TemplateBody,
  TemplateContext,
  TemplateNodes,
  TemplateParser,
  TemplateTag,
} from './nunjucks.types.js';

/** Keywords of a tag, as nunjucks passes them: the last argument. */
export type Keywords = Readonly<Record<string, unknown>>;

/** @returns what to do with the fragment */
export type TagRule = (args: readonly unknown[], keywords: Keywords, context: object) => FragmentDecorator;

/** `{% name argument, ..., keyword=argument %} ... {% endname %}` */
export class FragmentTag implements TemplateTag {
  readonly tags: string[];

  constructor(
    private readonly name: string,
    private readonly rule: TagRule,
  ) {
    this.tags = [name];
  }

  parse(parser: TemplateParser, nodes: TemplateNodes): unknown {
    const { value } = parser.nextToken();
    const args = parser.parseSignature(true, true);
    parser.advanceAfterBlockEnd(value);
    const { str, index } = parser.tokens;
    const body = parser.parseUntilBlocks(`end${this.name}`);
    const source = hashText(str.slice(index, parser.tokens.index));
    parser.advanceAfterBlockEnd();
    args.addChild(new nodes.Literal(0, 0, source));
    return new nodes.CallExtensionAsync(this, 'run', args, [body]);
  }

  /** Called by compiled templates with the arguments, the hash of the text between the tags, that text and a callback. */
  run({ env, ctx }: TemplateContext, ...rest: unknown[]): void {
    const [source, body, callback] = rest.splice(-3) as [string, TemplateBody, RenderCallback];
    const last = rest.at(-1);
    const keywords = isKeywords(last) ? last : {};
    const args = isKeywords(last) ? rest.slice(0, -1) : rest;
    const work = async (): Promise<unknown> => {
      const decorate = this.rule(args, named(keywords), ctx);
      const html = await decorate({
        source: env.opts.autoescape ? source : `${source}-`,
        render: () => rendered(body),
      });
      // What stands between the tags has been escaped where it is to be.
      return env.getFilter('safe')(html);
    };
    settle(work(), callback, ctx);
  }
}

/** Name under which a context has a place for the error of the application that ended a rendering. */
export const FAILURE = 'cacheops.failure';

/**
 * Ends an asynchronous step of a template. The rest of the template runs inside the callback; what it throws is an
 * error of the rendering, and would otherwise be one of the process.
 */
export function settle(work: Promise<unknown>, callback: RenderCallback, context: object): void {
  const failed = (error: Error): void => {
    const { [FAILURE]: failure } = context as { [FAILURE]?: { error?: Error } };
    // An error of nunjucks tells where in the template; of others it would make a text.
    if (failure && !('Update' in Object(error))) failure.error ??= error;
    callback(error);
  };
  void work.then((result) => callback(null, result), failed).catch(callback);
}

const rendered = (body: TemplateBody): Promise<string> =>
  new Promise((resolve, reject) => {
    body((error, html) => (error ? reject(error) : resolve(html ?? '')));
  });

const isKeywords = (value: unknown): value is Keywords =>
  typeof value === 'object' && value !== null && Object.hasOwn(value, '__keywords');

/** `none` is the same as left out. */
const named = (keywords: Keywords): Keywords =>
  Object.fromEntries(
    Object.entries(keywords).filter(([name, value]) => name !== '__keywords' && value !== null),
  );
