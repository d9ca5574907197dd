// One of the processes of the soak: takes locks and works under them until it is told to finish, or is killed.
import { DataSource } from 'typeorm';
import { systemScheduler } from '../../../lib/core/clock.js';
import { CacheOpsError } from '../../../lib/cacheops.errors.js';
import { hostTime } from '../../../lib/locks/drivers/file.host-process.js';
import { FenceError } from '../../../lib/locks/fence.error.js';
import { LockBusyError } from '../../../lib/locks/lock.errors.js';
import type { LockHandle } from '../../../lib/locks/lock-handle.js';
import { LockService } from '../../../lib/locks/lock.service.js';
import { fence } from '../../../lib/locks/typeorm/fence.js';
import { Random } from '../../differential/random.js';
import { openDriver } from './drivers.js';
import type { Attempt, Grant, ToWorker, WorkerConfig } from './protocol.js';
import { Standstill } from './standstill.js';

const config = JSON.parse(process.argv[2] ?? '') as WorkerConfig;
const random = new Random(config.seed);
const standstill = new Standstill();
const realNow = Date.now;
let finishing = false;

process.on('message', (message: ToWorker) => {
  if (message.do === 'finish') finishing = true;
  else Date.now = () => realNow() + message.by;
});
// The parent is gone.
process.on('disconnect', () => process.exit(1));

/** Blocks the whole process, as a long computation or a garbage collection does. */
const block = (ms: number): void => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);

function chooseNames(): string[] {
  return random.weighted([
    [70, ['a']],
    [15, ['b']],
    [15, ['a', 'b']],
  ]);
}

async function section(work: DataSource, lock: LockHandle): Promise<Grant['section']> {
  if (random.chance(0.05)) block(config.ttl * 1.3);
  try {
    await work.transaction(async (manager) => {
      if (config.fenced) await fence(manager, lock);
      for (const name of lock.names) {
        const [row] = await manager.query<[{ value: number }]>(
          `SELECT value FROM soak_counter WHERE name = '${name}'`,
        );
        if (random.chance(config.blocks)) block(config.ttl * 1.3);
        const rest = random.below(4);
        if (rest > 0) await new Promise((resolve) => setTimeout(resolve, rest));
        await manager.query(`UPDATE soak_counter SET value = ${row.value + 1} WHERE name = '${name}'`);
        await manager.query(
          `INSERT INTO soak_commit (name, token, worker) VALUES ('${name}', ${lock.fencingToken}, ${config.worker})`,
        );
      }
    });
    return 'committed';
  } catch (error) {
    return error instanceof FenceError ? 'refused' : { failure: String(error) };
  }
}

async function attempt(locks: LockService, work: DataSource): Promise<Attempt> {
  const names = chooseNames();
  const { worker, ttl, wait } = config;
  const asked = hostTime();
  const stoodStill = standstill.total();
  const overshoot = (): number => hostTime() - asked - wait - (standstill.total() - stoodStill);
  try {
    const lock = await locks.acquire(names, { ttl, wait });
    const [at, late] = [hostTime(), overshoot()];
    const outcome = await section(work, lock);
    // First the look at the clock: it must not be later than the moment at which the lock was believed in.
    const now = hostTime();
    const heldUntil = lock.isHeld() ? now : at;
    await lock.release().catch(() => undefined);
    const grant = { token: lock.fencingToken ?? NaN, at, heldUntil, section: outcome };
    return { worker, names, asked, overshoot: late, outcome: 'granted', grant };
  } catch (error) {
    if (!(error instanceof CacheOpsError)) throw error;
    const outcome = error instanceof LockBusyError ? 'busy' : 'failed';
    return { worker, names, asked, overshoot: overshoot(), outcome };
  }
}

const work = await new DataSource(config.work).initialize();
const locks = new LockService({
  open: () => openDriver(config.driver),
  defaults: { ttl: config.ttl, wait: config.wait },
  timeout: 1_000,
  entities: {} as never,
  transactions: {} as never,
  clock: { now: () => Date.now(), monotonic: () => performance.now() },
  scheduler: systemScheduler,
});
process.send?.('ready');
while (!finishing) {
  process.send?.(await attempt(locks, work));
  // Sometimes rarely, sometimes in a crowd.
  await new Promise((resolve) => setTimeout(resolve, random.below(20)));
}
process.exit(0);
