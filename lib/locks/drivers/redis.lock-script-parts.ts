import { KEEP } from './redis.lock-layout.js';

/** `now`: milliseconds. */
export const CLOCK = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)`;

/** `token`: the time in microseconds, in 16 digits. */
export const TOKEN = `
local time = redis.call('TIME')
local micros = time[2]
if #micros < 6 then micros = string.rep('0', 6 - #micros) .. micros end
local token = time[1] .. micros`;

/** `open`: the n-th name and who holds it, without the leases that are over. */
export const OPEN = `
local KEEP = ${KEEP}
local function whole(number) return string.format('%.0f', number) end
-- Spreads what is in one value over the other keys.
local function unfold(it)
  local state = redis.call('GET', it.short)
  if state == '*' then return end
  if not state then
    -- Nobody may take it for free when this key alone was evicted.
    local left = redis.call('PTTL', it.lock)
    if left > 0 then redis.call('SET', it.short, '*', 'PX', left) end
    return
  end
  local token, left = string.sub(state, 2, 17), redis.call('PTTL', it.short)
  if string.byte(state) == 120 and left > KEEP then
    local owner, metadata = string.match(state, '^(%S+) (.*)$', 18)
    redis.call('HSET', it.lock, '!', owner .. ' ' .. whole(now + left - KEEP) .. ' x ' .. token .. ' - ' .. metadata)
  end
  -- Longer than they have to last, so that the first who is handed the name finds nothing to set.
  local keep = left + KEEP
  redis.call('HSET', it.lock, '#', token .. ' ' .. whole(now + keep))
  redis.call('PEXPIRE', it.lock, whole(keep))
  redis.call('SET', it.short, '*', 'PX', whole(keep))
end
-- A process that was handed a lease and let it run out unheard stands still: no other waiter of it is waited for.
local function pass_over(it, channel)
  for _, owner in ipairs(redis.call('LRANGE', it.line, 0, -1)) do
    local entry = redis.call('HGET', it.waiters, owner)
    if entry and string.match(entry, '^%d+ %a %d+ %d %d+ (%S+) ') == channel then
      redis.call('HDEL', it.waiters, owner)
      redis.call('LREM', it.line, 1, owner)
      redis.call('PUBLISH', channel, owner)
    end
  end
end
local function count(it, deadline, mode)
  it.count = it.count + 1
  it.mode = mode
  it.latest = math.max(it.latest, deadline)
  it.earliest = math.min(it.earliest or deadline, deadline)
end
local function open(n, owner)
  local it = { short = KEYS[4 * n - 3], lock = KEYS[4 * n - 2], line = KEYS[4 * n - 1], waiters = KEYS[4 * n],
    count = 0, last = 0, ends = 0, latest = 0 }
  unfold(it)
  local all = redis.call('HGETALL', it.lock)
  for i = 1, #all, 2 do
    local field, holder, value = all[i], all[i], all[i + 1]
    if field == '#' then
      local last, ends = string.match(value, '^(%d+) (%d+)$')
      it.last, it.ends = tonumber(last), tonumber(ends)
    else
      if field == '!' then holder, value = string.match(value, '^(%S+) (.*)$') end
      local digits, mode, token, channel, metadata = string.match(value, '^(%d+) (%a) (%d+) (%S+) (.*)$')
      local deadline = tonumber(digits)
      if deadline <= now then
        redis.call('HDEL', it.lock, field)
        if channel ~= '-' then pass_over(it, channel) end
      else
        count(it, deadline, mode)
        if holder == owner then
          it.mine = { field = field, deadline = deadline, mode = mode, token = token, metadata = metadata }
        end
      end
    end
  end
  return it
end
local function hold(it, owner, ttl, mode, token, channel, metadata)
  it.latest = math.max(it.latest, now + ttl)
  local is_short = it.ends < it.latest + KEEP
  -- Twice as long as they have to last, so that they are seldom set.
  if is_short then it.ends = it.latest + 2 * KEEP end
  local field, value = owner, whole(now + ttl) .. ' ' .. mode .. ' ' .. token .. ' ' .. channel .. ' ' .. metadata
  if mode == 'x' then field, value = '!', owner .. ' ' .. value end
  redis.call('HSET', it.lock, field, value, '#', token .. ' ' .. whole(it.ends))
  if is_short then
    local keep = whole(it.ends - now)
    redis.call('SET', it.short, '*', 'PX', keep)
    redis.call('PEXPIRE', it.lock, keep)
  end
end
local function token_of(it, floor)
  return whole(math.max(time[1] * 1000000 + time[2], it.last + 1, floor))
end`;

/** `admits`: whether those who hold a name let in one more. `first`: who stands first in line, without the dead. */
export const LINE = `
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
      local digits, mode, limit, woken, ttl, channel, metadata =
        string.match(entry, '^(%d+) (%a) (%d+) (%d) (%d+) (%S+) (.*)$')
      if tonumber(digits) > now then
        return { owner = owner, deadline = tonumber(digits), mode = mode, limit = tonumber(limit),
          woken = woken == '1', ttl = tonumber(ttl), channel = channel, metadata = metadata }
      end
    end
    drop(it, owner)
    owner = redis.call('LINDEX', it.line, 0)
  end
end
-- Returns 1 if it did not stand in line before.
local function stand(it, who, owner, deadline, woken)
  return redis.call('HSET', it.waiters, owner, whole(deadline) .. ' ' .. who.mode .. ' ' .. whole(who.limit) .. ' ' ..
    woken .. ' ' .. whole(who.ttl) .. ' ' .. who.channel .. ' ' .. who.metadata)
end
-- Lets the process of whoever stands in line there look after a while whether the one before has come or gone.
-- Returns who that is.
local function watch(it, place, channel, after)
  local owner = redis.call('LINDEX', it.line, place)
  local entry = owner and redis.call('HGET', it.waiters, owner)
  local other = entry and string.match(entry, '^%d+ %a %d+ %d %d+ (%S+) ')
  if other and other ~= '-' and other ~= channel then
    redis.call('PUBLISH', other, owner .. ' ' .. whole(after))
  end
  return owner
end
-- Gives a name to the first in line as far as it is free for them, unless that is the caller.
-- Returns who is first then, and when to look again.
local function hand_over(it, caller, counts_listeners)
  local CLAIM = 1000
  while true do
    local head = first(it)
    if not head or head.owner == caller then return nil end
    if not admits(it, head.mode, head.limit) then return head.owner, ends(it, head.mode) end
    if head.woken or head.channel == '-' then return head.owner, head.deadline end
    if counts_listeners and head.ttl > 0 then
      local token = token_of(it, 0)
      drop(it, head.owner)
      if redis.call('PUBLISH', head.channel, head.owner .. ' ' .. token .. ' ' .. whole(now)) > 0 then
        it.last = tonumber(token)
        hold(it, head.owner, head.ttl, head.mode, token, head.channel, head.metadata)
        count(it, now + head.ttl, head.mode)
        local following = watch(it, 0, head.channel, head.ttl)
        if head.mode == 'x' or not following then return following or nil, it.latest end
      end
    elseif redis.call('PUBLISH', head.channel, head.owner) > 0 or not counts_listeners then
      local deadline = math.min(head.deadline, now + CLAIM)
      stand(it, head, head.owner, deadline, 1)
      watch(it, 1, head.channel, CLAIM)
      return head.owner, deadline
    else
      drop(it, head.owner)
    end
  end
end`;
