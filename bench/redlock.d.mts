import type { Redis } from 'ioredis';

/** What the benchmark uses of redlock. */
export function openRedlock(
  client: Redis,
  settings: { readonly retryCount: number },
): { acquire(names: string[], ttl: number): Promise<{ release(): Promise<unknown> }> };
