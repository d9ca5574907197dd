import type { Corkable } from './redis.batch.js';

export type RedisArgument = string | number | Buffer;

/** What the driver needs of an ioredis client, version 5 or 6: `Redis`, `Cluster`, or anything that looks like it. */
export interface RedisClient {
  readonly status: string;
  readonly isCluster?: boolean;
  /** The socket; a Cluster has several and shows none. */
  readonly stream?: Corkable;
  mgetBuffer(keys: string[]): Promise<(Buffer | null)[]>;
  evalsha(sha: string, keyCount: number, ...args: RedisArgument[]): Promise<unknown>;
  eval(source: string, keyCount: number, ...args: RedisArgument[]): Promise<unknown>;
  unlink(keys: string[]): Promise<number>;
  info(): Promise<string>;
  on(event: 'ready' | 'close', listener: () => void): unknown;
  off(event: 'ready' | 'close', listener: () => void): unknown;
  /** ioredis puts `keyPrefix` before keys, and not before channels. */
  readonly options?: { readonly keyPrefix?: string };
  /**
   * Another connection to the same server. Needed for what listens to the server (near cache, waiting). That of a
   * Cluster has other parameters, and is not called.
   */
  readonly duplicate?: (...override: never) => object;
  /** Of a Cluster: its nodes, which are clients themselves. */
  nodes?(role: 'master'): readonly { duplicate(override: object): object }[];
}
