import { findServer } from '../test/support/servers/find.mjs';
import { redis } from '../test/support/servers/redis.mjs';

/** Starts a Redis of our own from its binary, whatever servers run or are named in variables. */
export async function startRedis() {
  const { url, stop } = await findServer({ ...redis, variable: 'BENCH_REDIS_URL', defaults: () => [] });
  if (!stop)
    throw new Error('BENCH_REDIS_URL is not read: the benchmark fills and counts servers of its own.');
  return { url, stop };
}
