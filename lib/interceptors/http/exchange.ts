import type { ServerResponse } from 'node:http';
import type { AbstractHttpAdapter } from '@nestjs/core';
import type { CallRequest } from '../../core/call-request.js';
import { type FastifySending, symbolIn } from './fastify-sending.js';
import type { KeptText } from './kept-text.js';
import type { HeaderValue } from './stored-response.js';

/** What is looked at in a response of Express. */
interface ExpressResponse {
  statusCode: number;
  readonly app: { get(setting: string): unknown };
  getHeaders(): Headers;
}

/** What is looked at in a reply of Fastify. */
interface FastifyReply {
  readonly statusCode: number;
  readonly raw: ServerResponse;
  getHeaders(): Headers;
  serialize(value: unknown): string | Buffer;
}

export type Headers = Readonly<Record<string, HeaderValue | undefined>>;

/** Bytes or text as the platform would send them; without a content type the platform adds one. */
export interface Body {
  readonly body: string | Buffer | undefined;
  readonly contentType?: string;
}

/** What all exchanges of a route have in common. */
export interface Platform {
  readonly adapter: AbstractHttpAdapter;
  readonly sending: FastifySending;
}

/** One request and its response, on the platform that Nest runs on. */
export abstract class Exchange {
  protected constructor(
    readonly request: CallRequest,
    protected readonly response: ExpressResponse | FastifyReply,
    private readonly adapter: AbstractHttpAdapter,
  ) {}

  static of(request: CallRequest, response: object, platform: Platform): Exchange {
    return 'serialize' in response
      ? new FastifyExchange(request, response as FastifyReply, platform)
      : new ExpressExchange(request, response as ExpressResponse, platform);
  }

  abstract readonly raw: ServerResponse;

  /** What the platform would send for a value. */
  abstract serialize(value: unknown): Body;

  /**
   * What Nest is to send of a text; the headers are set.
   * @param isSeen by others than the platform
   */
  abstract textOf(kept: KeptText, isSeen: boolean): string | Buffer;

  /** Whether a cookie waits to be set with the response. */
  abstract setsCookie(): boolean;

  get status(): number {
    return this.response.statusCode;
  }

  set status(status: number) {
    if (this.response.statusCode !== status) this.adapter.status(this.response, status);
  }

  /** As they will be sent, under names in lower case. */
  headers(): Headers {
    return { ...this.response.getHeaders() };
  }

  header(name: string): HeaderValue | undefined {
    return this.adapter.getHeader(this.response, name) as HeaderValue | undefined;
  }

  setHeader(name: string, value: HeaderValue): void {
    this.adapter.setHeader(this.response, name, value as string);
  }
}

class ExpressExchange extends Exchange {
  constructor(
    request: CallRequest,
    private readonly express: ExpressResponse,
    { adapter }: Platform,
  ) {
    super(request, express, adapter);
  }

  get raw(): ServerResponse {
    return this.response as unknown as ServerResponse;
  }

  /** As `response.json` and `response.send` do, with the settings of the application. */
  serialize(value: unknown): Body {
    if (value === undefined || value === null) return { body: undefined };
    if (typeof value !== 'object') return { body: `${value as string | number}` };
    const { app } = this.express;
    const text = JSON.stringify(
      value,
      app.get('json replacer') as (string | number)[] | undefined,
      app.get('json spaces') as string | number | undefined,
    ) as string | undefined;
    const body = app.get('json escape') === true ? text?.replace(/[<>&]/g, escaped) : text;
    return { body, contentType: 'application/json; charset=utf-8' };
  }

  /** Nest has Express send bytes as JSON. */
  textOf({ text }: KeptText): string {
    return text;
  }

  setsCookie(): boolean {
    return this.express.getHeaders()['set-cookie'] !== undefined;
  }
}

const escaped = (char: string): string => `\\u00${char.charCodeAt(0).toString(16)}`;

class FastifyExchange extends Exchange {
  private readonly sending: FastifySending;

  constructor(
    request: CallRequest,
    private readonly reply: FastifyReply,
    { adapter, sending }: Platform,
  ) {
    super(request, reply, adapter);
    this.sending = sending;
  }

  get raw(): ServerResponse {
    return this.reply.raw;
  }

  /** As `reply.send` does, but for the hook `preSerialization`, which sees no text. */
  serialize(value: unknown): Body {
    if (value === undefined || typeof value === 'string') return { body: value };
    if (value instanceof Uint8Array) return { body: Buffer.from(value) };
    return { body: this.reply.serialize(value), contentType: 'application/json; charset=utf-8' };
  }

  textOf(kept: KeptText, isSeen: boolean): string | Buffer {
    const asBytes =
      kept.isLarge && !isSeen && this.sending.takesBytes(this.reply, this.header('content-type'));
    return asBytes ? kept.bytes : kept.text;
  }

  /** `@fastify/cookie` keeps cookies under a symbol of its own until the response is sent. */
  setsCookie(): boolean {
    if (this.reply.getHeaders()['set-cookie'] !== undefined) return true;
    const symbol = symbolIn(this.reply, 'fastify.reply.setCookies');
    if (symbol === undefined) return false;
    const waiting = (this.reply as unknown as Record<symbol, Map<string, unknown> | null>)[symbol];
    return (waiting?.size ?? 0) > 0;
  }
}
