import { MemoryLockDriver } from '../../../lib/locks/drivers/memory.lock-driver.js';
import type { LockDriverContract } from '../../../lib/testing/lock-driver.contract.js';
import { DATABASES } from '../../support/databases.js';
import { file } from './file.js';
import { memcached } from './memcached.js';
import { quorum, stopQuorum } from './quorum.js';
import { redis } from './redis.js';
import { sql } from './sql.js';

const memory: LockDriverContract = {
  create: async () => {
    const driver = new MemoryLockDriver();
    return { driver, other: driver, elapse: () => Promise.resolve(), dispose: () => driver.close() };
  },
};
const databases = DATABASES.map((kind) => [`SQL on ${kind}`, sql(kind)] as const);

/** Every driver, in real time. */
export const SUBJECTS: readonly (readonly [string, LockDriverContract])[] = [
  ['memory', memory],
  ['redis', redis],
  ['a quorum of Redis masters', quorum()],
  ['file', file],
  ['memcached', memcached],
  ...databases,
];

/** Belongs in `afterAll`. */
export const dropSubjects = (): Promise<unknown> =>
  Promise.all([stopQuorum(), ...databases.map(([, contract]) => contract.drop())]);
