import { leaseToken } from '../core/token.js';
import type { LeaseRequest } from './cache-driver.interface.js';
import { BUS_KEY, newMessageId, PUBLISH } from './redis.bus.scripts.js';
import { defineScript } from './redis.script.js';
import { millis } from './redis.script-parts.js';

/** A lease is the owner's name under a key that runs out. The key is that of its token in messages. */
const leaseKey = leaseToken;

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

/** KEYS: the lease, the bus. ARGV: owner, id of the message, token of the lease. */
export const unleaseScript = defineScript<LeaseRequest, void>({
  name: 'unlease',
  source: `${PUBLISH}
if redis.call('GET', KEYS[1]) == ARGV[1] then
  redis.call('DEL', KEYS[1])
  publish(ARGV[2], {ARGV[3]})
end`,
  keys: ({ key }) => [leaseKey(key), BUS_KEY],
  args: ({ owner, key }) => [owner, newMessageId(), leaseToken(key)],
  reply: () => undefined,
});
