import type { QueryRunner } from 'typeorm';
import type { Conflicts } from './conflicts.js';
import type { Expectation } from './expectations.js';

/**
 * Whether a statement found as many rows as it was for.
 * @param affected `undefined` where the driver does not tell
 */
export function foundAll(expected: readonly Expectation[], affected: number | null | undefined): boolean {
  if (typeof affected !== 'number') return false;
  const rows = expected.length === 1 ? 1 : new Set(expected.map(rowOf)).size;
  return affected >= rows;
}

const rowOf = ({ versioned, identifier }: Expectation): string => versioned.rowKey(identifier);

/**
 * Looks which row was not as expected, where not all were found.
 * @param affected `undefined` where the driver does not tell
 * @param values what an `update()` was to write
 * @throws RecordModifiedError when a row was not as expected
 */
export async function verifyRows(
  expected: readonly Expectation[],
  affected: number | null | undefined,
  values: object | undefined,
  conflicts: Conflicts,
  runner: QueryRunner,
): Promise<void> {
  const attempts = expected.map((each) => ({ ...each, mine: each.mine ?? values }));
  const [first] = attempts;
  if (attempts.length === 1 && first && typeof affected === 'number') {
    const error = await conflicts.explain(first, runner);
    if (error) throw error;
    return;
  }
  for (const attempt of attempts) {
    if (attempt.seen) await verifyRow(attempt, conflicts, runner);
  }
}

/**
 * One of several rows, or a row of a driver that counts nothing. The statement has run: rows that were as expected are
 * gone by now, or have the next version.
 */
async function verifyRow(attempt: Expectation, conflicts: Conflicts, runner: QueryRunner): Promise<void> {
  const { versioned, seen, before, operation } = attempt;
  const theirs = await conflicts.read(attempt, runner);
  const deletes = operation === 'delete' || operation === 'remove';
  const wasThere = before !== null && (before === undefined || before.token === seen?.token);
  // A row that was there with its version is gone: deleted here, by a cascade, or by somebody else who wanted the same.
  if (deletes && theirs === null && wasThere) return;
  const token = theirs ? versioned.read(theirs)?.token : undefined;
  const next = typeof seen?.token === 'number' ? seen.token + 1 : undefined;
  const isWritten = versioned.version.kind === 'column' ? token === next : token !== seen?.token;
  if (!deletes && theirs && (isWritten || attempt.hold)) return;
  throw await conflicts.refusal(attempt, theirs);
}
