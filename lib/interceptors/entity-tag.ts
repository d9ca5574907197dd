import type { RecordVersion } from '../versioning/record-version.js';
import { decodeVersion, encodeVersion, idText } from '../versioning/version-value.js';

/** An entity tag of RFC 9110, section 8.8.3. */
export interface EntityTag {
  readonly weak: boolean;
  /** What stands between the quotes. */
  readonly opaque: string;
}

/** The value of `If-Match` or `If-None-Match`: any representation at all, or one of these. */
export type TagCondition = '*' | readonly EntityTag[];

/** `etagc`: printable ASCII but the quote, and bytes above it, which Node reads as Latin-1. */
const TAG = /(W\/)?"([\x21\x23-\x7e\x80-\xff]*)"/y;
const SEPARATOR = /[ \t]*(?:,[ \t]*)+|[ \t]*$/y;

/**
 * Reads a header value as RFC 9110 writes it: `*`, or a list of tags. A tag may hold commas; list members may be empty.
 * @returns `undefined` when it is malformed
 */
export function parseTagCondition(header: string): TagCondition | undefined {
  const text = header.trim();
  if (text === '*') return '*';
  const tags: EntityTag[] = [];
  let at = /^(?:,[ \t]*)*/.exec(text)?.[0].length ?? 0;
  while (at < text.length) {
    TAG.lastIndex = at;
    const tag = TAG.exec(text);
    if (!tag) return undefined;
    tags.push({ weak: tag[1] !== undefined, opaque: tag[2] ?? '' });
    SEPARATOR.lastIndex = TAG.lastIndex;
    if (!SEPARATOR.test(text)) return undefined;
    at = SEPARATOR.lastIndex;
  }
  return tags.length > 0 ? tags : undefined;
}

/** `If-Match`: a weak tag never matches (strong comparison). */
export const matchesStrongly = (condition: TagCondition, opaque: string): boolean =>
  condition === '*' || condition.some((tag) => !tag.weak && tag.opaque === opaque);

/** `If-None-Match`: weak and strong tags match alike (weak comparison). */
export const matchesWeakly = (condition: TagCondition, opaque: string): boolean =>
  condition === '*' || condition.some((tag) => tag.opaque === opaque);

/** What stands between the quotes of the tag of one version of a row: key and version, `7:3`. */
export const opaqueOf = (id: unknown, version: RecordVersion): string =>
  `${idText(id)}:${encodeVersion(version)}`;

/** The version in a tag of ours; `undefined` for a tag of another row, or of somebody else. */
export function versionIn(opaque: string, id: unknown): RecordVersion | undefined {
  const prefix = `${idText(id)}:`;
  return opaque.startsWith(prefix) ? decodeVersion(opaque.slice(prefix.length)) : undefined;
}

/** As a header value. */
export const strongTag = (opaque: string): string => `"${opaque}"`;
