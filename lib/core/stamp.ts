import { randomBytes } from 'node:crypto';

/**
 * Opaque, unique, compared for equality (law 3). Always 16 characters: 12 of base64url that are random, the hard part,
 * and 4 hexadecimal digits that count, the soft part. To invalidate is to take the stamp away, so that the next one
 * has another hard part. To expire is to count: entries under the stamp are no longer fresh, but of the same hard part.
 */
export type Stamp = string;

export const STAMP_LENGTH = 16;
export const HARD_LENGTH = 12;

const BYTES = 9;
const POOL_BYTES = BYTES * 256;
const UNCOUNTED = '0000';
let pool = Buffer.alloc(0);
let offset = 0;

/** A stamp that no token ever had: 72 random bits, taken from a pool because one `randomBytes` per stamp is slow. */
export function newStamp(): Stamp {
  if (offset >= pool.length) {
    pool = randomBytes(POOL_BYTES);
    offset = 0;
  }
  offset += BYTES;
  return pool.toString('base64url', offset - BYTES, offset) + UNCOUNTED;
}

/** The stamp after one more expiry; `undefined` when the soft part is used up: then the token loses its stamp. */
export function expiredStamp(stamp: Stamp): Stamp | undefined {
  const count = parseInt(stamp.slice(HARD_LENGTH), 16) + 1;
  if (count > 0xffff) return undefined;
  return stamp.slice(0, HARD_LENGTH) + count.toString(16).padStart(STAMP_LENGTH - HARD_LENGTH, '0');
}

/** Whether the state of a token is a stamp: neither missing nor the mark of a writer. */
export const isStamp = (state: Stamp | 'pending' | undefined): state is Stamp =>
  state !== undefined && state !== 'pending';
