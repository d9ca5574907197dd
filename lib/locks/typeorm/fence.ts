import type { DataSource, EntityManager, QueryRunner } from 'typeorm';
import { CacheOpsConfigError } from '../../cacheops.errors.js';
import { FenceError } from '../fence.error.js';
import {
  createLockTable,
  ensureLockTable,
  hasLockTable,
  type LockDialect,
  lockDialectOf,
} from './lock-tables.js';
import { openTransaction } from './open-transaction.js';
import { idOf, toPlainJson } from './plain-text.js';

/** What of a lock is checked; the handles of `LockService` are such locks. */
export interface FencedLock {
  readonly names: readonly string[];
  /** Greater than that of every earlier grant. */
  readonly fencingToken: number | undefined;
}

const UPSERT: Readonly<Record<LockDialect, string>> = {
  postgres:
    'INSERT INTO cacheops_fence (id, name, token) VALUES ($1, $2, $3) ' +
    'ON CONFLICT (id) DO UPDATE SET token = excluded.token WHERE cacheops_fence.token <= excluded.token',
  mysql:
    'INSERT INTO cacheops_fence (id, name, token) VALUES (?, ?, ?) ' +
    'ON DUPLICATE KEY UPDATE token = GREATEST(token, VALUES(token))',
  sqlite:
    'INSERT INTO cacheops_fence (id, name, token) VALUES (?, ?, ?) ' +
    'ON CONFLICT (id) DO UPDATE SET token = excluded.token WHERE cacheops_fence.token <= excluded.token',
};

/** Sees what is committed, also where the transaction has a snapshot; the row is locked by the upsert already. */
const LATEST = 'SELECT token FROM cacheops_fence WHERE id = ? FOR UPDATE';

/** DataSources whose table was seen: a memo, which is wrong only after somebody has dropped it. */
const prepared = new WeakSet<DataSource>();

/**
 * Refuses the rest of the transaction to a holder whose lock has ended meanwhile and was given to somebody else: to be
 * called in the transaction that writes, before it writes. The greatest token that has come is kept for each name in the
 * table `cacheops_fence`; the row stays locked until the end of the transaction, so that holders commit in their order.
 *
 * All that write under the lock have to call it. Locks of any driver that has fencing tokens will do; the table is in the
 * database that is written to.
 *
 * @param manager the manager of an open transaction
 * @param lock a handle of `LockService`, or its names and token, handed over from the process that holds it
 * @throws FenceError when a greater token has come: the transaction has to be rolled back
 * @throws CacheOpsConfigError when there is no transaction, or the lock has no token
 */
export async function fence(manager: EntityManager, lock: FencedLock): Promise<void> {
  const runner = openTransaction(manager);
  const { names, fencingToken } = lock;
  if (!isNames(names)) {
    throw new CacheOpsConfigError('lock.names', 'one name or more', names);
  }
  if (!Number.isSafeInteger(fencingToken)) {
    throw new CacheOpsConfigError('lock.fencingToken', 'the token of a lock', fencingToken);
  }
  await prepare(runner);
  try {
    // In one order for all, so that two transactions cannot wait for each other.
    for (const name of names.toSorted()) await pass(runner, name, fencingToken as number);
  } catch (error) {
    // The table may have been dropped: look again next time.
    if (!(error instanceof FenceError)) prepared.delete(runner.dataSource);
    throw error;
  }
}

const isNames = (names: unknown): boolean =>
  Array.isArray(names) &&
  names.length > 0 &&
  names.every((name: unknown) => typeof name === 'string' && name !== '');

async function pass(runner: QueryRunner, name: string, token: number): Promise<void> {
  const dialect = lockDialectOf(runner.dataSource);
  const { affected } = await runner.query(UPSERT[dialect], [idOf(name), toPlainJson(name), token], true);
  if (dialect !== 'mysql') {
    if (affected === 0) throw new FenceError(name, token);
    return;
  }
  const [row] = (await runner.query(LATEST, [idOf(name)])) as [{ token: string | number }];
  if (Number(row.token) > token) throw new FenceError(name, token);
}

async function prepare(runner: QueryRunner): Promise<void> {
  const { dataSource } = runner;
  if (prepared.has(dataSource)) return;
  const dialect = lockDialectOf(dataSource);
  if (!(await hasLockTable(runner, 'cacheops_fence', dialect))) {
    // SQLite has no other connection, and can make tables in a transaction: then they vanish with it.
    if (dialect === 'sqlite') return void (await createLockTable(runner, 'cacheops_fence', dialect));
    await ensureLockTable(dataSource, 'cacheops_fence');
  }
  prepared.add(dataSource);
}
