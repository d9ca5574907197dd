import { defineScript, type RedisScript } from '../../drivers/redis.script.js';
import type { LockRequest } from '../lock-driver.interface.js';
import { firstKeyOf, KEEP, keysOf, LETTER } from './redis.lock-layout.js';
import { CLOCK, LINE, OPEN, TOKEN } from './redis.lock-script-parts.js';

/** How an attempt is made, beside what is asked for. */
export interface Placing {
  /** Milliseconds for which to stand in line if it fails; 0: not at all. */
  readonly wait: number;
  readonly channel: string;
}

export interface AcquireCall extends Placing {
  readonly request: LockRequest;
  /** Whether nobody having heard a message means that nobody is there; on a Cluster it does not. */
  readonly countsListeners: boolean;
  /** The token must not be less. */
  readonly floor: number;
}

export interface AcquireGrant {
  readonly granted: true;
  readonly fencingToken: number;
  /** It was found free with nobody in line. */
  readonly wasIdle: boolean;
}

export interface AcquireRefusal {
  readonly granted: false;
  readonly retryAfter: number;
  /** Milliseconds, by the clock of the server. */
  readonly now: number;
  /** Every later grant of the name has a greater token. */
  readonly lastToken: number;
  /** It stood in no line before. */
  readonly isNew: boolean;
}

/** What is usual: one name, exclusively, which nobody holds and nobody waits for. */
const WHEN_IDLE = `
local last = redis.call('GETRANGE', KEYS[1], '0', '16')
if last == '' or string.byte(last) == 45 then${TOKEN}
  if '-' .. token > last then
    redis.call('SET', KEYS[1], 'x' .. token .. ARGV[1] .. ' ' .. ARGV[2], 'PX', ARGV[3])
    return token
  end
end`;

const commonArgs = ({ owner, metadata, ttl }: LockRequest): [string, string, number] => [
  owner,
  metadata,
  ttl + KEEP,
];

/** Gives a name to whoever asks if it is idle, and needs its first key only. Replies with the token, or ''. */
export const acquireIdleScript: RedisScript<LockRequest, string> = defineScript({
  name: 'acquireIdle',
  source: WHEN_IDLE,
  keys: ({ names }) => [firstKeyOf(names[0] as string)],
  args: commonArgs,
  reply: (raw) => (raw ?? '') as string,
});

export const acquireScript: RedisScript<AcquireCall, AcquireGrant | AcquireRefusal> = defineScript({
  name: 'acquire',
  // What is usual comes before the functions, whose making costs more than it.
  source: `
if #KEYS == 4 and string.sub(ARGV[4], 1, 4) == 'x 0 ' then${WHEN_IDLE}
end${CLOCK}${OPEN}${LINE}
local owner, metadata, ttl = ARGV[1], ARGV[2], ARGV[3] - KEEP
local mode, floor_digits, limit_digits, wait_digits, counts, channel =
  string.match(ARGV[4], '^(%a) (%d+) (%d+) (%d+) (%d) (%S+)$')
local floor, limit, wait, counts_listeners =
  tonumber(floor_digits), tonumber(limit_digits), tonumber(wait_digits), counts == '1'
local names, held, free, look = {}, true, true, 0
for n = 1, #KEYS / 4 do
  local it = open(n, owner)
  names[n] = it
  if not it.mine then
    held = false
    local ahead, at
    if admits(it, mode, limit) then ahead, at = hand_over(it, owner, counts_listeners) end
    if not admits(it, mode, limit) then
      free = false
      look = math.max(look, ends(it, mode))
    elseif ahead then
      free = false
      look = math.max(look, at)
    end
  end
end
if held or free then
  local token = held and math.max(tonumber(names[1].mine.token), floor) or floor
  for _, it in ipairs(names) do
    if not held then token = math.max(token, tonumber(token_of(it, floor))) end
  end
  for _, it in ipairs(names) do
    it.last = token
    if it.mine and it.mine.mode ~= mode then redis.call('HDEL', it.lock, it.mine.field) end
    hold(it, owner, ttl, mode, whole(token), '-', metadata)
    local head = first(it)
    if head and head.owner == owner then drop(it, owner) end
    if mode ~= 'x' and not it.mine then
      count(it, now + ttl, mode)
      hand_over(it, owner, counts_listeners)
    end
  end
  return { whole(token) }
end
local last, is_new = 0, 1
for _, it in ipairs(names) do
  last = math.max(last, it.last)
  if wait > 0 then
    local who = { mode = mode, limit = limit, ttl = #names == 1 and ttl or 0, channel = channel, metadata = metadata }
    if stand(it, who, owner, now + wait, 0) == 1 then redis.call('RPUSH', it.line, owner) else is_new = 0 end
    -- Twice as long as they have to last, so that it is seldom set.
    if redis.call('PTTL', it.line) < wait + 60000 then
      local keep = 2 * (wait + 60000)
      redis.call('PEXPIRE', it.line, whole(keep))
      redis.call('PEXPIRE', it.waiters, whole(keep))
      redis.call('SET', it.short, '*', 'PX', whole(math.max(redis.call('PTTL', it.short), keep)))
    end
  end
end
return { whole(math.max(look - now, 0)), whole(now), whole(last), is_new }`,
  keys: ({ request }) => request.names.flatMap(keysOf),
  args: ({ request, wait, channel, countsListeners, floor }) => [
    ...commonArgs(request),
    [
      LETTER[request.mode],
      floor,
      Math.min(request.limit, Number.MAX_SAFE_INTEGER),
      Math.max(Math.ceil(wait), 0),
      countsListeners ? 1 : 0,
      channel,
    ].join(' '),
  ],
  reply: (raw) => {
    if (typeof raw === 'string') return { granted: true, fencingToken: Number(raw), wasIdle: true };
    const [first, now, last, isNew] = raw as [string, string?, string?, number?];
    if (now === undefined) return { granted: true, fencingToken: Number(first), wasIdle: false };
    return {
      granted: false,
      retryAfter: Number(first),
      now: Number(now),
      lastToken: Number(last),
      isNew: isNew === 1,
    };
  },
});
