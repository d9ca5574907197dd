import type { LeaseRequest } from './cache-driver.interface.js';
import { defineScript } from './redis.script.js';
import { millis } from './redis.script-parts.js';

/** A lease is the owner's name under a key that runs out. */
const leaseKey = (key: string): string => `r:${key}`;

/** KEYS: the lease. ARGV: owner, life of the lease. Reply: 0 when it is the owner's, else the rest of its life. */
export const leaseScript = defineScript<LeaseRequest & { readonly ttl: number }, number>({
  name: 'lease',
  source: `
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return math.max(1, redis.call('PTTL', KEYS[1])) end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 0`,
  keys: ({ key }) => [leaseKey(key)],
  args: ({ owner, ttl }) => [owner, millis(ttl)],
  reply: (raw) => Number(raw),
});

/** KEYS: the lease. ARGV: owner. */
export const unleaseScript = defineScript<LeaseRequest, void>({
  name: 'unlease',
  source: `
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end`,
  keys: ({ key }) => [leaseKey(key)],
  args: ({ owner }) => [owner],
  reply: () => undefined,
});
