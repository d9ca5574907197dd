import type { EntityManager, QueryRunner } from 'typeorm';
import { CacheOpsConfigError } from '../../cacheops.errors.js';

/**
 * The connection on which a manager's transaction is open.
 *
 * @throws CacheOpsConfigError when none is
 */
export function openTransaction(manager: EntityManager): QueryRunner {
  const runner = (manager as Partial<EntityManager> | undefined)?.queryRunner;
  if (runner?.isTransactionActive) return runner;
  const hint = 'Call it inside dataSource.transaction(async (manager) => ...)';
  throw new CacheOpsConfigError('manager', 'the EntityManager of an open transaction', manager, hint);
}
