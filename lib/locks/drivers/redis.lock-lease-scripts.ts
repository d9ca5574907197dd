import { defineScript, type RedisScript } from '../../drivers/redis.script.js';
import type {
  LockHolder,
  LockLease,
  LockRenewal,
  LockState,
  ReleaseOutcome,
  RenewOutcome,
} from '../lock-driver.interface.js';
import { firstKeyOf, KEEP, keysOf, MODE } from './redis.lock-layout.js';
import { CLOCK, LINE, OPEN, TOKEN } from './redis.lock-script-parts.js';

export interface ReleaseCall {
  readonly lease: LockLease;
  readonly countsListeners: boolean;
}

export interface UnwantedLease {
  readonly names: readonly string[];
  /** How the value of the first key begins. */
  readonly stored: string;
}

/** Ends a lease that lasts, of a name that nobody waits for; needs its first key only. Replies whether it has. */
export const releaseUnwantedScript: RedisScript<UnwantedLease, boolean> = defineScript({
  name: 'releaseUnwanted',
  source: `
if redis.call('GETRANGE', KEYS[1], '0', ARGV[2]) == ARGV[1] then
  redis.call('SETRANGE', KEYS[1], '0', '-')
  return 1
end`,
  keys: ({ names }) => [firstKeyOf(names[0] as string)],
  args: ({ stored }) => [stored, stored.length - 1],
  reply: (raw) => raw === 1,
});

/** One name that is held exclusively, and for which nobody waits, or one first that can be given it. */
const WHEN_USUAL = `
local function release_unwanted(state)
  if state and string.byte(state) == 120 and string.sub(state, 18, 18 + #ARGV[1]) == ARGV[1] .. ' '
    and redis.call('PTTL', KEYS[1]) > ${KEEP} then
    redis.call('SETRANGE', KEYS[1], 0, '-')
    return true
  end
end
-- As hand_over does, in fewer commands.
local function give_to_first()
  local holder = redis.call('HMGET', KEYS[2], '!', '#')
  if not holder[1] or string.sub(holder[1], 1, #ARGV[1] + 1) ~= ARGV[1] .. ' ' then return end
  local line = redis.call('LRANGE', KEYS[3], 0, 1)
  if not line[1] then return end
  local entries = redis.call('HMGET', KEYS[4], line[1], line[2] or '')
  local waits_to, ttl, channel, metadata = string.match(entries[1] or '', '^(%d+) x %d+ 0 ([1-9]%d*) (%S+) (.*)$')
  if not waits_to or channel == '-' then return end
  local held_to = string.match(holder[1], '^%d+', #ARGV[1] + 2)
  local last, ends = string.match(holder[2], '^(%d+) (%d+)$')
  ${TOKEN}
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  if tonumber(waits_to) <= now or tonumber(held_to) <= now or token <= last then return end
  if redis.call('PUBLISH', channel, line[1] .. ' ' .. token .. ' ' .. string.format('%.0f', now)) == 0 then return end
  redis.call('LPOP', KEYS[3])
  redis.call('HDEL', KEYS[4], line[1])
  local is_short = tonumber(ends) < now + ttl + ${KEEP}
  if is_short then ends = string.format('%.0f', now + ttl + 2 * ${KEEP}) end
  redis.call('HSET', KEYS[2], '!', line[1] .. ' ' .. string.format('%.0f', now + ttl) .. ' x ' .. token .. ' ' ..
    channel .. ' ' .. metadata, '#', token .. ' ' .. ends)
  if is_short then
    redis.call('SET', KEYS[1], '*', 'PX', ttl + 2 * ${KEEP})
    redis.call('PEXPIRE', KEYS[2], ttl + 2 * ${KEEP})
  end
  local other = string.match(entries[2] or '', '^%d+ %a %d+ %d %d+ (%S+) ')
  if other and other ~= '-' and other ~= channel then redis.call('PUBLISH', other, line[2] .. ' ' .. ttl) end
  return true
end
if #KEYS == 4 then
  local state = redis.call('GET', KEYS[1])
  if state == '*' and ARGV[2] == '1' then
    if give_to_first() then return 1 end
  elseif release_unwanted(state) then return 1 end
end`;

/** A waiter leaves the line by it, too. */
export const releaseScript: RedisScript<ReleaseCall, ReleaseOutcome> = defineScript({
  name: 'release',
  // What is usual comes before the functions, whose making costs more than it.
  source: `${WHEN_USUAL}${CLOCK}${OPEN}${LINE}
local owner, counts_listeners = ARGV[1], ARGV[2] == '1'
local held, stolen = true, false
for n = 1, #KEYS / 4 do
  local it = open(n, owner)
  if it.mine then
    redis.call('HDEL', it.lock, it.mine.field)
    it.count = it.count - 1
  else
    held = false
    stolen = stolen or it.mode == 'x'
    if redis.call('HDEL', it.waiters, owner) == 1 then redis.call('LREM', it.line, 1, owner) end
  end
  hand_over(it, owner, counts_listeners)
  if it.count == 0 and redis.call('EXISTS', it.line) == 0 then
    redis.call('DEL', it.lock, it.short)
    if it.last > 0 then redis.call('SET', it.short, '-' .. whole(it.last), 'PX', KEEP) end
  end
end
return held and 1 or stolen and -1 or 0`,
  keys: ({ lease }) => lease.names.flatMap(keysOf),
  args: ({ lease, countsListeners }) => [lease.owner, countsListeners ? '1' : '0'],
  reply: (raw) => (raw === 1 ? 'released' : raw === -1 ? 'stolen' : 'expired'),
});

/** Whoever waits for the end of a lease that becomes shorter is told to look again. */
export const renewScript: RedisScript<readonly LockRenewal[], readonly RenewOutcome[]> = defineScript({
  name: 'renew',
  source: `${CLOCK}${OPEN}${LINE}
-- One name that nobody waits for stays in its one value; nil if it is not like that.
local function renew_unwanted(key, owner, ttl)
  local state = redis.call('GET', key)
  if not state or string.byte(state) ~= 120 or redis.call('PTTL', key) <= KEEP then return nil end
  if string.sub(state, 18, 18 + #owner) ~= owner .. ' ' then return -1 end
  redis.call('PEXPIRE', key, whole(ttl + KEEP))
  return 1
end
local function renew(from, count, owner, ttl)
  local names, held, stolen = {}, true, false
  for n = 1, count do
    names[n] = open(from + n, owner)
    held = held and names[n].mine
    stolen = stolen or (not names[n].mine and names[n].mode == 'x')
  end
  if not held then return stolen and -1 or 0 end
  for _, it in ipairs(names) do
    local mine = it.mine
    hold(it, owner, ttl, mine.mode, mine.token, '-', mine.metadata)
    local head = now + ttl < mine.deadline and first(it)
    if head and head.channel ~= '-' then redis.call('PUBLISH', head.channel, head.owner) end
  end
  return 1
end
local outcomes, done = {}, 0
for a = 1, #ARGV, 3 do
  local owner, ttl, count = ARGV[a], tonumber(ARGV[a + 1]), tonumber(ARGV[a + 2])
  local outcome = count == 1 and renew_unwanted(KEYS[4 * done + 1], owner, ttl)
  outcomes[#outcomes + 1] = outcome or renew(done, count, owner, ttl)
  done = done + count
end
return outcomes`,
  keys: (leases) => leases.flatMap(({ names }) => names.flatMap(keysOf)),
  args: (leases) => leases.flatMap(({ owner, ttl, names }) => [owner, ttl, names.length]),
  reply: (raw) =>
    (raw as number[]).map((code) => (code === 1 ? 'renewed' : code === -1 ? 'stolen' : 'expired')),
});

export const inspectScript: RedisScript<string, LockState> = defineScript({
  name: 'inspect',
  source: `${CLOCK}
local waiting = 0
for _, entry in ipairs(redis.call('HVALS', KEYS[4])) do
  if tonumber(string.match(entry, '^%d+')) > now then waiting = waiting + 1 end
end
local state = redis.call('GET', KEYS[1])
if not state or string.byte(state) ~= 120 then
  return { string.format('%.0f', now), waiting, redis.call('HGETALL', KEYS[2]) }
end
local owner, metadata = string.match(state, '^(%S+) (.*)$', 18)
local deadline = string.format('%.0f', now + redis.call('PTTL', KEYS[1]) - ${KEEP})
return { string.format('%.0f', now), waiting,
  { owner, deadline .. ' x ' .. string.sub(state, 2, 17) .. ' - ' .. metadata } }`,
  keys: keysOf,
  args: () => [],
  reply: (raw) => {
    const [now, waiting, fields] = raw as [string, number, string[]];
    const holders: LockHolder[] = [];
    for (let i = 0; i < fields.length; i += 2) {
      const holder = fields[i] === '!' ? fields[i + 1] : `${fields[i]} ${fields[i + 1]}`;
      const match = /^([\w-]+) (-?\d+) (\w) (\d+) \S+ ([^]*)$/.exec(holder as string);
      const remaining = Number(match?.[2]) - Number(now);
      if (!match || remaining <= 0) continue;
      const [, owner = '', , letter = '', token, metadata = ''] = match;
      const mode = MODE[letter] ?? 'exclusive';
      holders.push({ owner, mode, fencingToken: Number(token), remaining, metadata });
    }
    return { holders, waiting };
  },
});
