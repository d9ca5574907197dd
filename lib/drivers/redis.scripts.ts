/*
 * The scripts of the Redis driver, and why no eviction can make a stale entry look fresh.
 *
 * Keys, each behind the prefix:
 *   e:<key>      an entry
 *   s:<token>    a stamp (16 characters), or `!<writer>:<deadline>,…`: the marks of pending writers. Deadlines are in
 *                milliseconds of the server's clock, and the key lives until the last of them.
 *   c:{<table>}  hash, the registry of the table: `v` its version, `=<shape>` one field a shape, `!` the marks of
 *                writers that are writing the table, as above.
 *   r:<key>      the lease of an entry: who loads it
 *   id           which server handled the last restamp of everything (see `verify`)
 *
 * Any of them may vanish at any time: by `maxmemory-policy`, by expiry, by hand. That costs misses only:
 *
 * - Entry: a miss.
 * - Stamp: a missing stamp is a miss (law 2), and the next pin makes a random one that no entry has (law 3). A reader
 *   that pinned the lost one cannot store: `write` compares.
 * - Marks of a token, before the writer commits: a reader may now pin a stamp, load the old value and store it. The
 *   writer's `settle` takes any stamp away that it finds, also where its own mark is gone, so the entry is dead from
 *   then on. (Bound, as in the model: unless the writer dies between its commit and that settle.)
 * - Registry while no one writes: a writer finds version '' and then always includes `t:{table}`, which every entry of
 *   the table pins. So entries of shapes that nobody remembers are invalidated all the same.
 * - Registry, then created again by a reader with another shape: creation restamps `t:{table}`, so the entries of the
 *   forgotten shapes are dead. A process that believes its shape to be registered ties that belief to the stamp of
 *   `t:{table}`: it has changed, so the process registers again. (Passing the shapes with each pin is enough.)
 * - Registry, and a reader that stores under a shape it had registered before the loss: the stamp of `t:{table}` it
 *   pinned is either still there, then the next writer finds '' and restamps it, or it went with a creation, then
 *   `write` refuses.
 * - Registry that holds the mark of a writer: without the mark a reader can register a shape that the writer has not
 *   computed tokens for, load the old value and store it. The writer's `settle` finds its mark gone and restamps
 *   `t:{table}`. The same holds for a mark that ran out because the commit took too long.
 * - Lease: two processes load the same entry; each stores under the stamps that it pinned itself.
 * - `id`: everything is restamped once more.
 *
 * A command that the client gave up on may still be executed later. A late `settle`, `restamp` or `delete` only takes
 * away; a late `write` compares; a late `pin` makes a fresh stamp; a late `pend` leaves a mark that runs out.
 */
import { newStamp, type Stamp } from '../core/stamp.js';
import { type Token, tableToken } from '../core/token.js';
import type {
  ExpireRequest,
  PendRequest,
  PinRequest,
  SettleRequest,
  ShapeRegistry,
  TokenState,
  WriteRequest,
} from './cache-driver.interface.js';
import { registryLife, stampLife, stampLifeAtLeast } from './lifetimes.js';
import { defineScript } from './redis.script.js';
import { shapesByTable, withoutTables } from './table-shapes.js';

export const entryKey = (key: string): string => `e:${key}`;
export const stampKey = (token: Token): string => `s:${token}`;
export const registryKey = (table: string): string => `c:{${table}}`;
const IDENTITY_KEY = 'id';

/** Writers stand between commas and colons in the text of marks. */
const writerName = (writer: string): string =>
  writer.replace(/[^\w-]/g, (c) => `.${c.charCodeAt(0).toString(16)}.`);

export const millis = (ms: number): number => Math.max(1, Math.ceil(ms));

/** Text of marks: `live` drops those that ran out and, if named, one writer's; `clear` does so to a token's key. */
const MARKS = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function live(text, without)
  local kept, latest, found = {}, 0, false
  for writer, digits in string.gmatch(text or '', '([^!,:]+):(%d+)') do
    local deadline = tonumber(digits)
    if deadline > now then
      if writer == without then
        found = true
      else
        kept[#kept + 1] = writer .. ':' .. digits
        if deadline > latest then latest = deadline end
      end
    end
  end
  return table.concat(kept, ','), latest, found
end
local function clear(key, writer)
  local value = redis.call('GET', key)
  if not value then return end
  local marks, latest = '', 0
  if string.sub(value, 1, 1) == '!' then marks, latest = live(value, writer) end
  if marks == '' then
    redis.call('DEL', key)
  else
    redis.call('SET', key, '!' .. marks, 'PX', string.format('%.0f', latest - now))
  end
end
`;

/**
 * `registry(key)`: version first (`''` when there is none), then the shapes. `differing(n, at)`: the first n keys as
 * such, if the version of one is not the argument behind `at` that belongs to it.
 */
const REGISTRY = `
local function registry(key)
  local fields, found = redis.call('HGETALL', key), {''}
  for i = 1, #fields, 2 do
    if fields[i] == 'v' then
      found[1] = fields[i + 1]
    elseif string.sub(fields[i], 1, 1) == '=' then
      found[#found + 1] = string.sub(fields[i], 2)
    end
  end
  return found
end
local function differing(n, at)
  for i = 1, n do
    if (redis.call('HGET', KEYS[i], 'v') or '') ~= ARGV[at + i] then
      local all = {}
      for k = 1, n do all[k] = registry(KEYS[k]) end
      return all
    end
  end
end
`;

const toRegistries = (tables: readonly string[], raw: unknown): Map<string, ShapeRegistry> => {
  const replies = raw as string[][];
  return new Map(
    tables.map((table, i) => {
      const [version = '', ...shapes] = replies[i] ?? [];
      return [table, { version, shapes: version === '' ? [] : shapes }];
    }),
  );
};

/**
 * KEYS: the tokens, then registry and table token of each table. ARGV: number of tokens, least life of a stamp, life
 * of a stamp, life of a registry, version for registries that change, one new stamp a token, then for each table the
 * number of its shapes and the shapes.
 * Reply: a stamp or `!` for each token, then the numbers of the tables whose shapes were refused.
 */
export const pinScript = defineScript<PinRequest, readonly TokenState[]>({
  name: 'pin',
  source: `${MARKS}
local n = tonumber(ARGV[1])
local reply, a = {}, 6 + n
local refused = {}
for k = n + 1, #KEYS, 2 do
  local key, count, new = KEYS[k], tonumber(ARGV[a]), {}
  for i = a + 1, a + count do
    if redis.call('HEXISTS', key, '=' .. ARGV[i]) == 0 then new[#new + 1] = '=' .. ARGV[i] end
  end
  a = a + count + 1
  local marks = ''
  if #new > 0 then
    local text = redis.call('HGET', key, '!')
    marks = live(text)
    if text and marks == '' then redis.call('HDEL', key, '!') end
  end
  if marks ~= '' then
    refused[#refused + 1] = (k - n - 1) / 2
  else
    if #new > 0 then
      local created = redis.call('HEXISTS', key, 'v') == 0
      redis.call('HSET', key, 'v', ARGV[5])
      for _, field in ipairs(new) do redis.call('HSET', key, field, '') end
      if created then clear(KEYS[k + 1]) end
    end
    if redis.call('PTTL', key) < tonumber(ARGV[4]) then redis.call('PEXPIRE', key, ARGV[4]) end
  end
end
for i = 1, n do
  local value = redis.call('GET', KEYS[i])
  if not value then
    value = ARGV[5 + i]
    redis.call('SET', KEYS[i], value, 'PX', ARGV[3])
  elseif string.sub(value, 1, 1) == '!' then
    value = '!'
  elseif redis.call('PTTL', KEYS[i]) < tonumber(ARGV[2]) then
    redis.call('PEXPIRE', KEYS[i], ARGV[3])
  end
  reply[i] = value
end
for _, index in ipairs(refused) do reply[#reply + 1] = index end
return reply`,
  keys: ({ tokens, shapes }) => [
    ...tokens.map(stampKey),
    ...[...shapesByTable(shapes).keys()].flatMap((table) => [
      registryKey(table),
      stampKey(tableToken(table)),
    ]),
  ],
  args: ({ tokens, shapes, ttl }) => [
    tokens.length,
    stampLifeAtLeast(ttl),
    stampLife(ttl),
    registryLife(ttl),
    newStamp(),
    ...tokens.map(newStamp),
    ...[...shapesByTable(shapes).values()].flatMap((texts) => [texts.length, ...texts]),
  ],
  reply: (raw, { tokens, shapes }) => {
    const replies = raw as (string | number)[];
    const states = tokens.map((_, i): TokenState => (replies[i] === '!' ? 'pending' : String(replies[i])));
    if (replies.length === tokens.length) return states;
    const tables = [...shapesByTable(shapes).keys()];
    return withoutTables(
      tokens,
      states,
      replies.slice(tokens.length).map((index) => tables[Number(index)] as string),
    );
  },
});

/**
 * KEYS: the entry, then the tokens. ARGV: life of the entry, least life of a stamp, life of a stamp, the pinned
 * stamps, the entry. Reply: 1 when stored.
 */
export const writeScript = defineScript<WriteRequest, boolean>({
  name: 'write',
  source: `
for i = 2, #KEYS do
  if redis.call('GET', KEYS[i]) ~= ARGV[i + 2] then return 0 end
end
for i = 2, #KEYS do
  if redis.call('PTTL', KEYS[i]) < tonumber(ARGV[2]) then redis.call('PEXPIRE', KEYS[i], ARGV[3]) end
end
redis.call('SET', KEYS[1], ARGV[#ARGV], 'PX', ARGV[1])
return 1`,
  keys: ({ key, tokens }) => [entryKey(key), ...tokens.map(stampKey)],
  args: ({ entry, stamps, ttl }) => [
    millis(ttl),
    stampLifeAtLeast(ttl),
    stampLife(ttl),
    ...(stamps as Stamp[]),
    entry,
  ],
  reply: (raw) => raw === 1,
});

/**
 * KEYS: the registries, then the tokens. ARGV: writer, life of the marks, number of registries, their versions.
 * Reply: nothing when marked; all registries when a version differs.
 */
export const pendScript = defineScript<PendRequest, ReadonlyMap<string, ShapeRegistry> | undefined>({
  name: 'pend',
  source: `${MARKS}${REGISTRY}
local writer, ttl, n = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local all = differing(n, 3)
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
for i = n + 1, #KEYS do
  local value = redis.call('GET', KEYS[i])
  if value and string.sub(value, 1, 1) ~= '!' then value = false end
  local marks, latest = marked(value)
  redis.call('SET', KEYS[i], '!' .. marks, 'PX', string.format('%.0f', latest - now))
end
return false`,
  keys: ({ tokens, registries }) => [...[...registries.keys()].map(registryKey), ...tokens.map(stampKey)],
  args: ({ writer, registries, ttl }) => [
    writerName(writer),
    millis(ttl),
    registries.size,
    ...registries.values(),
  ],
  reply: (raw, { registries }) => (raw === null ? undefined : toRegistries([...registries.keys()], raw)),
});

/** KEYS: the tokens, then registry and table token of each table. ARGV: number of tokens, writer. */
export const settleScript = defineScript<SettleRequest, void>({
  name: 'settle',
  source: `${MARKS}
local n, writer = tonumber(ARGV[1]), ARGV[2]
for i = 1, n do clear(KEYS[i], writer) end
for k = n + 1, #KEYS, 2 do
  local text = redis.call('HGET', KEYS[k], '!')
  local marks, _, found = live(text, writer)
  if marks ~= '' then
    redis.call('HSET', KEYS[k], '!', marks)
  elseif text then
    redis.call('HDEL', KEYS[k], '!')
  end
  if not found then clear(KEYS[k + 1]) end
end`,
  keys: ({ tokens, tables }) => [
    ...tokens.map(stampKey),
    ...tables.flatMap((table) => [registryKey(table), stampKey(tableToken(table))]),
  ],
  args: ({ writer, tokens }) => [tokens.length, writerName(writer)],
  reply: () => undefined,
});

/** KEYS: the tokens. */
export const restampScript = defineScript<readonly Token[], void>({
  name: 'restamp',
  source: `${MARKS}
for i = 1, #KEYS do clear(KEYS[i]) end`,
  keys: (tokens) => tokens.map(stampKey),
  args: () => [],
  reply: () => undefined,
});

/**
 * KEYS: the registries, then the tokens. ARGV: number of registries, their versions. Reply: as `pend`. The digits at
 * the end of a stamp count; a stamp whose count is used up goes.
 */
export const expireScript = defineScript<ExpireRequest, ReadonlyMap<string, ShapeRegistry> | undefined>({
  name: 'expire',
  source: `${REGISTRY}
local n = tonumber(ARGV[1])
local all = differing(n, 1)
if all then return all end
for i = n + 1, #KEYS do
  local value = redis.call('GET', KEYS[i])
  if value and string.sub(value, 1, 1) ~= '!' then
    local count = tonumber(string.sub(value, -4), 16) + 1
    if count > 65535 then
      redis.call('DEL', KEYS[i])
    else
      redis.call('SET', KEYS[i], string.sub(value, 1, -5) .. string.format('%04x', count), 'KEEPTTL')
    end
  end
end
return false`,
  keys: ({ tokens, registries }) => [...[...registries.keys()].map(registryKey), ...tokens.map(stampKey)],
  args: ({ registries }) => [registries.size, ...registries.values()],
  reply: (raw, { registries }) => (raw === null ? undefined : toRegistries([...registries.keys()], raw)),
});

/** KEYS: the registries. Reply: for each its version and shapes. */
export const registriesScript = defineScript<readonly string[], ReadonlyMap<string, ShapeRegistry>>({
  name: 'registries',
  source: `${REGISTRY}
local all = {}
for i = 1, #KEYS do all[i] = registry(KEYS[i]) end
return all`,
  keys: (tables) => tables.map(registryKey),
  args: () => [],
  reply: (raw, tables) => toRegistries(tables, raw),
});

/**
 * Restamps the token unless this server has handled that already. KEYS: `id`, the token. ARGV: identity of the
 * server, empty when it is not known.
 */
export const verifyScript = defineScript<{ identity: string; token: Token }, void>({
  name: 'verify',
  source: `${MARKS}
if ARGV[1] == '' or redis.call('GET', KEYS[1]) ~= ARGV[1] then
  clear(KEYS[2])
  redis.call('SET', KEYS[1], ARGV[1])
end`,
  keys: ({ token }) => [IDENTITY_KEY, stampKey(token)],
  args: ({ identity }) => [identity],
  reply: () => undefined,
});
