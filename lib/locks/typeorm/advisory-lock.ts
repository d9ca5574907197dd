import { createHash } from 'node:crypto';
import type { EntityManager, QueryRunner } from 'typeorm';
import { CacheOpsConfigError } from '../../cacheops.errors.js';
import { parseBoolean, parseRecord } from '../../options/parse.js';
import { LockBusyError } from '../lock.errors.js';
import { type LockNames, type LockOptions, parseLockNames, parseWait } from '../lock.options.js';
import { lockDialectOf } from './lock-tables.js';
import { openTransaction } from './open-transaction.js';

export interface AdvisoryLockOptions {
  /** How long to wait for all of the names together; `0`: one attempt. Default `'5s'`. */
  readonly wait?: LockOptions['wait'];
  /** `true`: beside others that say so as well. Default `false`. */
  readonly shared?: boolean | undefined;
  /** Keeps equal names of different parts of the application, or of applications in one database, apart. Default `''`. */
  readonly namespace?: string | undefined;
}

const DEFAULT_WAIT_MS = 5_000;
const SAVEPOINT = 'cacheops_advisory_lock';

/** `lock_timeout` was over; PostgreSQL saw that transactions wait for each other. */
const NOT_GRANTED = new Set(['55P03', '40P01']);

/**
 * Locks names until the end of the transaction, in PostgreSQL itself (`pg_advisory_xact_lock`). There is no lease and no
 * token, and none is needed for rows of the same database: if the connection breaks, the lock and the writes are gone
 * together. Works behind PgBouncer. First come, first served; waiters are woken up by the database.
 *
 * Does not exclude locks of `LockService`. Names become keys of 64 bits; should two be equal, they wait for each other
 * for nothing.
 *
 * @param manager the manager of an open transaction
 * @throws LockBusyError when they were not free within `wait`, or transactions wait for each other in a circle. None of
 * the names is locked then, and the transaction can go on
 * @throws CacheOpsConfigError when there is no transaction, the database is not PostgreSQL, or an option is bad
 */
export async function advisoryLock(
  manager: EntityManager,
  names: LockNames,
  options: AdvisoryLockOptions = {},
): Promise<void> {
  const runner = openTransaction(manager);
  if (lockDialectOf(runner.dataSource) !== 'postgres') {
    throw new CacheOpsConfigError('manager', 'a transaction of PostgreSQL', runner.dataSource.options.type);
  }
  const list = parseLockNames(names);
  const given = parseRecord('lock', options, ['wait', 'shared', 'namespace']);
  const wait = given.wait === undefined ? DEFAULT_WAIT_MS : parseWait('lock.wait', given.wait);
  const lock = parseBoolean('lock.shared', given.shared ?? false) ? 'lock_shared' : 'lock';
  const keys = list.map((name) => keyOf(parseNamespace(given.namespace ?? ''), name));
  // In one order for all, so that two calls do not wait for each other.
  keys.sort((a, b) => (a < b ? -1 : 1));
  const since = performance.now();
  const granted = await inSavepoint(runner, () =>
    wait === 0 ? tryKeys(runner, lock, keys) : waitForKeys(runner, lock, keys, since + wait),
  );
  if (!granted) throw new LockBusyError(list, performance.now() - since, undefined);
}

async function tryKeys(runner: QueryRunner, lock: string, keys: readonly bigint[]): Promise<boolean> {
  for (const key of keys) {
    const sql = `SELECT pg_try_advisory_xact_${lock}($1) AS granted`;
    const [row] = (await runner.query(sql, [String(key)])) as [{ granted: boolean }];
    if (!row.granted) return false;
  }
  return true;
}

async function waitForKeys(
  runner: QueryRunner,
  lock: string,
  keys: readonly bigint[],
  deadline: number,
): Promise<boolean> {
  const [{ before }] = (await runner.query(`SELECT current_setting('lock_timeout') AS before`)) as [
    { before: string },
  ];
  for (const key of keys) {
    const left = Math.ceil(deadline - performance.now());
    if (left <= 0) return false;
    await setLockTimeout(runner, `${left}ms`);
    await runner.query(`SELECT pg_advisory_xact_${lock}($1)`, [String(key)]);
  }
  await setLockTimeout(runner, before);
  return true;
}

/** For the transaction; rolling back to a savepoint undoes it. */
async function setLockTimeout(runner: QueryRunner, value: string): Promise<void> {
  await runner.query(`SELECT set_config('lock_timeout', $1, true)`, [value]);
}

/**
 * A statement that fails breaks the transaction unless a savepoint is set. Going back to it also gives back what was
 * locked since: after a timeout the lock may have been granted all the same.
 */
async function inSavepoint(runner: QueryRunner, work: () => Promise<boolean>): Promise<boolean> {
  await runner.query(`SAVEPOINT ${SAVEPOINT}`);
  let granted = false;
  try {
    granted = await work();
  } catch (error) {
    if (!NOT_GRANTED.has((error as { driverError?: { code?: string } }).driverError?.code ?? '')) throw error;
  } finally {
    if (!granted) await runner.query(`ROLLBACK TO SAVEPOINT ${SAVEPOINT}`);
    await runner.query(`RELEASE SAVEPOINT ${SAVEPOINT}`);
  }
  return granted;
}

function keyOf(namespace: string, name: string): bigint {
  const text = JSON.stringify([namespace, name]);
  return createHash('sha256').update(text).digest().readBigInt64BE(0);
}

function parseNamespace(value: unknown): string {
  if (typeof value === 'string') return value;
  throw new CacheOpsConfigError('lock.namespace', 'a text', value);
}
