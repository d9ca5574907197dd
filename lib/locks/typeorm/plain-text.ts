import { createHash } from 'node:crypto';

/** Names differ in case, blanks and zero bytes, which keys of databases do not tell apart or do not take. */
export const idOf = (name: string): string => createHash('sha256').update(name, 'utf16le').digest('hex');

/** JSON in printable ASCII: every database stores it as it is, whatever its encoding. */
export const toPlainJson = (value: unknown): string =>
  JSON.stringify(value).replace(
    /[^\x20-\x7e]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
