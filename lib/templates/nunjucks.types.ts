/* What this package needs of nunjucks. Its own types are another package, which applications may not have. */

/** `nunjucks.Environment` */
export interface TemplateEnvironment {
  addExtension(name: string, extension: TemplateTag): unknown;
  addFilter(name: string, filter: (this: never, ...args: never[]) => void, async: boolean): unknown;
  getFilter(name: string): (value: string) => unknown;
  render(name: string, context: object, callback: RenderedCallback): unknown;
  renderString(text: string, context: object, callback: RenderedCallback): unknown;
}

export type RenderedCallback = (error: Error | null, html: string | null) => void;

/** What a template is rendered with. */
export interface TemplateContext {
  readonly env: TemplateEnvironment & { readonly opts: { readonly autoescape: boolean } };
  readonly ctx: object;
}

export type RenderCallback<T = unknown> = (error: Error | null, result?: T) => void;

/** Renders what stands between a tag and its end. */
export type TemplateBody = (callback: RenderCallback<string>) => unknown;

/** An extension of nunjucks. */
export interface TemplateTag {
  readonly tags: string[];
  parse(parser: TemplateParser, nodes: TemplateNodes): unknown;
}

export interface TemplateParser {
  /** Reads the source; `index` is how far it has come. */
  readonly tokens: { readonly str: string; readonly index: number };
  nextToken(): { readonly value: string };
  parseSignature(tolerant: boolean, withoutParentheses: boolean): { addChild(node: unknown): void };
  advanceAfterBlockEnd(name?: string): unknown;
  parseUntilBlocks(...names: string[]): unknown;
}

export interface TemplateNodes {
  readonly Literal: new (line: number, column: number, value: string) => object;
  readonly CallExtensionAsync: new (
    extension: TemplateTag,
    method: string,
    args: unknown,
    bodies: readonly unknown[],
  ) => object;
}
