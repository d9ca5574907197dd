import { MemoryLockDriver } from '../../lib/locks/drivers/memory.lock-driver.js';
import type { LockDriver } from '../../lib/locks/lock-driver.interface.js';
import { NO_LOCKABLE_ENTITIES, NO_TRANSACTIONS } from '../../lib/locks/lock.ports.js';
import { LockService, type LockServiceParts } from '../../lib/locks/lock.service.js';
import { ChaosLockDriver } from '../../lib/testing/chaos.lock-driver.js';
import { ManualClock } from '../../lib/testing/manual-clock.js';

/** Lets everything run that waits for nothing but its turn. */
export const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A driver that has to be asked again and again. */
export function withoutTurns(driver: LockDriver): LockDriver {
  return {
    capabilities: { ...driver.capabilities, ordering: 'none', wakeUp: 'poll' },
    acquire: (request) => driver.acquire(request),
    renew: (leases) => driver.renew(leases),
    release: (lease) => driver.release(lease),
    inspect: (name) => driver.inspect(name),
    close: () => driver.close(),
  };
}

type Turn = ReturnType<NonNullable<LockDriver['acquireInTurn']>>;

/** A driver whose turns pass through a function. */
export function withTurns(driver: LockDriver, through: (turn: Turn) => Turn): LockDriver {
  return {
    ...withoutTurns(driver),
    capabilities: driver.capabilities,
    acquireInTurn: (request, patience) =>
      through((driver as Required<LockDriver>).acquireInTurn(request, patience)),
  };
}

/** A lock service over locks in memory, whose time and faults the test is in charge of. */
export class LockFixture {
  readonly clock = new ManualClock();
  readonly chaos: ChaosLockDriver;
  readonly locks: LockService;

  constructor(parts: Partial<LockServiceParts> = {}, wrap = (driver: LockDriver): LockDriver => driver) {
    const { clock } = this;
    this.chaos = new ChaosLockDriver(wrap(new MemoryLockDriver({ clock, scheduler: clock })));
    this.locks = new LockService({
      open: async () => this.chaos,
      defaults: { ttl: 9_000, wait: 5_000 },
      timeout: 1_000,
      entities: NO_LOCKABLE_ENTITIES,
      transactions: NO_TRANSACTIONS,
      clock,
      scheduler: clock,
      ...parts,
    });
  }

  /** Lets time pass in small steps, so that what each timer begins gets to run. */
  async pass(ms: number, step = 50): Promise<void> {
    await settled();
    for (let left = ms; left > 0; left -= step) {
      this.clock.advance(Math.min(step, left));
      await settled();
    }
  }

  close(): Promise<void> {
    return this.locks.close();
  }
}
