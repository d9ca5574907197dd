/*
 * The scripts of readers (those of writers: redis.invalidation-scripts.ts), and why no eviction can make a stale entry look fresh.
 *
 * Keys, each behind the prefix:
 *   e:<key>      an entry
 *   s:<token>    a stamp (16 characters), or `!<writer>:<deadline>,…`: the marks of pending writers. Deadlines are in
 *                milliseconds of the server's clock, and the key lives until the last of them.
 *   c:{<table>}  hash, the registry of the table: `v` its version, `=<shape>` one field a shape, `!` the marks of
 *                writers that are writing the table, as above.
 *   r:<key>      the lease of an entry: who loads it
 *   id           which server handled the last restamp of everything (see `verify`)
 *   bus          id of the last message on the channel of the same name (see redis.bus.scripts.ts)
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
 * - `bus`: listeners take it for lost messages and forget what they know.
 *
 * A command that the client gave up on may still be executed later. A late `settle`, `restamp` or `delete` only takes
 * away; a late `write` compares; a late `pin` makes a fresh stamp; a late `pend` leaves a mark that runs out.
 */
import { newStamp, type Stamp } from '../core/stamp.js';
import { tableToken } from '../core/token.js';
import type { PinRequest, ShapeRegistry, TokenState, WriteRequest } from './cache-driver.interface.js';
import { registryLife, stampLife, stampLifeAtLeast } from './lifetimes.js';
import { BUS_KEY, PUBLISH } from './redis.bus.scripts.js';
import { defineScript } from './redis.script.js';
import {
  entryKey,
  MARKS,
  millis,
  REGISTRY,
  registryKey,
  stampKey,
  toRegistries,
} from './redis.script-parts.js';
import { shapesByTable, withoutTables } from './table-shapes.js';

/**
 * KEYS: the tokens, then registry and table token of each table, then the bus. ARGV: number of tokens, least life of a
 * stamp, life of a stamp, life of a registry, version for registries that change (and id of the message that some of
 * them were made), one new stamp a token, then for each table the number of its shapes and the shapes.
 * Reply: a stamp or `!` for each token, then the numbers of the tables whose shapes were refused.
 */
export const pinScript = defineScript<PinRequest, readonly TokenState[]>({
  name: 'pin',
  source: `${MARKS}${PUBLISH}
local n = tonumber(ARGV[1])
local reply, a = {}, 6 + n
local refused, restamped = {}, {}
for k = n + 1, #KEYS - 1, 2 do
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
      if created then
        clear(KEYS[k + 1])
        restamped[#restamped + 1] = token(KEYS[k + 1])
      end
    end
    if redis.call('PTTL', key) < tonumber(ARGV[4]) then redis.call('PEXPIRE', key, ARGV[4]) end
  end
end
publish(ARGV[5], restamped)
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
    BUS_KEY,
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
