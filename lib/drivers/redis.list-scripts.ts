import type { Stamp } from '../core/stamp.js';
import type { Token } from '../core/token.js';
import type { EntryHead, KeyPage } from './cache-driver.interface.js';
import { defineScript } from './redis.script.js';
import { entryKey } from './redis.script-parts.js';

/** How many keys of the server one page looks at. */
const PAGE = 1_000;

/**
 * KEYS: what all keys of entries begin with, which also says on which node of a Cluster they are. ARGV: cursor, size of
 * a page. Reply: the next cursor, then the keys of entries. No key is touched.
 */
export const scanScript = defineScript<string, KeyPage>({
  name: 'scan',
  source: `
local prefix = KEYS[1]
local pattern = string.gsub(prefix, '[%*%?%[%]%^%\\\\]', '\\\\%0') .. '*'
local page = redis.call('SCAN', ARGV[1], 'MATCH', pattern, 'COUNT', ARGV[2])
local reply = {page[1]}
for _, key in ipairs(page[2]) do reply[#reply + 1] = string.sub(key, #prefix + 1) end
return reply`,
  keys: () => [entryKey('')],
  args: (cursor) => [cursor === '' ? '0' : cursor, PAGE],
  reply: (raw) => {
    const [cursor, ...keys] = raw as string[];
    return { cursor: cursor === '0' ? '' : (cursor as string), keys };
  },
});

/**
 * KEYS: entries. ARGV: a token as it stands in a list of tokens. Reply: for each entry with a list that has the token
 * its number, its stamps and the list. The layout is that of core/entry.ts.
 */
export const headsScript = defineScript<{ keys: readonly string[]; token: Token }, readonly EntryHead[]>({
  name: 'heads',
  source: `
local reply = {}
for i, key in ipairs(KEYS) do
  local head = redis.call('GETRANGE', key, 0, 27)
  if #head == 28 and string.byte(head, 1) == 2 then
    local stamps = (string.byte(head, 23) * 256 + string.byte(head, 24)) * 16
    local length = 0
    for at = 25, 28 do length = length * 256 + string.byte(head, at) end
    if length > 0 then
      local text = redis.call('GETRANGE', key, 28, 27 + stamps + length)
      local list = string.sub(text, stamps + 1)
      if string.find(list, ARGV[1], 1, true) then
        reply[#reply + 1] = i
        reply[#reply + 1] = string.sub(text, 1, stamps)
        reply[#reply + 1] = list
      end
    end
  end
end
return reply`,
  keys: ({ keys }) => keys.map(entryKey),
  args: ({ token }) => [JSON.stringify(token)],
  reply: (raw, { keys }) => {
    const found = raw as (string | number)[];
    return Array.from({ length: found.length / 3 }, (_, i): EntryHead => {
      const [number, stamps, list] = found.slice(3 * i, 3 * i + 3) as [number, string, string];
      return {
        key: keys[number - 1] as string,
        stamps: stamps.match(/.{16}/g) as Stamp[],
        tokens: JSON.parse(list) as Token[],
      };
    });
  },
});
