import type { RecordVersion } from '../versioning/record-version.js';
import {
  matchesStrongly,
  matchesWeakly,
  opaqueOf,
  parseTagCondition,
  type TagCondition,
} from './entity-tag.js';

/** What a request asks to be true before anything is done. */
export interface Preconditions {
  readonly ifMatch: TagCondition | undefined;
  readonly ifNoneMatch: TagCondition | undefined;
}

/** The header of a request whose value is no list of entity tags. */
export class MalformedCondition {
  constructor(readonly header: 'If-Match' | 'If-None-Match') {}
}

/** Reads the conditions of RFC 9110, section 13.1, that are about entity tags. Dates are too coarse for versions. */
export function preconditionsOf(
  headers: Readonly<Record<string, string | string[] | undefined>>,
): Preconditions | MalformedCondition {
  const ifMatch = conditionOf(headers['if-match']);
  if (ifMatch === 'malformed') return new MalformedCondition('If-Match');
  const ifNoneMatch = conditionOf(headers['if-none-match']);
  if (ifNoneMatch === 'malformed') return new MalformedCondition('If-None-Match');
  return { ifMatch, ifNoneMatch };
}

/** Several lines of one header are one list. */
function conditionOf(value: string | string[] | undefined): TagCondition | 'malformed' | undefined {
  if (value === undefined) return undefined;
  return parseTagCondition(Array.isArray(value) ? value.join(', ') : value) ?? 'malformed';
}

/** A row as conditions see it; `undefined`: there is none. */
export interface Representation {
  readonly id: unknown;
  readonly version: RecordVersion | undefined;
}

/** The condition that does not hold (RFC 9110, section 13.2.2: `If-Match` first). */
export function failedCondition(
  { ifMatch, ifNoneMatch }: Preconditions,
  current: Representation | undefined,
): 'If-Match' | 'If-None-Match' | undefined {
  if (ifMatch && !holds(ifMatch, current, matchesStrongly)) return 'If-Match';
  return ifNoneMatch && holds(ifNoneMatch, current, matchesWeakly) ? 'If-None-Match' : undefined;
}

function holds(
  condition: TagCondition,
  current: Representation | undefined,
  matches: (condition: TagCondition, opaque: string) => boolean,
): boolean {
  if (current?.version === undefined) return condition === '*' && current !== undefined;
  return matches(condition, opaqueOf(current.id, current.version));
}
