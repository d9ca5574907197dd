import { STAMP_LENGTH, type Stamp } from './stamp.js';
import type { Token } from './token.js';

/**
 * An entry is a value plus the stamps of its dependencies, taken before the value was computed.
 *
 *     byte 0      format version
 *     1..8        creation time, float64, wall clock ms (for `Age` and for people; never decides freshness)
 *     9..10       number of stamps, uint16
 *     11..14      length of the token list, uint32 (0: the reader derives the tokens itself)
 *     then        stamps (16 bytes each), token list (JSON), payload
 */
const FORMAT = 1;
const HEADER = 15;

export interface EntryView {
  readonly createdAt: number;
  /** Tokens stored with the entry, `undefined` when the reader knows them. */
  readonly tokens: readonly Token[] | undefined;
  readonly payload: Buffer;
}

export function encodeEntry(
  payload: Buffer,
  stamps: readonly Stamp[],
  createdAt: number,
  tokens?: readonly Token[],
): Buffer {
  const tokenBytes = tokens ? Buffer.from(JSON.stringify(tokens)) : undefined;
  const stampEnd = HEADER + stamps.length * STAMP_LENGTH;
  const payloadStart = stampEnd + (tokenBytes?.length ?? 0);
  const out = Buffer.allocUnsafe(payloadStart + payload.length);
  out[0] = FORMAT;
  out.writeDoubleBE(createdAt, 1);
  out.writeUInt16BE(stamps.length, 9);
  out.writeUInt32BE(tokenBytes?.length ?? 0, 11);
  for (let i = 0; i < stamps.length; i++) out.write(stamps[i] as string, HEADER + i * STAMP_LENGTH, 'latin1');
  tokenBytes?.copy(out, stampEnd);
  payload.copy(out, payloadStart);
  return out;
}

/** Whether `entry` was stored under exactly these states: a missing or pending token is never fresh (law 2). */
export function isFresh(entry: Buffer, states: readonly (string | undefined)[]): boolean {
  if (entry[0] !== FORMAT || entry.length < HEADER || entry.readUInt16BE(9) !== states.length) return false;
  let offset = HEADER;
  for (const state of states) {
    if (state === undefined || state.length !== STAMP_LENGTH) return false;
    if (entry.toString('latin1', offset, offset + STAMP_LENGTH) !== state) return false;
    offset += STAMP_LENGTH;
  }
  return true;
}

export function openEntry(entry: Buffer): EntryView {
  const stampEnd = HEADER + entry.readUInt16BE(9) * STAMP_LENGTH;
  const payloadStart = stampEnd + entry.readUInt32BE(11);
  return {
    createdAt: entry.readDoubleBE(1),
    tokens:
      payloadStart > stampEnd
        ? (JSON.parse(entry.toString('utf8', stampEnd, payloadStart)) as Token[])
        : undefined,
    payload: entry.subarray(payloadStart),
  };
}

/** The stamps under which the entry was stored. */
export function stampsOf(entry: Buffer): readonly Stamp[] {
  return Array.from({ length: entry.readUInt16BE(9) }, (_, i) => {
    const at = HEADER + i * STAMP_LENGTH;
    return entry.toString('latin1', at, at + STAMP_LENGTH);
  });
}
