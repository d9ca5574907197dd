/* Names of keys, and Lua that several scripts share. What the keys are for: redis.scripts.ts. */
import type { Token } from '../core/token.js';
import type { ShapeRegistry } from './cache-driver.interface.js';

export const entryKey = (key: string): string => `e:${key}`;
export const stampKey = (token: Token): string => `s:${token}`;
export const registryKey = (table: string): string => `c:{${table}}`;
export const IDENTITY_KEY = 'id';

/** Writers stand between commas and colons in the text of marks. */
export const writerName = (writer: string): string =>
  writer.replace(/[^\w-]/g, (c) => `.${c.charCodeAt(0).toString(16)}.`);

export const millis = (ms: number): number => Math.max(1, Math.ceil(ms));

/**
 * Text of marks: `live` drops those that ran out and, if named, one writer's; `clear` does so to a token's key, and
 * returns whether the writer's mark was there.
 */
export const MARKS = `
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
  if not value then return false end
  local marks, latest, found = '', 0, false
  if string.sub(value, 1, 1) == '!' then marks, latest, found = live(value, writer) end
  if marks == '' then
    redis.call('DEL', key)
  else
    redis.call('SET', key, '!' .. marks, 'PX', string.format('%.0f', latest - now))
  end
  return found
end
`;

/**
 * `registry(key)`: version first (`''` when there is none), then the shapes. `differing(n, at)`: the first n keys as
 * such, if the version of one is not the argument behind `at` that belongs to it.
 */
export const REGISTRY = `
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

export const toRegistries = (tables: readonly string[], raw: unknown): Map<string, ShapeRegistry> => {
  const replies = raw as string[][];
  return new Map(
    tables.map((table, i) => {
      const [version = '', ...shapes] = replies[i] ?? [];
      return [table, { version, shapes: version === '' ? [] : shapes }];
    }),
  );
};
