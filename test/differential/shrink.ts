import type { Operation } from './operations.js';

/** Whether the trace still fails. */
export type Fails = (operations: readonly Operation[]) => Promise<boolean>;

/**
 * The smallest trace found that still fails: chunks are taken out as long as the failure stays, ever smaller ones
 * (delta debugging), then the steps of transactions.
 * @param deadline no attempt begins after this time (milliseconds since the epoch)
 */
export async function shrink(
  operations: readonly Operation[],
  fails: Fails,
  deadline: number,
): Promise<readonly Operation[]> {
  const smaller = async (trace: readonly Operation[]): Promise<boolean> =>
    Date.now() < deadline && fails(trace);
  let kept = await withoutOtherReads(operations, smaller);
  kept = await withoutChunks(kept, smaller);
  for (let i = 0; i < kept.length; i++) {
    const operation = kept[i] as Operation;
    if (operation.kind !== 'transaction') continue;
    const place = (steps: readonly Operation[]): readonly Operation[] =>
      kept.with(i, { ...operation, steps });
    kept = place(await withoutChunks(operation.steps, (steps) => smaller(place(steps))));
  }
  return kept;
}

/** Other reads than the failing one are mostly of no matter; dropping them at once saves many attempts. */
async function withoutOtherReads(
  operations: readonly Operation[],
  fails: Fails,
): Promise<readonly Operation[]> {
  const last = operations.at(-1);
  if (last?.kind !== 'read') return operations;
  const text = JSON.stringify([last.how, last.entity, last.args]);
  const trace = operations.filter(
    (op) => op.kind !== 'read' || JSON.stringify([op.how, op.entity, op.args]) === text,
  );
  return (await fails(trace)) ? trace : operations;
}

async function withoutChunks(operations: readonly Operation[], fails: Fails): Promise<readonly Operation[]> {
  let kept = operations;
  for (let size = Math.ceil(kept.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    // The end is left alone for longest: the failing read is there.
    for (let at = 0; at < kept.length;) {
      const without = [...kept.slice(0, at), ...kept.slice(at + size)];
      if (without.length > 0 && (await fails(without))) kept = without;
      else at += size;
    }
  }
  return kept;
}
