/*
 * Locks in Redis. A name has three keys, which share a hash tag:
 *
 *   l  hash   owner -> "<deadline> <mode> <token> <metadata>" of those who hold it; '#' -> the last fencing token
 *   q  list   owners that stand in line, in the order of arrival
 *   w  hash   owner -> "<deadline> <mode> <limit> <woken> <channel>" of those in line
 *
 * Who holds or waits for a name is decided here only, by the clock of the server. When a name becomes free it is
 * reserved for the first in line for a moment (CLAIM), and that one alone is told by a message on the channel of its
 * process; it takes the lock by asking again, as the same owner. So whatever was lost on the way (a message, a reply),
 * asking again is right, and a lease begins when its holder asks.
 *
 * In line stands whoever has not reached its deadline. Those whose process has closed its connection are found out when
 * nobody hears the message. A waiter whose channel is '-' hears nothing and asks from time to time; its deadline is near.
 *
 * Tokens are the server's time in microseconds, or the last token + 1 if that is more: they rise even when the keys are
 * lost, and when the clock is set back by less than KEEP, for which the last token of a name is remembered.
 */
import { defineScript, type RedisScript } from '../../drivers/redis.script.js';
import type {
  LockBusy,
  LockGrant,
  LockHolder,
  LockLease,
  LockMode,
  LockRenewal,
  LockRequest,
  LockState,
  ReleaseOutcome,
  RenewOutcome,
} from '../lock-driver.interface.js';

const LETTER: Readonly<Record<LockMode, string>> = { exclusive: 'x', shared: 's', semaphore: 'p' };
const MODE: Readonly<Record<string, LockMode>> = { x: 'exclusive', s: 'shared', p: 'semaphore' };

/** The channel of somebody who does not listen. */
export const NO_CHANNEL = '-';

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

export interface ReleaseCall {
  readonly lease: LockLease;
  readonly countsListeners: boolean;
}

/** A name that brings a hash tag of its own keeps it; no other can be taken for one of those. */
function keysOf(name: string): string[] {
  const tagged = /\{[^}]+\}/.test(name) ? `=${name}` : `{:${name}}`;
  return [`l:${tagged}`, `q:${tagged}`, `w:${tagged}`];
}

const CLOCK = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)`;

/*
 * What is usual comes before the functions, whose making costs more than it: one name, no line, and for `acquire` no
 * holder, for `release` a lease that lasts.
 */
const ACQUIRE_FREE = `
if #KEYS == 3 and redis.call('EXISTS', KEYS[2]) == 0 then
  local all = redis.call('HGETALL', KEYS[1])
  if #all == 0 or (#all == 2 and all[1] == '#') then
    local token = math.max(time[1] * 1000000 + time[2], (tonumber(all[2]) or 0) + 1, tonumber(ARGV[9]))
    local text = string.format('%.0f', token)
    local deadline = string.format('%.0f', now + ARGV[4])
    redis.call('HSET', KEYS[1], ARGV[1], deadline .. ' ' .. ARGV[2] .. ' ' .. text .. ' ' .. ARGV[5], '#', text)
    redis.call('PEXPIRE', KEYS[1], ARGV[4] + 3600000)
    return { 1, text }
  end
end`;
const RELEASE_HELD = `
if #KEYS == 3 and redis.call('EXISTS', KEYS[2]) == 0 then
  local lease = redis.call('HGET', KEYS[1], ARGV[1])
  if lease and tonumber(string.match(lease, '^%d+')) > now then
    redis.call('HDEL', KEYS[1], ARGV[1])
    return 1
  end
end`;

/** `open`: the n-th name and who holds it, without the leases that are over. */
const OPEN = `
local function open(n, owner)
  local it = { lock = KEYS[3 * n - 2], line = KEYS[3 * n - 1], waiters = KEYS[3 * n], count = 0, last = 0, latest = 0 }
  local all = redis.call('HGETALL', it.lock)
  for i = 1, #all, 2 do
    if all[i] == '#' then
      it.last = tonumber(all[i + 1])
    else
      local digits, mode, token, metadata = string.match(all[i + 1], '^(%d+) (%a) (%d+) (.*)$')
      local deadline = tonumber(digits)
      if deadline <= now then
        redis.call('HDEL', it.lock, all[i])
      else
        it.count = it.count + 1
        it.mode = mode
        it.latest = math.max(it.latest, deadline)
        it.earliest = math.min(it.earliest or deadline, deadline)
        if all[i] == owner then it.mine = { deadline = deadline, mode = mode, token = token, metadata = metadata } end
      end
    end
  end
  return it
end
local function hold(it, owner, ttl, mode, token, metadata)
  local KEEP = 3600000
  redis.call('HSET', it.lock, owner, string.format('%.0f %s %s ', now + ttl, mode, token) .. metadata, '#', token)
  redis.call('PEXPIRE', it.lock, string.format('%.0f', math.max(it.latest - now, ttl) + KEEP))
end`;

/** `admits`: whether those who hold a name let in one more. `first`: who stands first in line, without the dead. */
const LINE = `
local function admits(it, mode, limit)
  if it.count == 0 then return true end
  if it.mode ~= mode or mode == 'x' then return false end
  return mode == 's' or it.count < limit
end
local function ends(it, mode)
  if mode == 'p' and it.mode == 'p' then return it.earliest end
  return it.latest
end
local function drop(it, owner)
  redis.call('LPOP', it.line)
  redis.call('HDEL', it.waiters, owner)
end
local function first(it)
  local owner = redis.call('LINDEX', it.line, 0)
  while owner do
    local entry = redis.call('HGET', it.waiters, owner)
    if entry then
      local digits, mode, limit, woken, channel = string.match(entry, '^(%d+) (%a) (%d+) (%d) (.*)$')
      if tonumber(digits) > now then
        return { owner = owner, deadline = tonumber(digits), mode = mode, limit = tonumber(limit),
          woken = woken == '1', channel = channel }
      end
    end
    drop(it, owner)
    owner = redis.call('LINDEX', it.line, 0)
  end
end
local function stand(it, who, owner, deadline, woken)
  redis.call('HSET', it.waiters, owner,
    string.format('%.0f %s %.0f %d ', deadline, who.mode, who.limit, woken) .. who.channel)
end
-- Lets another process look after a while whether the first in line has come; it may stand still.
local function watch(it, channel, after)
  local owner = redis.call('LINDEX', it.line, 1)
  local entry = owner and redis.call('HGET', it.waiters, owner)
  local other = entry and string.match(entry, '^%d+ %a %d+ %d (.*)$')
  if other and other ~= '-' and other ~= channel then redis.call('PUBLISH', other, owner .. ' ' .. after) end
end
-- Tells the first in line that the name is free for it, once, unless that is the caller.
-- Returns who that is, and when to look again if it does not come.
local function wake(it, caller, countsListeners)
  local CLAIM = 1000
  while true do
    local head = first(it)
    if not head or head.owner == caller then return nil end
    if not admits(it, head.mode, head.limit) then return head.owner, ends(it, head.mode) end
    if head.woken or head.channel == '-' then return head.owner, head.deadline end
    if redis.call('PUBLISH', head.channel, head.owner) > 0 or not countsListeners then
      local deadline = math.min(head.deadline, now + CLAIM)
      stand(it, head, head.owner, deadline, 1)
      watch(it, head.channel, CLAIM)
      return head.owner, deadline
    end
    drop(it, head.owner)
  end
end`;

export const acquireScript: RedisScript<AcquireCall, LockGrant | LockBusy> = defineScript({
  name: 'acquire',
  source: `${CLOCK}${ACQUIRE_FREE}${OPEN}${LINE}
local owner, mode, limit, ttl, metadata = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5]
local wait, channel, countsListeners, floor = tonumber(ARGV[6]), ARGV[7], ARGV[8] == '1', tonumber(ARGV[9])
local names, held, free, look = {}, true, true, 0
for n = 1, #KEYS / 3 do
  local it = open(n, owner)
  names[n] = it
  if not it.mine then
    held = false
    if not admits(it, mode, limit) then
      free = false
      look = math.max(look, ends(it, mode))
    else
      local ahead, at = wake(it, owner, countsListeners)
      if ahead then
        free = false
        look = math.max(look, at)
      end
    end
  end
end
if held or free then
  local token = math.max(time[1] * 1000000 + time[2], floor)
  if held then token = math.max(tonumber(names[1].mine.token), floor) end
  for _, it in ipairs(names) do
    if not held then token = math.max(token, it.last + 1) end
  end
  local text = string.format('%.0f', token)
  for _, it in ipairs(names) do
    hold(it, owner, ttl, mode, text, metadata)
    local head = first(it)
    if head and head.owner == owner then drop(it, owner) end
    if mode ~= 'x' and not it.mine then
      it.count = it.count + 1
      it.mode = mode
      wake(it, owner, countsListeners)
    end
  end
  return { 1, text }
end
if wait > 0 then
  for _, it in ipairs(names) do
    if redis.call('HEXISTS', it.waiters, owner) == 0 then redis.call('RPUSH', it.line, owner) end
    stand(it, { mode = mode, limit = limit, channel = channel }, owner, now + wait, 0)
    local keep = string.format('%.0f', math.max(redis.call('PTTL', it.line), wait + 60000))
    redis.call('PEXPIRE', it.line, keep)
    redis.call('PEXPIRE', it.waiters, keep)
  end
end
return { 0, string.format('%.0f', math.max(look - now, 0)) }`,
  keys: ({ request }) => request.names.flatMap(keysOf),
  args: ({ request: { owner, mode, limit, ttl, metadata }, wait, channel, countsListeners, floor }) => [
    owner,
    LETTER[mode],
    Math.min(limit, Number.MAX_SAFE_INTEGER),
    ttl,
    metadata,
    Math.ceil(wait),
    channel,
    countsListeners ? '1' : '0',
    floor,
  ],
  reply: (raw) => {
    const [granted, value] = raw as [number, string];
    return granted === 1
      ? { granted: true, fencingToken: Number(value) }
      : { granted: false, retryAfter: Number(value) };
  },
});

/** A waiter leaves the line by it, too. */
export const releaseScript: RedisScript<ReleaseCall, ReleaseOutcome> = defineScript({
  name: 'release',
  source: `${CLOCK}${RELEASE_HELD}${OPEN}${LINE}
local owner, countsListeners = ARGV[1], ARGV[2] == '1'
local held, stolen = true, false
for n = 1, #KEYS / 3 do
  local it = open(n, owner)
  if it.mine then
    redis.call('HDEL', it.lock, owner)
    it.count = it.count - 1
  else
    held = false
    stolen = stolen or it.mode == 'x'
    if redis.call('HDEL', it.waiters, owner) == 1 then redis.call('LREM', it.line, 1, owner) end
  end
  wake(it, owner, countsListeners)
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
local outcomes, done = {}, 0
for a = 1, #ARGV, 3 do
  local owner, ttl, count = ARGV[a], tonumber(ARGV[a + 1]), tonumber(ARGV[a + 2])
  local names, held, stolen = {}, true, false
  for n = 1, count do
    names[n] = open(done + n, owner)
    held = held and names[n].mine
    stolen = stolen or (not names[n].mine and names[n].mode == 'x')
  end
  done = done + count
  for _, it in ipairs(held and names or {}) do
    local mine = it.mine
    hold(it, owner, ttl, mine.mode, mine.token, mine.metadata)
    if now + ttl < mine.deadline then
      local head = first(it)
      if head and head.channel ~= '-' then redis.call('PUBLISH', head.channel, head.owner) end
    end
  end
  outcomes[#outcomes + 1] = held and 1 or stolen and -1 or 0
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
for _, entry in ipairs(redis.call('HVALS', KEYS[3])) do
  if tonumber(string.match(entry, '^%d+')) > now then waiting = waiting + 1 end
end
return { string.format('%.0f', now), waiting, redis.call('HGETALL', KEYS[1]) }`,
  keys: keysOf,
  args: () => [],
  reply: (raw) => {
    const [now, waiting, fields] = raw as [string, number, string[]];
    const holders: LockHolder[] = [];
    for (let i = 0; i < fields.length; i += 2) {
      const match = /^(\d+) (\w) (\d+) ([^]*)$/.exec(fields[i + 1] as string);
      const remaining = Number(match?.[1]) - Number(now);
      if (!match || remaining <= 0) continue;
      const [, , letter = '', token, metadata = ''] = match;
      const mode = MODE[letter] ?? 'exclusive';
      holders.push({ owner: fields[i] as string, mode, fencingToken: Number(token), remaining, metadata });
    }
    return { holders, waiting };
  },
});
