import type { Codec, NearCodec } from '../../core/lookup.js';
import type { Serializer } from '../../core/serializer.js';
import type { NearForm } from '../../drivers/near-entries.interface.js';
import { KeptText } from './kept-text.js';

export type HeaderValue = string | number | readonly string[];

/** A response that can be sent again. Nobody changes it: callers share it. */
export interface StoredResponse {
  readonly status: number;
  /** Of the representation, under names in lower case; those of one exchange are left out. */
  readonly headers: readonly (readonly [name: string, value: HeaderValue])[];
  /** What is sent; `undefined`: an empty body. */
  readonly body: string | Buffer | undefined;
  /** Instead of a body: a text that came out of the cache. */
  readonly text?: KeptText | undefined;
  /** Instead of a body: what Nest makes the response of, when it redirects or renders. */
  readonly ingredient?: { readonly value: unknown } | undefined;
  /** Entity tag as it stands in the header. */
  readonly tag: string | undefined;
  /** Wall clock, when it was made. */
  readonly at: number;
}

/** A response that was made, and is for its own request only. */
export class UnsharedResponse {
  constructor(readonly value: unknown) {}
}

export type MadeResponse = StoredResponse | UnsharedResponse;

type Kind = 'text' | 'bytes' | 'none' | 'ingredient';

interface Head extends Pick<StoredResponse, 'status' | 'headers' | 'tag' | 'at'> {
  readonly kind: Kind;
}

/** Responses <-> bytes: length of the head (uint32), head (JSON), body as it is sent. */
export class ResponseCodec implements Codec<MadeResponse> {
  readonly near: NearCodec<StoredResponse> = {
    open: (payload) => {
      const response = this.decode(payload);
      return response.ingredient ? undefined : new KeptResponse(response);
    },
    make: (form) => (form as KeptResponse).response,
  };

  constructor(private readonly serializer: Serializer) {}

  encode(made: MadeResponse): Buffer | undefined {
    if (made instanceof UnsharedResponse) return undefined;
    const { status, headers, tag, at } = made;
    const { kind, body } = this.bodyOf(made);
    const head = Buffer.from(JSON.stringify({ kind, status, headers, tag, at } satisfies Head));
    const length = Buffer.allocUnsafe(4);
    length.writeUInt32BE(head.length);
    return Buffer.concat([length, head, body]);
  }

  decode(payload: Buffer): StoredResponse {
    const bodyAt = 4 + payload.readUInt32BE(0);
    const { kind, ...head } = JSON.parse(payload.toString('utf8', 4, bodyAt)) as Head;
    const body = payload.subarray(bodyAt);
    switch (kind) {
      case 'text':
        return { ...head, body: undefined, text: new KeptText(body) };
      case 'bytes':
        return { ...head, body: Buffer.from(body) };
      case 'ingredient':
        return { ...head, body: undefined, ingredient: { value: this.serializer.decode(body) } };
      default:
        return { ...head, body: undefined };
    }
  }

  private bodyOf({ body, ingredient }: StoredResponse): { readonly kind: Kind; readonly body: Buffer } {
    if (ingredient) return { kind: 'ingredient', body: this.serializer.encode(ingredient.value) };
    if (body === undefined) return { kind: 'none', body: Buffer.alloc(0) };
    return typeof body === 'string' ? { kind: 'text', body: Buffer.from(body) } : { kind: 'bytes', body };
  }
}

/** Estimate of what head and object take. */
const OVERHEAD = 600;

class KeptResponse implements NearForm {
  readonly bytes: number;

  constructor(readonly response: StoredResponse) {
    const { text, body } = response;
    this.bytes = OVERHEAD + (text?.settle() ?? body?.length ?? 0);
  }
}
