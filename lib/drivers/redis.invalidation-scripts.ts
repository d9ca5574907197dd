/* The scripts of writers. What the keys are, and why losing one is harmless: redis.scripts.ts. */
import { type Token, tableToken } from '../core/token.js';
import type { ExpireRequest, PendRequest, SettleRequest, ShapeRegistry } from './cache-driver.interface.js';
import { BUS_KEY, newMessageId, PUBLISH } from './redis.bus.scripts.js';
import { defineScript } from './redis.script.js';
import {
  IDENTITY_KEY,
  MARKS,
  millis,
  REGISTRY,
  registryKey,
  stampKey,
  toRegistries,
  writerName,
} from './redis.script-parts.js';

type Announcement = Pick<PendRequest, 'tokens' | 'registries'>;

const registriesAndTokens = ({ tokens, registries }: Announcement): string[] => [
  ...[...registries.keys()].map(registryKey),
  ...tokens.map(stampKey),
  BUS_KEY,
];

/** Nothing when all versions are those that were given; else all registries. */
const differingRegistries = (
  raw: unknown,
  { registries }: Announcement,
): ReadonlyMap<string, ShapeRegistry> | undefined =>
  raw === null ? undefined : toRegistries([...registries.keys()], raw);

/**
 * KEYS: the registries, then the tokens, then the bus. ARGV: writer, life of the marks, number of registries, id of the
 * message, the versions of the registries.
 * Reply: nothing when marked; all registries when a version differs.
 */
export const pendScript = defineScript<PendRequest, ReadonlyMap<string, ShapeRegistry> | undefined>({
  name: 'pend',
  source: `${MARKS}${REGISTRY}${PUBLISH}
local writer, ttl, n = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local all = differing(n, 4)
if all then return all end
local deadline = now + ttl
local mark = writer .. ':' .. string.format('%.0f', deadline)
local function marked(text)
  local others, latest = live(text, writer)
  if others ~= '' then others = others .. ',' end
  return others .. mark, math.max(latest, deadline)
end
for i = 1, n do
  redis.call('HSET', KEYS[i], '!', (marked(redis.call('HGET', KEYS[i], '!'))))
  if redis.call('PTTL', KEYS[i]) < ttl then redis.call('PEXPIRE', KEYS[i], ARGV[2]) end
end
local tokens = {}
for i = n + 1, #KEYS - 1 do
  local value = redis.call('GET', KEYS[i])
  if value and string.sub(value, 1, 1) ~= '!' then value = false end
  local marks, latest = marked(value)
  redis.call('SET', KEYS[i], '!' .. marks, 'PX', string.format('%.0f', latest - now))
  tokens[i - n] = token(KEYS[i])
end
publish(ARGV[4], tokens)
return false`,
  keys: registriesAndTokens,
  args: ({ writer, registries, ttl }) => [
    writerName(writer),
    millis(ttl),
    registries.size,
    newMessageId(),
    ...registries.values(),
  ],
  reply: differingRegistries,
});

/**
 * KEYS: the tokens, then registry and table token of each table, then the bus. ARGV: number of tokens, writer, id of
 * the message. What the writer's `pend` published need not be said again. But where its mark was lost, someone may
 * have stored what it was about to change, and taken that from the cache.
 */
export const settleScript = defineScript<SettleRequest, void>({
  name: 'settle',
  source: `${MARKS}${PUBLISH}
local n, writer = tonumber(ARGV[1]), ARGV[2]
local unmarked = {}
for i = 1, n do
  if not clear(KEYS[i], writer) then unmarked[#unmarked + 1] = token(KEYS[i]) end
end
for k = n + 1, #KEYS - 1, 2 do
  local text = redis.call('HGET', KEYS[k], '!')
  local marks, _, found = live(text, writer)
  if marks ~= '' then
    redis.call('HSET', KEYS[k], '!', marks)
  elseif text then
    redis.call('HDEL', KEYS[k], '!')
  end
  if not found then
    clear(KEYS[k + 1])
    unmarked[#unmarked + 1] = token(KEYS[k + 1])
  end
end
publish(ARGV[3], unmarked)`,
  keys: ({ tokens, tables }) => [
    ...tokens.map(stampKey),
    ...tables.flatMap((table) => [registryKey(table), stampKey(tableToken(table))]),
    BUS_KEY,
  ],
  args: ({ writer, tokens }) => [tokens.length, writerName(writer), newMessageId()],
  reply: () => undefined,
});

/** KEYS: the tokens, then the bus. ARGV: id of the message. */
export const restampScript = defineScript<readonly Token[], void>({
  name: 'restamp',
  source: `${MARKS}${PUBLISH}
local tokens = {}
for i = 1, #KEYS - 1 do
  clear(KEYS[i])
  tokens[i] = token(KEYS[i])
end
publish(ARGV[1], tokens)`,
  keys: (tokens) => [...tokens.map(stampKey), BUS_KEY],
  args: () => [newMessageId()],
  reply: () => undefined,
});

/**
 * KEYS: the registries, then the tokens, then the bus. ARGV: number of registries, id of the message, their versions.
 * Reply: as `pend`. The digits at the end of a stamp count; a stamp whose count is used up goes.
 */
export const expireScript = defineScript<ExpireRequest, ReadonlyMap<string, ShapeRegistry> | undefined>({
  name: 'expire',
  source: `${REGISTRY}${PUBLISH}
local n = tonumber(ARGV[1])
local all = differing(n, 2)
if all then return all end
local tokens = {}
for i = n + 1, #KEYS - 1 do
  local value = redis.call('GET', KEYS[i])
  if value and string.sub(value, 1, 1) ~= '!' then
    local count = tonumber(string.sub(value, -4), 16) + 1
    if count > 65535 then
      redis.call('DEL', KEYS[i])
    else
      redis.call('SET', KEYS[i], string.sub(value, 1, -5) .. string.format('%04x', count), 'KEEPTTL')
    end
  end
  tokens[i - n] = token(KEYS[i])
end
publish(ARGV[2], tokens)
return false`,
  keys: registriesAndTokens,
  args: ({ registries }) => [registries.size, newMessageId(), ...registries.values()],
  reply: differingRegistries,
});

/**
 * Restamps the token unless this server has handled that already. KEYS: `id`, the token, the bus. ARGV: identity of the
 * server, empty when it is not known, and id of the message.
 */
export const verifyScript = defineScript<{ identity: string; token: Token }, void>({
  name: 'verify',
  source: `${MARKS}${PUBLISH}
if ARGV[1] == '' or redis.call('GET', KEYS[1]) ~= ARGV[1] then
  clear(KEYS[2])
  redis.call('SET', KEYS[1], ARGV[1])
  publish(ARGV[2], {token(KEYS[2])})
end`,
  keys: ({ token }) => [IDENTITY_KEY, stampKey(token), BUS_KEY],
  args: ({ identity }) => [identity, newMessageId()],
  reply: () => undefined,
});
