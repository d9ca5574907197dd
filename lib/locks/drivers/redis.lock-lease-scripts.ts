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
import { CLOCK, LINE, OPEN } from './redis.lock-script-parts.js';

export interface ReleaseCall {
  readonly lease: LockLease;
  readonly countsListeners: boolean;
}

/** What is usual: one name, held exclusively, which nobody waits for. */
const WHEN_UNWANTED = `
local state = redis.call('GET', KEYS[1])
if state and string.byte(state) == 120 and string.sub(state, 18, 18 + #ARGV[1]) == ARGV[1] .. ' '
  and redis.call('PTTL', KEYS[1]) > ${KEEP} then
  redis.call('SETRANGE', KEYS[1], 0, '-')
  return 1
end`;

/** Ends a lease of a name that nobody waits for, and needs its first key only. Replies whether it has. */
export const releaseUnwantedScript: RedisScript<LockLease, boolean> = defineScript({
  name: 'releaseUnwanted',
  source: WHEN_UNWANTED,
  keys: ({ names }) => [firstKeyOf(names[0] as string)],
  args: ({ owner }) => [owner],
  reply: (raw) => raw === 1,
});

/** One name for which one waits first that can be given it, as `hand_over` does. */
const HAND_OVER_USUAL = `
if #KEYS == 4 then${WHEN_UNWANTED}
  if state == '*' and ARGV[2] == '1' and redis.call('HLEN', KEYS[2]) == 2 then
    local lease = redis.call('HMGET', KEYS[2], ARGV[1], '#')
    local held_to = string.match(lease[1] or '', '^(%d+) x ')
    local line = held_to and redis.call('LRANGE', KEYS[3], 0, 1)
    if line and line[1] then
      local entries = redis.call('HMGET', KEYS[4], line[1], line[2] or '')
      local waits_to, ttl, channel, metadata = string.match(entries[1] or '', '^(%d+) x %d+ 0 ([1-9]%d*) (%S+) (.*)$')
      local time = redis.call('TIME')
      local now = time[1] * 1000 + math.floor(time[2] / 1000)
      local token = time[1] .. string.rep('0', 6 - #time[2]) .. time[2]
      if waits_to and channel ~= '-' and tonumber(waits_to) > now and tonumber(held_to) > now
        and token > lease[2] and redis.call('PUBLISH', channel,
          line[1] .. ' ' .. token .. ' ' .. string.format('%.0f', now)) > 0 then
        redis.call('LPOP', KEYS[3])
        redis.call('HDEL', KEYS[4], line[1])
        redis.call('HDEL', KEYS[2], ARGV[1])
        redis.call('HSET', KEYS[2], line[1], string.format('%.0f', now + ttl) .. ' x ' .. token .. ' ' .. channel ..
          ' ' .. metadata, '#', token)
        if redis.call('PTTL', KEYS[2]) < ttl + ${KEEP} then
          redis.call('SET', KEYS[1], '*', 'PX', ttl + 2 * ${KEEP})
          redis.call('PEXPIRE', KEYS[2], ttl + 2 * ${KEEP})
        end
        local other = string.match(entries[2] or '', '^%d+ %a %d+ %d %d+ (%S+) ')
        if other and other ~= '-' and other ~= channel then
          redis.call('PUBLISH', other, line[2] .. ' ' .. ttl)
        end
        return 1
      end
    end
  end
end`;

/** A waiter leaves the line by it, too. */
export const releaseScript: RedisScript<ReleaseCall, ReleaseOutcome> = defineScript({
  name: 'release',
  // What is usual comes before the functions, whose making costs more than it.
  source: `${HAND_OVER_USUAL}${CLOCK}${OPEN}${LINE}
local owner, counts_listeners = ARGV[1], ARGV[2] == '1'
local held, stolen = true, false
for n = 1, #KEYS / 4 do
  local it = open(n, owner)
  if it.mine then
    redis.call('HDEL', it.lock, owner)
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
      const match = /^(-?\d+) (\w) (\d+) \S+ ([^]*)$/.exec(fields[i + 1] as string);
      const remaining = Number(match?.[1]) - Number(now);
      if (!match || remaining <= 0) continue;
      const [, , letter = '', token, metadata = ''] = match;
      const mode = MODE[letter] ?? 'exclusive';
      holders.push({ owner: fields[i] as string, mode, fencingToken: Number(token), remaining, metadata });
    }
    return { holders, waiting };
  },
});
