const ROUTE_CONTEXT = 'fastify.context';
const SERIALIZER = 'fastify.reply.serializer';
const TRAILERS = 'fastify.reply.trailers';

type Symbols = Readonly<Record<'context' | 'serializer' | 'trailers', symbol>>;

/**
 * Tells whether Fastify would send the bytes of a text just as it sends the text. It keeps what decides under symbols
 * that it does not export; where they are not found the answer is no.
 */
export class FastifySending {
  private symbols: Symbols | 'unknown' | undefined;

  /** @param contentType of the reply */
  takesBytes(reply: object, contentType: unknown): boolean {
    // Of a text Fastify completes the type.
    if (typeof contentType !== 'string' || !contentType.includes('charset=')) return false;
    const symbols = (this.symbols ??= symbolsOf(reply) ?? 'unknown');
    if (symbols === 'unknown') return false;
    const told = reply as Readonly<Record<symbol, unknown>>;
    const context = told[symbols.context] as { readonly onSend?: unknown } | undefined;
    // What the application has put there may count on a text.
    return context?.onSend === null && told[symbols.serializer] === null && told[symbols.trailers] === null;
  }
}

function symbolsOf(reply: object): Symbols | undefined {
  const context = symbolIn(reply, ROUTE_CONTEXT);
  const serializer = symbolIn(reply, SERIALIZER);
  const trailers = symbolIn(reply, TRAILERS);
  return context && serializer && trailers && { context, serializer, trailers };
}

/** A symbol that Fastify, or a plugin of it, keeps to itself. */
export function symbolIn(object: object | null, description: string): symbol | undefined {
  if (object === null) return undefined;
  const own = Object.getOwnPropertySymbols(object).find((symbol) => symbol.description === description);
  return own ?? symbolIn(Object.getPrototypeOf(object) as object | null, description);
}
