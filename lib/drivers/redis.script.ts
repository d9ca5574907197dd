import { createHash } from 'node:crypto';
import type { RedisArgument, RedisClient } from './redis.connection.js';

/**
 * A Lua script as a typed value: what it is called with, what it needs as keys and arguments, and what its reply
 * means. All keys a script touches are in `KEYS`.
 */
export interface RedisScript<Request, Reply> {
  readonly name: string;
  readonly source: string;
  readonly sha: string;
  /** Without the prefix. */
  keys(request: Request): string[];
  args(request: Request): RedisArgument[];
  reply(raw: unknown, request: Request): Reply;
}

export function defineScript<Request, Reply>(
  definition: Omit<RedisScript<Request, Reply>, 'sha'>,
): RedisScript<Request, Reply> {
  return { ...definition, sha: createHash('sha1').update(definition.source).digest('hex') };
}

/** Runs the script by its hash; a server that does not have it yet gets the source, once. */
export function runScript<Request, Reply>(
  client: RedisClient,
  script: RedisScript<Request, Reply>,
  request: Request,
  prefix: string,
): Promise<Reply> {
  const given = script.keys(request);
  const keys = given.length === 1 ? [prefix + (given[0] as string)] : given.map((key) => prefix + key);
  const args = script.args(request);
  return client.evalsha(script.sha, keys.length, ...keys, ...args).then(
    (raw) => script.reply(raw, request),
    async (error: unknown) => {
      if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error;
      return script.reply(await client.eval(script.source, keys.length, ...keys, ...args), request);
    },
  );
}
