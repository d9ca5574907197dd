import type { Redis } from 'ioredis';
import { serverUrl } from './databases.js';
import { ownedName } from './servers/owner.mjs';

/** The Redis of this run. It may be shared with others: keep to a `uniquePrefix()`, never flush it. */
export function redisUrl(): string {
  return serverUrl('TEST_REDIS_URL');
}

/** A key prefix that no other test uses, colon included. The next run removes what a killed one left under it. */
export function uniquePrefix(): string {
  return `${ownedName()}:`;
}

/** Removes all keys that begin with `prefix`; belongs in `afterEach` or `afterAll`. */
export async function dropPrefix(client: Redis, prefix: string): Promise<void> {
  const pattern = `${prefix.replace(/[\\*?[\]]/g, '\\$&')}*`;
  for await (const keys of client.scanStream({ match: pattern, count: 1_000 })) {
    if ((keys as string[]).length > 0) await client.unlink(...(keys as string[]));
  }
}
