import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { MemoryLockDriver } from '../../lib/locks/drivers/memory.lock-driver.js';
import { lockDriverContract, type LockDriverContract } from '../../lib/testing/lock-driver.contract.js';
import { ChaosLockDriver } from '../../lib/testing/chaos.lock-driver.js';
import { ManualClock } from '../../lib/testing/manual-clock.js';
import { DATABASES } from '../support/databases.js';
import { file } from './subjects/file.js';
import { memcached } from './subjects/memcached.js';
import { redis } from './subjects/redis.js';
import { sql } from './subjects/sql.js';

const memory: LockDriverContract = {
  create: async () => {
    const clock = new ManualClock();
    const driver = new MemoryLockDriver({ clock, scheduler: clock });
    return { driver, other: driver, elapse: async (ms) => clock.advance(ms), dispose: () => driver.close() };
  },
};

const chaotic: LockDriverContract = {
  create: async () => {
    const subject = await memory.create();
    const driver = new ChaosLockDriver(subject.driver);
    return { ...subject, driver, other: driver };
  },
};

const databases = DATABASES.map((kind) => [`SQL on ${kind}`, sql(kind)] as const);
afterAll(() => Promise.all(databases.map(([, contract]) => contract.drop())));

/** Every driver file with the backends it is run over. */
const CONTRACTS: Readonly<Record<string, Readonly<Record<string, LockDriverContract>>>> = {
  'memory.lock-driver.ts': { memory },
  'file.lock-driver.ts': { file },
  'memcached.lock-driver.ts': { memcached },
  'chaos.lock-driver.ts': { 'chaos without faults': chaotic },
  'redis.lock-driver.ts': { redis },
  'sql.lock-driver.ts': Object.fromEntries(databases),
};

for (const contracts of Object.values(CONTRACTS)) {
  for (const [name, contract] of Object.entries(contracts)) lockDriverContract(name, contract);
}

/** Those with a spec of their own, because they need servers of their own. */
const ELSEWHERE: Readonly<Record<string, string>> = { 'redis-quorum.lock-driver.ts': 'redis-quorum.spec.ts' };

it.each(['locks/drivers', 'testing'])('every driver in lib/%s is enrolled', (folder) => {
  const files = readdirSync(fileURLToPath(new URL(`../../lib/${folder}`, import.meta.url)));
  for (const file of files.filter((name) => name.endsWith('.lock-driver.ts'))) {
    const spec = ELSEWHERE[file];
    if (spec === undefined) expect(Object.keys(CONTRACTS)).toContain(file);
    else expect(readFileSync(new URL(spec, import.meta.url), 'utf8')).toContain('lockDriverContract(');
  }
});
