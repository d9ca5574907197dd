import { createHash } from 'node:crypto';
import type { RedisArgument } from './redis.client.js';

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
