import { isDeepStrictEqual } from 'node:util';
import { MergeConflictError } from '../versioning/merge/merge-conflict.error.js';
import type { RecordModifiedError } from '../versioning/record-modified.error.js';
import { encodeVersion } from '../versioning/version-value.js';
import { type Problem, problem } from './problem.js';
import type { View } from './shown-values.js';

const MODIFIED = 'The record was changed by someone else since it was read. Nothing was written.';
const DELETED = 'The record was deleted by someone else since it was read. Nothing was written.';
const MISSING = 'The version of the record that the change was made on is missing. Nothing was written.';

/**
 * A conflict as a problem. The name of the entity is not told, nor are values of the record, unless they are given.
 *
 * @param status 412 when the request named the version that it was made on, 409 when it did not
 */
export function conflictProblem(
  error: RecordModifiedError,
  status: 409 | 412,
  shown: ConflictValues = {},
): Problem {
  const { kind, expected, actual } = error;
  const detail = kind === 'deleted' ? DELETED : kind === 'missing-version' ? MISSING : MODIFIED;
  return problem(kind === 'missing-version' ? 409 : status, error.code, detail, {
    ...(expected !== undefined && { expected: encodeVersion(expected) }),
    ...(actual !== undefined && { actual: encodeVersion(actual) }),
    ...(kind === 'deleted' && { deleted: true }),
    ...shown,
  });
}

/** What a response shows of the record. */
export type ConflictValues = Pick<Problem, 'current' | 'submitted' | 'conflicts'>;

/** The record as it is and as it was submitted, and where both differ. */
export async function conflictValues(error: RecordModifiedError, view: View): Promise<ConflictValues> {
  const { mine, theirs } = error;
  const current = theirs ? await view(theirs) : undefined;
  const submitted = mine && (await view(mine));
  const isUndecided = (name: string): boolean =>
    !(error instanceof MergeConflictError) ||
    error.conflicts.some(({ path }) => path === name || path.startsWith(`${name}.`));
  const conflicts = Object.keys(submitted ?? {}).filter(
    (name) =>
      current &&
      Object.hasOwn(current, name) &&
      !isDeepStrictEqual(plain(submitted?.[name]), plain(current[name])) &&
      isUndecided(name),
  );
  return {
    ...(current && { current }),
    ...(submitted && { submitted }),
    ...(current && submitted && { conflicts }),
  };
}

/** As the client will see it. */
const plain = (value: unknown): unknown =>
  value === undefined ? undefined : (JSON.parse(JSON.stringify(value)) as unknown);
