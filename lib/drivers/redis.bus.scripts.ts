/*
 * The bus: one pub/sub channel `{prefix}bus`, and a key of the same name that holds a space and the id of the last
 * message. The space is the id of the first message after the key was made; channels do not know databases, and so a
 * subscriber tells the messages of its own database from those of others under the same prefix.
 *
 * A message is the space, its own id, the id of the one before it (`=` sixteen times: none), and the tokens as JSON.
 * So a subscriber sees by itself whether it missed one, however it was lost; and by a look at the key whether it is up
 * to date. Scripts publish what they invalidate in the same step, so no order of events puts a message before or
 * after what it tells of. Ids are random like stamps: a key that was lost and made again repeats none.
 */
import { newStamp, STAMP_LENGTH } from '../core/stamp.js';
import type { Token } from '../core/token.js';
import { defineScript } from './redis.script.js';

/** Key and channel. */
export const BUS_KEY = 'bus';

/** In the place of an id: the message is the first of its space. */
export const FIRST = '='.repeat(STAMP_LENGTH);
/** Milliseconds; long enough to see that nothing happened since. */
const LIFE = 24 * 3_600_000;

/**
 * `publish(id, tokens)`, for scripts whose last key is the bus. `token(key)` is the token of a stamp's key. A user
 * without the right to publish loses nothing but the message, which is then missed like any other that is lost.
 */
export const PUBLISH = `
local bus = KEYS[#KEYS]
local function token(key)
  return string.sub(key, #bus)
end
local function publish(id, tokens)
  if #tokens == 0 then return end
  local last = redis.call('GET', bus)
  local space, before = id, '${FIRST}'
  if last then space, before = string.sub(last, 1, ${STAMP_LENGTH}), string.sub(last, ${STAMP_LENGTH} + 1) end
  redis.call('SET', bus, space .. id, 'PX', '${LIFE}')
  redis.pcall('PUBLISH', bus, space .. id .. before .. cjson.encode(tokens))
end
`;

/** Publishes a message that invalidates nothing: who hears it, hears all that follow. ARGV: its id. */
export const helloScript = defineScript<string, void>({
  name: 'hello',
  source: `${PUBLISH}publish(ARGV[1], {''})`,
  keys: () => [BUS_KEY],
  args: (id) => [id],
  reply: () => undefined,
});

export interface BusMessage {
  readonly space: string;
  readonly id: string;
  /** Id of the message before, or `FIRST`. */
  readonly before: string;
  readonly tokens: readonly Token[];
}

/** @returns `undefined` for text that is none of ours */
export function parseBusMessage(text: string): BusMessage | undefined {
  try {
    return {
      space: text.slice(0, STAMP_LENGTH),
      id: text.slice(STAMP_LENGTH, 2 * STAMP_LENGTH),
      before: text.slice(2 * STAMP_LENGTH, 3 * STAMP_LENGTH),
      tokens: JSON.parse(text.slice(3 * STAMP_LENGTH)) as Token[],
    };
  } catch {
    return undefined;
  }
}

/** What the key holds. */
export function parseBusState(text: string): Pick<BusMessage, 'space' | 'id'> {
  return { space: text.slice(0, STAMP_LENGTH), id: text.slice(STAMP_LENGTH) };
}

export const newMessageId = newStamp;
