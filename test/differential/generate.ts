import type { DatabaseKind } from '../support/databases.js';
import { ReadGenerator } from './generate-reads.js';
import { WriteGenerator } from './generate-writes.js';
import type { Operation, ReadOperation } from './operations.js';
import { Random } from './random.js';

/** Reads are taken from a pool that changes slowly, so that most have been stored before. */
const POOL = 120;
const FROM_POOL = 0.985;

/**
 * Where the rough part of a trace begins: forms of SQL that name no rows are tried in plenty, after a part with those
 * that applications use most.
 */
const roughFrom = (count: number): number => Math.floor(count * 0.7);

/** The trace of a seed: the same seed and number give the same operations. */
export function generate(seed: number, kind: DatabaseKind, count: number): Operation[] {
  const random = new Random(seed);
  const reads = new ReadGenerator(random, kind);
  const writes = new WriteGenerator(random, kind, reads);
  const pool: ReadOperation[] = [];
  const read = (): ReadOperation => {
    if (pool.length === POOL && random.chance(FROM_POOL))
      return { ...random.pick(pool), process: random.below(2) };
    const made = reads.next();
    if (pool.length < POOL) pool.push(made);
    else pool[random.below(POOL)] = made;
    return made;
  };
  const operations: Operation[] = Array.from({ length: Math.min(60, count) }, () => writes.next());
  while (operations.length < count) {
    writes.rough = operations.length >= roughFrom(count);
    operations.push(
      random.weighted<() => Operation>([
        [72, read],
        [24, () => writes.next()],
        [4, () => writes.transaction(0, read)],
      ])(),
    );
  }
  return operations;
}
