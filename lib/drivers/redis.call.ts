import type { RedisArgument, RedisClient } from './redis.client.js';
import type { RedisScript } from './redis.script.js';

/** A command, and what its end means. */
export interface Call<Result> {
  readonly name: string;
  /** Beginning with the keys, or with what tells where they are. */
  readonly args: RedisArgument[];
  /** @param raw texts in it are buffers or strings */
  reply(raw: unknown): Result | Promise<Result>;
  /** What to do instead of failing; `undefined`: fail. */
  instead(error: unknown, client: RedisClient): Promise<Result> | undefined;
  /** Lets the client make the command. */
  sendBy(client: RedisClient): Promise<unknown>;
}

type Values = (Buffer | null)[];

export class MgetCall implements Call<Values> {
  readonly name = 'mget';

  constructor(readonly args: string[]) {}

  reply(raw: unknown): Values {
    return raw as Values;
  }

  instead(): undefined {
    return undefined;
  }

  sendBy(client: RedisClient): Promise<Values> {
    return client.mgetBuffer(this.args);
  }
}

/** Runs a script by its hash; a server that does not have it yet gets the source, once. */
export class ScriptCall<Request, Reply, Result> implements Call<Result> {
  readonly name = 'evalsha';
  readonly args: RedisArgument[];

  /**
   * @param prefix put before every key
   * @param use works on the reply as soon as that is there
   */
  constructor(
    private readonly script: RedisScript<Request, Reply>,
    private readonly request: Request,
    prefix: string,
    private readonly use: (reply: Reply) => Result | Promise<Result>,
  ) {
    const keys = script.keys(request);
    this.args = [script.sha, keys.length];
    for (const key of keys) this.args.push(prefix + key);
    for (const arg of script.args(request)) this.args.push(arg);
  }

  reply(raw: unknown): Result | Promise<Result> {
    return this.use(this.script.reply(textOf(raw), this.request));
  }

  instead(error: unknown, client: RedisClient): Promise<Result> | undefined {
    if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) return undefined;
    const [, count, ...rest] = this.args;
    return client.eval(this.script.source, Number(count), ...rest).then((raw) => this.reply(raw));
  }

  sendBy(client: RedisClient): Promise<unknown> {
    const [, count, ...rest] = this.args;
    return client.evalsha(this.script.sha, Number(count), ...rest);
  }
}

function textOf(raw: unknown): unknown {
  if (Buffer.isBuffer(raw)) return raw.toString();
  return Array.isArray(raw) ? raw.map(textOf) : raw;
}
