import { HARD_LENGTH, STAMP_LENGTH, type Stamp } from './stamp.js';
import type { Token } from './token.js';

/**
 * An entry is a value plus the stamps of its dependencies, taken before the value was computed.
 *
 *     byte 0      format version
 *     1           1: it has grace, and outlives its end in the backend
 *     2..9        creation time, float64, wall clock ms
 *     10..17      life until its end, float64, ms
 *     18..21      what it cost to compute, float32, ms
 *     22..23      number of stamps, uint16
 *     24..27      length of the token list, uint32 (0: the reader derives the tokens itself)
 *     then        stamps (16 bytes each), token list (JSON), payload
 */
const FORMAT = 2;
const GRACE_AT = 1;
const CREATED_AT = 2;
const LIFE_AT = 10;
const COST_AT = 18;
const STAMPS_AT = 22;
const TOKENS_AT = 24;
const HEADER = 28;

/** What is known of a value when it is stored. Milliseconds. */
export interface EntryFacts {
  /** Wall clock. */
  readonly createdAt: number;
  readonly life: number;
  readonly hasGrace: boolean;
  /** How long the load took. */
  readonly cost: number;
}

export interface EntryView {
  readonly createdAt: number;
  /** Tokens stored with the entry, `undefined` when the reader knows them. */
  readonly tokens: readonly Token[] | undefined;
  readonly payload: Buffer;
}

export function encodeEntry(
  payload: Buffer,
  stamps: readonly Stamp[],
  { createdAt, life, hasGrace, cost }: EntryFacts,
  tokens?: readonly Token[],
): Buffer {
  const tokenBytes = tokens ? Buffer.from(JSON.stringify(tokens)) : undefined;
  const stampEnd = HEADER + stamps.length * STAMP_LENGTH;
  const payloadStart = stampEnd + (tokenBytes?.length ?? 0);
  const out = Buffer.allocUnsafe(payloadStart + payload.length);
  out[0] = FORMAT;
  out[GRACE_AT] = hasGrace ? 1 : 0;
  out.writeDoubleBE(createdAt, CREATED_AT);
  out.writeDoubleBE(life, LIFE_AT);
  out.writeFloatBE(cost, COST_AT);
  out.writeUInt16BE(stamps.length, STAMPS_AT);
  out.writeUInt32BE(tokenBytes?.length ?? 0, TOKENS_AT);
  for (let i = 0; i < stamps.length; i++) out.write(stamps[i] as string, HEADER + i * STAMP_LENGTH, 'latin1');
  tokenBytes?.copy(out, stampEnd);
  payload.copy(out, payloadStart);
  return out;
}

/** Whether `entry` was stored under exactly these states: a missing or pending token is never fresh (law 2). */
export function isFresh(entry: Buffer, states: readonly (string | undefined)[]): boolean {
  return isOf(entry, states, STAMP_LENGTH);
}

/** Whether no token was invalidated since `entry` was stored; they may have expired. */
export function isExpired(entry: Buffer, states: readonly (string | undefined)[]): boolean {
  return isOf(entry, states, HARD_LENGTH);
}

/** Whether these bytes are an entry of this format; another release may have stored them. */
export const isEntry = (bytes: Buffer): boolean => bytes[0] === FORMAT && bytes.length >= HEADER;

/** Compares the first `length` characters of each stamp. */
function isOf(entry: Buffer, states: readonly (string | undefined)[], length: number): boolean {
  if (!isEntry(entry) || entry.readUInt16BE(STAMPS_AT) !== states.length) return false;
  let offset = HEADER;
  for (const state of states) {
    if (state === undefined || state.length !== STAMP_LENGTH) return false;
    const wanted = length === STAMP_LENGTH ? state : state.slice(0, length);
    if (entry.toString('latin1', offset, offset + length) !== wanted) return false;
    offset += STAMP_LENGTH;
  }
  return true;
}

export const hasGrace = (entry: Buffer): boolean => entry[GRACE_AT] === 1;

/** Wall clock. */
export const endOf = (entry: Buffer): number => entry.readDoubleBE(CREATED_AT) + entry.readDoubleBE(LIFE_AT);

/**
 * Milliseconds until its end. Never longer than its whole life: the clock of the process that stored it may be ahead.
 * @param now wall clock
 */
export const lifeLeft = (entry: Buffer, now: number): number =>
  Math.min(endOf(entry) - now, entry.readDoubleBE(LIFE_AT));

export const costOf = (entry: Buffer): number => entry.readFloatBE(COST_AT);

export function openEntry(entry: Buffer): EntryView {
  const stampEnd = HEADER + entry.readUInt16BE(STAMPS_AT) * STAMP_LENGTH;
  const payloadStart = stampEnd + entry.readUInt32BE(TOKENS_AT);
  return {
    createdAt: entry.readDoubleBE(CREATED_AT),
    tokens:
      payloadStart > stampEnd
        ? (JSON.parse(entry.toString('utf8', stampEnd, payloadStart)) as Token[])
        : undefined,
    payload: entry.subarray(payloadStart),
  };
}

/** The stamps under which the entry was stored. */
export function stampsOf(entry: Buffer): readonly Stamp[] {
  return Array.from({ length: entry.readUInt16BE(STAMPS_AT) }, (_, i) => {
    const at = HEADER + i * STAMP_LENGTH;
    return entry.toString('latin1', at, at + STAMP_LENGTH);
  });
}
