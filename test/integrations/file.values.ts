import { createHash } from 'node:crypto';

const LENGTH = 32;
const hash = (key: string, bytes: Buffer): Buffer => createHash('sha256').update(key).update(bytes).digest();

/** Bytes that tell whether they are whole, and which key they were stored under. */
export const sealed = (key: string, bytes: Buffer): Buffer => Buffer.concat([hash(key, bytes), bytes]);

/** What is wrong with bytes that were found under a key. */
export function check(key: string, found: Buffer): string | undefined {
  const seal = found.subarray(0, LENGTH);
  if (seal.equals(hash(key, found.subarray(LENGTH)))) return undefined;
  return `${found.length} bytes under ${key} are torn or of another key`;
}
