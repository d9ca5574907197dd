import { randomBytes } from 'node:crypto';

/** Opaque, unique, compared for equality only (law 3). Always 16 characters of base64url. */
export type Stamp = string;

export const STAMP_LENGTH = 16;

const POOL_BYTES = 12 * 256;
let pool = Buffer.alloc(0);
let offset = 0;

/** A stamp that no token ever had: 96 random bits, taken from a pool because one `randomBytes` per stamp is slow. */
export function newStamp(): Stamp {
  if (offset >= pool.length) {
    pool = randomBytes(POOL_BYTES);
    offset = 0;
  }
  offset += 12;
  return pool.toString('base64url', offset - 12, offset);
}
